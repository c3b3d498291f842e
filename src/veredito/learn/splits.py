"""Splits: which rows to train on, and which to test on.

A split is a function of a table that gives folds; it is frozen data, and never looks at the target unless it
is told to stratify by it. Whatever a split by time is called, training is never after the limit, and the test
is strictly after the limit and the gap: the gap is the time it takes until an outcome is known.

A limit is a date, a datetime, or either as ISO text. A date includes its whole day. Where a time column has
no time zone, neither has the limit; else a limit without one is UTC, and so are the calendar periods.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from abc import ABC, abstractmethod
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from veredito.errors import LearnerError, Problem, did_you_mean

from .moments import Micros, Moment, micros, moment, moment_problems, periods, shown

Rows: TypeAlias = NDArray[np.intp]

_NO_GAP = dt.timedelta()


@dataclasses.dataclass(frozen=True, eq=False)
class TestSet:
    """Rows to test on, ascending, and what they are called."""

    __test__ = False  # not a test, whatever a test runner thinks of the name

    name: str
    rows: Rows


@dataclasses.dataclass(frozen=True, eq=False)
class Fold:
    """Rows to train on, ascending, and one test set or more."""

    name: str
    train: Rows
    tests: tuple[TestSet, ...]


@dataclasses.dataclass(frozen=True)
class Split(ABC):
    """Folds of a table. A split of your own is a frozen dataclass with `columns` and `cut`."""

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The columns it looks at."""

    @abstractmethod
    def cut(self, table: pl.DataFrame) -> list[Fold]:
        """The folds of a table that has these columns."""

    def __call__(self, table: pl.DataFrame) -> list[Fold]:
        """The folds, in order.

        Raises:
            LearnerError: a column is not there, has missing values, or is of the wrong type.
        """
        problems = [
            _missing_column(self.place, name, table) for name in self.columns if name not in table.columns
        ]
        problems += [
            Problem(self.place, f"column '{name}' has missing values", hint="drop those rows, or fill them")
            for name in self.columns
            if name in table.columns and table[name].null_count()
        ]
        if problems:
            raise LearnerError(problems)
        return self.cut(table)

    @property
    def place(self) -> str:
        """What it is called in errors."""
        return type(self).__name__


@dataclasses.dataclass(frozen=True)
class _Limit:
    """The last microsecond to train on, the last before the test, and a name for the training rows."""

    last_us: int
    gap_us: int
    name: str


@dataclasses.dataclass(frozen=True)
class _ByTime(Split):
    """What splits at a limit share."""

    time: str
    limit: Moment
    _: dataclasses.KW_ONLY
    gap: dt.timedelta = _NO_GAP

    def __post_init__(self) -> None:
        if problems := self._problems():
            raise LearnerError(problems)

    def _problems(self) -> list[Problem]:
        """What is wrong with how it is configured."""
        problems = moment_problems(self.place, self.limit)
        if self.gap < _NO_GAP:
            problems.append(Problem(self.place, f"'gap' must not be negative, and is {self.gap}"))
        return problems

    @property
    def columns(self) -> tuple[str, ...]:
        """The time."""
        return (self.time,)

    def _edges(self) -> _Limit:
        _, last_us = moment(self.limit)
        return _Limit(last_us, last_us + micros(self.gap), f"until {shown(last_us)}")


@dataclasses.dataclass(frozen=True)
class _ByPeriod(_ByTime):
    """What splits that count in calendar periods share."""

    every: str = dataclasses.field(default="1mo", kw_only=True)

    def _problems(self) -> list[Problem]:
        try:
            next(periods(self.every, np.zeros(1, dtype=np.int64), 0))
        except pl.exceptions.PolarsError:
            hint = "write a number and a unit, such as 1mo, 2w or 36h"
            return [
                *super()._problems(),
                Problem(self.place, f"'every' is {self.every!r}, no period", hint=hint),
            ]
        return super()._problems()


@dataclasses.dataclass(frozen=True)
class out_of_time(_ByTime):
    """Train up to a limit, test on all that is later than the limit and the gap.

    Args:
        time: a column of dates or datetimes.
        limit: the last moment to train on.
        gap: how long after the limit the test begins.

    Example:
        >>> table = pl.DataFrame({"day": [dt.date(2018, 4, day) for day in (1, 2, 3, 4)]})
        >>> [fold] = out_of_time("day", "2018-04-02", gap=dt.timedelta(days=1))(table)
        >>> fold.train.tolist(), fold.tests[0].rows.tolist()
        ([0, 1], [3])
    """

    def cut(self, table: pl.DataFrame) -> list[Fold]:
        """The one fold."""
        times, limit = _times(self, table, self.time), self._edges()
        return [_fold(limit.name, times <= limit.last_us, ("later", times > limit.gap_us))]


