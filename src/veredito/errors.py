"""The error tree: one family for each party whose move it is.

::

    VereditoError
    ├── DefinitionError       what was declared is wrong: change the code or the config (said at build)
    │   ├── SchemaError
    │   ├── GraphError
    │   ├── LearnerError
    │   ├── PolicyError
    │   ├── ConfigError
    │   ├── ArtifactError
    │   └── MissingExtraError
    ├── InputError            what the caller sent is wrong: change the request
    ├── UnavailableError      nothing is wrong with the request: try again later
    │   ├── OverloadedError
    │   ├── DeadlineError
    │   └── SourceError
    └── InternalError         we broke: look in the log
        ├── OutputError
        └── RecordError

Wording lives here. A `Problem` names the place, what is wrong there, what was available, and a hint.
No message of `InputError` contains a value that the caller sent.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Sequence

_SHOWN_MAX = 12  # names listed after "available": more is noise, the nearest come first


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where, what, what was available there, and what to do.

    Example:
        >>> str(Problem("[service].prot", "unknown key", available=("name", "port"), hint=did_you_mean("prot", ["name", "port"])))
        "[service].prot: unknown key; available: name, port. Hint: did you mean 'port'?"
    """

    place: str
    what: str
    available: tuple[str, ...] = ()
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.place}: {self.what}" if self.place else self.what
        if self.available:
            text += f"; available: {listing(self.available)}"
        return f"{text}. Hint: {self.hint}" if self.hint else text


def listing(names: Iterable[str]) -> str:
    """The names, comma separated, cut with a count where there are many."""
    names = list(names)
    shown = ", ".join(names[:_SHOWN_MAX])
    return shown if len(names) <= _SHOWN_MAX else f"{shown} and {len(names) - _SHOWN_MAX} more"


def did_you_mean(name: str, available: Iterable[str]) -> str:
    """A hint with the nearest known name, or the empty string where none is near."""
    near = difflib.get_close_matches(name, list(available), n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else ""


class VereditoError(Exception):
    """The root: everything that veredito raises on purpose."""

    problems: tuple[Problem, ...] = ()


class _SeveralError(VereditoError):
    """An error that carries every problem found, not only the first."""

    title = "invalid"

    def __init__(self, problems: Problem | Sequence[Problem], *, title: str | None = None) -> None:
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__(self._text(title or self.title))

    def _text(self, title: str) -> str:
        if len(self.problems) == 1:
            return f"{title}: {self.problems[0]}"
        lines = "".join(f"\n  {i}. {problem}" for i, problem in enumerate(self.problems, start=1))
        return f"{title}: {len(self.problems)} problems{lines}"


class DefinitionError(_SeveralError):
    """What was declared is wrong. Raised while building, all problems together."""

    title = "invalid definition"


class SchemaError(DefinitionError):
    """A schema cannot be built, or two schemas do not fit."""

    title = "invalid schema"


class GraphError(DefinitionError):
    """The nodes do not form a graph that can run."""

    title = "invalid graph"


class LearnerError(DefinitionError):
    """A learner is configured wrongly, or does not fit the table it was given."""

    title = "invalid learner"


class PolicyError(DefinitionError):
    """The policy or the pre-policy is wrong."""

    title = "invalid policy"


class ConfigError(DefinitionError):
    """The config file is wrong."""

    title = "invalid config"


class ArtifactError(DefinitionError):
    """A saved model is damaged, incompatible, or does not reproduce its own numbers."""

    title = "cannot use model artifact"


class MissingExtraError(DefinitionError, ImportError):
    """An optional library is not installed."""

    title = "missing library"

    def __init__(self, library: str, extra: str, *, purpose: str = "") -> None:
        self.library, self.extra = library, extra
        needed = f"'{library}' is not installed" + (f", and {purpose} needs it" if purpose else "")
        super().__init__(Problem("", needed, hint=f"pip install 'veredito[{extra}]'"))


class InputError(_SeveralError):
    """What the caller sent does not fit the schema. Names every field; repeats no value."""

    title = "invalid input"


class UnavailableError(VereditoError):
    """Nothing is wrong with the request; the same request may succeed later."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class OverloadedError(UnavailableError):
    """A named limit is reached; the request was refused before any work was done."""


class DeadlineError(UnavailableError):
    """The time for an answer ran out."""


class SourceError(UnavailableError):
    """A source failed to give an answer."""


class InternalError(VereditoError):
    """We broke."""


class OutputError(InternalError):
    """A model or an adapter produced something that its out-schema does not allow."""


class RecordError(InternalError):
    """The record cannot be written or read."""
