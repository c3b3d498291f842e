"""A learner: a table in; a fitted step, the table it makes, and a complete log out.

``step, table, log = learner(table)``. A learner is frozen data, configured by keyword, that can be printed
and compared. What can be known to be wrong is said before anything is fitted, all of it at once.

A learner of your own is a subclass with fields, `check` and `fit`; subclasses are made into frozen
dataclasses by being defined.
"""

from __future__ import annotations

import dataclasses
import inspect
import time
from abc import ABC, ABCMeta, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeVar, dataclass_transform

import polars as pl

from veredito.errors import LearnerError, Problem, did_you_mean

from .arrays import canonical
from .frames import adopt
from .held_out import HeldOut, Split, shown
from .logs import library_versions, plain
from .preview import Preview
from .step import Step, as_they_came

T = TypeVar("T")


class Fit(NamedTuple):
    """What `Learner.fit` gives: the step, notes for the log, and the training table if it differs.

    `table` is there only where training values must not be what the step gives on other tables, as for
    out-of-fold encodings. `steps` are the logs of the learners inside.
    """

    step: Step
    notes: tuple[str, ...] = ()
    table: pl.DataFrame | None = None
    steps: tuple[dict[str, Any], ...] = ()
    extra: Mapping[str, Any] = {}


class Fitted(NamedTuple):
    """The triple that calling a learner gives."""

    step: Step
    table: Any
    log: dict[str, Any]


class _Configured(ABCMeta):
    """Makes a wrong keyword an error that names the nearest right one."""

    def __call__(cls: type[T], *args: Any, **keywords: Any) -> T:
        signature = inspect.signature(cls.__init__)
        known = [name for name in signature.parameters if name != "self"]
        unknown = [name for name in keywords if name not in known]
        problems = [
            Problem(cls.__name__, f"unknown keyword '{name}'", tuple(known), did_you_mean(name, known))
            for name in unknown
        ]
        if problems:
            raise LearnerError(problems)
        try:
            signature.bind(None, *args, **keywords)
        except TypeError as error:
            raise LearnerError(Problem(cls.__name__, str(error), tuple(known))) from None
        return super().__call__(*args, **keywords)  # type: ignore[misc, no-any-return]


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
@dataclasses.dataclass(frozen=True, repr=False)
class Learner(ABC, metaclass=_Configured):
    """Something that can be fitted to a table.

    Args:
        name: what it is called in a pipeline and in the log; its kind if not given.
        on: the held-out rows to fit it on (see `veredito.learn.on`); all rows that no other learner of the
            pipeline holds out, if not given.
    """

    _: dataclasses.KW_ONLY
    name: str = ""
    on: HeldOut | None = None

    def __init_subclass__(cls, *, init: bool = True, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        dataclasses.dataclass(frozen=True, repr=False, init=init)(cls)

    @property
    def kind(self) -> str:
        """What sort of learner it is, as it is spelled in code."""
        return type(self).__name__

    @abstractmethod
    def check(self, preview: Preview) -> None:
        """Say what is wrong with a table of these columns, and what columns there will be afterwards."""

    @abstractmethod
    def fit(self, table: pl.DataFrame) -> Fit:
        """Fit on every row of a table whose columns were checked, and are null where missing."""

    def held_parts(self) -> frozenset[HeldOut]:
        """The held-out parts that it, and the learners in it, are fitted on."""
        return frozenset() if self.on is None else frozenset({self.on})

    def __call__(self, table: Any) -> Fitted:
        """Fit on a table.

        Args:
            table: a Polars or a pandas `DataFrame`; it is not changed.

        Returns:
            The fitted step, the table with the step's columns as the same kind of table, and the log.

        Raises:
            LearnerError: the table does not fit; every problem that can be known before fitting is named.
        """
        frame, give_back = adopt(table, self.kind)
        preview = Preview(frame, self.kind)
        self.check(preview)
        preview.done()
        split = Split.of(self.held_parts(), frame, self.kind)
        step, result, log = self.train(canonical(frame, preview.read), split)
        result = as_they_came(frame, result, preview.read, step.writes)
        return Fitted(step, give_back(result, step.writes), log)

    def train(self, table: pl.DataFrame, split: Split) -> Fitted:
        """Fit on the rows that are this learner's, and carry every row through the step."""
        started = time.perf_counter()
        mine = split.rows_of(self.on)
        training = table if mine is None else table.filter(pl.Series(mine))
        if training.is_empty():
            raise LearnerError(Problem(self.kind, "no row is left to fit on", hint="hold out less"))
        fit = self.fit_beside(training, split)
        result = self._through(fit, table, mine)
        return Fitted(fit.step, result, self._log(fit, training.height, time.perf_counter() - started))

    def fit_beside(self, table: pl.DataFrame, split: Split) -> Fit:  # noqa: ARG002 - for those that watch rows
        """Fit on these rows, with the split at hand; learners that look at no other rows ignore it."""
        return self.fit(table)

    def _through(self, fit: Fit, table: pl.DataFrame, mine: Any) -> pl.DataFrame:
        if fit.table is None:
            return fit.step.apply(table)
        if mine is None:
            return fit.table
        rest = fit.step.apply(table.filter(pl.Series(~mine)))
        order = pl.concat([pl.Series(mine).arg_true(), pl.Series(~mine).arg_true()]).arg_sort()
        return pl.concat([fit.table, rest.select(fit.table.columns)])[order]

    def _log(self, fit: Fit, rows: int, seconds: float) -> dict[str, Any]:
        log: dict[str, Any] = {
            "learner": self.name or self.kind,
            "kind": self.kind,
            "params": plain(self._given()),
            "rows": rows,
            "reads": list(fit.step.reads),
            "writes": list(fit.step.writes),
            "seconds": seconds,
            "fitted": plain(fit.step.log_state) if not fit.steps else {},
            "notes": list(fit.notes),
            "libraries": library_versions(),
        }
        log |= plain(fit.extra)
        return log | {"steps": list(fit.steps)} if fit.steps else log

    def _given(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "name"}

    def __repr__(self) -> str:
        return shown(self, self.kind)


def names_of(place: str, what: str, given: Iterable[Any]) -> tuple[str, ...]:
    """Column names as a tuple; one name may be given alone.

    Raises:
        LearnerError: there is none, one is not text, or one is written twice.
    """
    names = (given,) if isinstance(given, str) else tuple(given)
    problems = [] if names else [Problem(place, f"{what} is empty", hint="name at least one column")]
    problems += [
        Problem(place, f"{what} holds {name!r}, which is no name")
        for name in names
        if not isinstance(name, str)
    ]
    problems += [
        Problem(place, f"column '{name}' is written twice in {what}")
        for name in sorted({name for name in names if names.count(name) > 1}, key=str)
    ]
    if problems:
        raise LearnerError(problems)
    return names


def settle(learner: Learner, **values: Any) -> None:
    """Set fields of a learner that is being made, from `__post_init__`."""
    for name, value in values.items():
        object.__setattr__(learner, name, value)