@dataclasses.dataclass(frozen=True)
class out_of_time_and_space(_ByTime):
    """Train up to a limit on some ids, test later than the limit and the gap on the others.

    Args:
        time: a column of dates or datetimes.
        limit: the last moment to train on.
        gap: how long after the limit the test begins.
        space: a column of ids, such as the customer's; no id is on both sides of a fold.
        folds: into how many parts the ids are cut; each part is tested on once.
        seed: the same seed cuts the same ids alike.
    """

    _: dataclasses.KW_ONLY
    space: str
    folds: int = 5
    seed: int = 0

    def _problems(self) -> list[Problem]:
        return super()._problems() + _too_few(self.place, self.folds)

    @property
    def columns(self) -> tuple[str, ...]:
        """The time and the ids."""
        return (self.time, self.space)

    def cut(self, table: pl.DataFrame) -> list[Fold]:
        """A fold for each part of the ids."""
        times, limit = _times(self, table, self.time), self._edges()
        part = _parts_of_ids(table[self.space], self.folds, self.seed)
        return [
            _fold(
                f"without part {i}",
                (times <= limit.last_us) & (part != i),
                (f"part {i}", (times > limit.gap_us) & (part == i)),
            )
            for i in range(self.folds)
        ]


@dataclasses.dataclass(frozen=True)
class k_fold(Split):
    """Cut the rows into parts by chance; test on each after training on all others.

    Args:
        folds: how many parts.
        space: a column of ids to keep together.
        stratify: a column whose values every part shall have in like numbers, such as a target.
        seed: the same seed cuts the same table alike.

    Raises:
        LearnerError: fewer than two parts are wanted, or ids are to be kept together and stratified at once.

    Example:
        >>> folds = k_fold(3)(pl.DataFrame({"x": range(9)}))
        >>> sorted(row for fold in folds for row in fold.tests[0].rows.tolist()) == list(range(9))
        True
    """

    folds: int = 5
    _: dataclasses.KW_ONLY
    space: str | None = None
    stratify: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        problems = _too_few(self.place, self.folds)
        if self.space is not None and self.stratify is not None:
            what = "ids that are kept together cannot be stratified as well"
            problems.append(Problem(self.place, what, hint="give either 'space' or 'stratify'"))
        if problems:
            raise LearnerError(problems)

    @property
    def columns(self) -> tuple[str, ...]:
        """What is kept together or stratified, if anything."""
        return tuple(name for name in (self.space, self.stratify) if name is not None)

    def cut(self, table: pl.DataFrame) -> list[Fold]:
        """A fold for each part."""
        part = self._part(table)
        return [_fold(f"without part {i}", part != i, (f"part {i}", part == i)) for i in range(self.folds)]

    def _part(self, table: pl.DataFrame) -> Rows:
        if self.space is not None:
            return _parts_of_ids(table[self.space], self.folds, self.seed)
        order = np.random.default_rng(self.seed).permutation(table.height)
        if (
            self.stratify is not None
        ):  # a stable sort after shuffling: like values side by side, dealt in turn
            code = table[self.stratify].rank("dense").to_numpy()
            order = order[np.argsort(code[order], kind="stable")]
        part = np.empty(table.height, dtype=np.intp)
        part[order] = np.arange(table.height) % self.folds
        return part


@dataclasses.dataclass(frozen=True)
class time_learning_curve(_ByPeriod):
    """Does more history help? Train on ever more periods from the first on, always test on the same rows.

    A fold for every period that has ended by the limit, the first of them the period of the first row.

    Args:
        time: a column of dates or datetimes.
        limit: the last moment to train on.
        every: how long a period is, as Polars writes it: ``1mo``, ``1w``, ``3d``.
        gap: how long after the limit the test begins.
    """

    def cut(self, table: pl.DataFrame) -> list[Fold]:
        """One fold a period."""
        times, limit = _times(self, table, self.time), self._edges()
        early = times[times <= limit.last_us]
        later = ("later", times > limit.gap_us)
        ends = [end for _, end in periods(self.every, early, limit.last_us) if end - 1 <= limit.last_us]
        return [_fold(f"before {shown(end)}", times < end, later) for end in ends]


@dataclasses.dataclass(frozen=True)
class reverse_time_learning_curve(_ByPeriod):
    """Does old history help? Train on ever more periods back from the limit, always test on the same rows.

    A fold for every period from that of the last training row back to that of the first.

    Args:
        time: a column of dates or datetimes.
        limit: the last moment to train on.
        every: how long a period is, as Polars writes it: ``1mo``, ``1w``, ``3d``.
        gap: how long after the limit the test begins.
    """

    def cut(self, table: pl.DataFrame) -> list[Fold]:
        """One fold a period, the last first."""
        times, limit = _times(self, table, self.time), self._edges()
        early = times <= limit.last_us
        later = ("later", times > limit.gap_us)
        last_us = int(times[early].max()) if early.any() else 0
        starts = [start for start, _ in periods(self.every, times[early], last_us)]
        return [_fold(f"from {shown(start)}", early & (times >= start), later) for start in reversed(starts)]


