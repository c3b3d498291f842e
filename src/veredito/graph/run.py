"""A run: what came of one execution of a plan. It explains itself: values, outcomes, errors, trace."""

from __future__ import annotations

import copy
import math
import time
import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from veredito.errors import DeadlineError
from veredito.graph.nodes import NO_DEFAULT, WORKERS
from veredito.graph.program import UNSET
from veredito.types import Outcome

if TYPE_CHECKING:
    from veredito.graph.plan import Plan
    from veredito.graph.trace import Trace

FRESH = Outcome("fresh")
SKIPPED = Outcome("skipped", attempts=0)


class TimedOutError(DeadlineError, TimeoutError):
    """An effect took longer than it was given."""


class State:
    """The slots of a run in progress, by node number. Engines write them; a `Run` reads them.

    Args:
        plan: what runs.
        deadline: seconds on the monotonic clock, or `None`.
    """

    __slots__ = (
        "began",
        "causes",
        "chosen",
        "deadline",
        "ended",
        "errors",
        "finished",
        "notes",
        "plan",
        "started",
        "until",
        "values",
    )

    def __init__(self, plan: Plan, deadline: float | None) -> None:
        self.plan = plan
        self.values: list[Any] = list(plan.program.template)
        self.started: list[float | None] = [None] * len(self.values)
        self.finished: list[float | None] = self.started.copy()
        self.errors: dict[int, BaseException] = {}
        self.causes: dict[int, int] = {}
        self.notes: dict[int, Outcome] = {}
        self.chosen: dict[int, tuple[int, str]] = {}
        self.began = self.ended = time.monotonic()
        self.deadline = (
            deadline
            if deadline is not None or plan.deadline_ms is None
            else self.began + plan.deadline_ms / 1e3
        )
        self.until = math.inf if self.deadline is None else self.deadline

    def outcome(self, at: int) -> Outcome:
        """How this node's value came to be, so far."""
        noted = self.notes.get(at)
        if noted is not None:
            return noted
        return SKIPPED if self.values[at] is UNSET else FRESH

    def settled(self, at: int) -> bool:
        """Whether the node has a value or an error."""
        return self.values[at] is not UNSET or at in self.errors

    def succeed(self, at: int, value: Any, outcome: Outcome | None = None) -> None:
        """Keep a node's value; `outcome` where it is not simply fresh."""
        self.values[at] = value
        self.finished[at] = time.monotonic()
        if outcome is not None:
            self.notes[at] = outcome

    def fail(
        self, at: int, error: BaseException, *, reason: str = "", attempts: int = 1, cause: int | None = None
    ) -> None:
        """The node has failed: what its declaration has for that stands in, or the error is kept."""
        found, value = stand_in(self.plan.shape.nodes[at], error)
        why = reason or (
            f"{self.plan.shape.names[cause]} failed" if cause is not None else type(error).__name__
        )
        if found:
            self.values[at] = value
            self.notes[at] = Outcome("default", why, attempts)
        else:
            self.errors[at] = error
            self.notes[at] = Outcome("failed", why, attempts)
            if cause is not None:
                self.causes[at] = cause
        self.finished[at] = time.monotonic()

    def failed_need(self, at: int) -> int | None:
        """The first of the node's needs, in the order of its parameters, that has failed."""
        errors = self.errors
        if not errors:
            return None
        return next(
            (need for need, outcome in self.plan.shape.takes[at] if not outcome and need in errors), None
        )

    def arguments(self, at: int) -> tuple[list[Any], dict[str, Any]]:
        """What the node's function is called with."""
        taken = [
            self.outcome(need) if outcome else self.values[need]
            for need, outcome in self.plan.shape.takes[at]
        ]
        keywords: tuple[str, ...] = getattr(self.plan.shape.nodes[at], "keywords", ())
        plain = len(taken) - len(keywords)
        return taken[:plain], dict(zip(keywords, taken[plain:], strict=True))


def stand_in(node: Any, error: BaseException) -> tuple[bool, Any]:
    """Whether a failed node's declaration has a value for this error, and the value. Mutable ones are copied."""
    if not isinstance(node, WORKERS):
        return False, None
    for kind, value in node.on_error:
        if isinstance(error, kind):
            return True, _own(value)
    return (False, None) if node.default is NO_DEFAULT else (True, _own(node.default))


def _own(value: Any) -> Any:
    return copy.deepcopy(value) if type(value) in {list, dict, set} else value


class Run:
    """What one run gave.

    Attributes:
        plan: what was run.
    """

    __slots__ = ("_state", "plan")

    def __init__(self, state: State) -> None:
        self._state = state
        self.plan = state.plan

    @property
    def value(self) -> Any:
        """The target's value; of several targets, a tuple in their order.

        Raises:
            BaseException: the original error of the first failed target, with a note that names the node it
                arose in and the path from the target to it.
        """
        error = self.error
        if error is not None:
            raise error
        values = tuple(self._state.values[at] for at in self.plan.target_numbers)
        return values if self.plan.several else values[0]

    @property
    def error(self) -> BaseException | None:
        """The original error of the first failed target, annotated; `None` where all targets have values."""
        errors = self._state.errors
        if not errors:
            return None
        at = next((at for at in self.plan.target_numbers if at in errors), None)
        return None if at is None else self._annotated(at)

    @property
    def values(self) -> dict[str, Any]:
        """Every node that has a value, by name; sources are left out."""
        shape, values = self.plan.shape, self._state.values
        return {
            shape.names[at]: values[at]
            for at, node in enumerate(shape.nodes)
            if node and values[at] is not UNSET
        }

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """How every node of the plan came to be, those that never ran included."""
        shape, state = self.plan.shape, self._state
        return types.MappingProxyType(
            {shape.names[at]: state.outcome(at) for at, node in enumerate(shape.nodes) if node}
        )

    @property
    def trace(self) -> Trace:
        """What happened when, and the critical path."""
        from veredito.graph.trace import trace_of

        return trace_of(self._state)

    @property
    def errors(self) -> dict[str, BaseException]:
        """The errors of failed nodes, by name; a node that failed through another has the other's."""
        return {self.plan.shape.names[at]: error for at, error in self._state.errors.items()}

    def __repr__(self) -> str:
        ran = sum(1 for outcome in self.outcomes.values() if outcome.kind != "skipped")
        took = (self._state.ended - self._state.began) * 1e3
        return f"<Run of {', '.join(self.plan.targets)}: {ran} of {len(self.outcomes)} nodes, {took:.3f} ms>"

    def _annotated(self, at: int) -> BaseException:
        names, causes = self.plan.shape.names, self._state.causes
        error, path = self._state.errors[at], [at]
        while path[-1] in causes:
            path.append(causes[path[-1]])
        note = f"in node '{names[path[-1]]}'"
        if len(path) > 1:
            note += "; path: " + " <- ".join(names[step] for step in path)
        if note not in getattr(error, "__notes__", ()):
            error.add_note(note)
        return error