@dataclasses.dataclass(frozen=True)
class stability_curve(_ByPeriod):
    """How does a model age? Train once, and test on every later period apart.

    Periods without a row are left out.

    Args:
        time: a column of dates or datetimes.
        limit: the last moment to train on.
        every: how long a period is, as Polars writes it: ``1mo``, ``1w``, ``3d``.
        gap: how long after the limit the test begins.
    """

    def cut(self, table: pl.DataFrame) -> list[Fold]:
        """One fold with a test set a period."""
        times, limit = _times(self, table, self.time), self._edges()
        late = times > limit.gap_us
        last_us = int(times[late].max()) if late.any() else 0
        within = (
            (start, late & (times >= start) & (times < end))
            for start, end in periods(self.every, times[late], last_us)
        )
        tests = [(shown(start), mask) for start, mask in within if mask.any()]
        return [_fold(limit.name, times <= limit.last_us, *tests)]


@dataclasses.dataclass(frozen=True)
class forward_stability(_ByTime):
    """Would it have worked all along? A training window of fixed length, and the test after it, move forward.

    Args:
        time: a column of dates or datetimes.
        limit: the last moment of the first training window.
        gap: how long after a training window its test begins.
        start: the first moment of the first training window.
        test_for: how long a test lasts.
        step: how far everything moves for the next fold; as long as a test lasts, if not given.

    Raises:
        LearnerError: a length is not positive, or the window ends before it starts.
    """

    _: dataclasses.KW_ONLY
    start: Moment
    test_for: dt.timedelta
    step: dt.timedelta | None = None

    def _problems(self) -> list[Problem]:
        problems = super()._problems() + moment_problems(self.place, self.start)
        if not problems and moment(self.start)[0] > moment(self.limit)[1]:
            problems.append(Problem(self.place, "'limit' is before 'start'", hint="exchange them"))
        return problems + [
            Problem(self.place, f"'{name}' must be longer than nothing, and is {value}")
            for name, value in (("test_for", self.test_for), ("step", self.step))
            if value is not None and value <= _NO_GAP
        ]

    def cut(self, table: pl.DataFrame) -> list[Fold]:
        """A fold for every position that begins its test by the last row."""
        times, limit = _times(self, table, self.time), self._edges()
        start_us, _ = moment(self.start)
        test_us, step_us = micros(self.test_for), micros(self.step or self.test_for)
        last_us = int(times.max()) if times.size else 0
        folds = []
        for moved in range(0, max(last_us - limit.gap_us, 0), step_us):
            begin, until, after = start_us + moved, limit.last_us + moved, limit.gap_us + moved
            train = (times >= begin) & (times <= until)
            test = (times > after) & (times <= after + test_us)
            folds.append(_fold(f"{shown(begin)} to {shown(until)}", train, (shown(after + 1), test)))
        return folds


def _times(split: Split, table: pl.DataFrame, name: str) -> Micros:
    column = table[name]
    if not isinstance(column.dtype, pl.Date | pl.Datetime):
        hint = f"parse it, for example with pl.col('{name}').str.to_datetime()"
        what = f"column '{name}' must be a date or a datetime, and is {column.dtype}"
        raise LearnerError(Problem(split.place, what, hint=hint))
    times: Micros = column.dt.epoch("us").to_numpy()
    return times


def _parts_of_ids(ids: pl.Series, parts: int, seed: int) -> Rows:
    """A part for each row, the same for rows of one id, whatever the order of the rows."""
    distinct = ids.unique().sort()
    part = np.random.default_rng(seed).permutation(distinct.len()) % parts
    rows: Rows = part[ids.rank("dense").to_numpy() - 1].astype(np.intp)
    return rows


def _fold(name: str, train: NDArray[np.bool_], *tests: tuple[str, NDArray[np.bool_]]) -> Fold:
    return Fold(
        name, np.flatnonzero(train), tuple(TestSet(test, np.flatnonzero(mask)) for test, mask in tests)
    )


def _missing_column(place: str, name: str, table: pl.DataFrame) -> Problem:
    return Problem(
        place, f"column '{name}' is missing", tuple(table.columns), did_you_mean(name, table.columns)
    )


def _too_few(place: str, folds: int) -> list[Problem]:
    return [] if folds >= 2 else [Problem(place, f"'folds' must be 2 or more, and is {folds}")]
