"""Parts of a time, and time as a circle. Times are UTC; an offset moves them to a local clock."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from veredito.errors import LearnerError, Problem, did_you_mean
from veredito.learn.arrays import Want, array, column
from veredito.learn.block import Block, Kernel, Layout, Matrix
from veredito.learn.learner import Fit, Learner, names_of, settle
from veredito.learn.preview import Preview
from veredito.learn.step import Step

_DAY, _WEEK = 86_400.0, 604_800.0
_FIRST_MONDAY = 4 * _DAY  # the epoch was a Thursday


def _dates(seconds: Matrix, unit: str) -> Matrix:
    """Whole units since the epoch, of finite times within numpy's calendar."""
    known = np.abs(seconds) < 1e11
    whole = np.where(known, np.floor(seconds), 0.0).astype(np.int64).astype("datetime64[s]")
    return np.where(known, whole.astype(f"datetime64[{unit}]").astype(np.int64).astype(float), np.nan)


def _day_of_month(seconds: Matrix) -> Matrix:
    known = np.abs(seconds) < 1e11
    days = np.where(known, np.floor(seconds / _DAY), 0.0).astype(np.int64).astype("datetime64[D]")
    first = days.astype("datetime64[M]").astype("datetime64[D]")
    return np.where(known, (days - first).astype(np.int64) + 1.0, np.nan)


PARTS: dict[str, Callable[[Matrix], Matrix]] = {
    "year": lambda seconds: _dates(seconds, "Y") + 1970.0,
    "month": lambda seconds: np.mod(_dates(seconds, "M"), 12.0) + 1.0,
    "day": _day_of_month,
    "weekday": lambda seconds: np.floor(np.mod(seconds - _FIRST_MONDAY, _WEEK) / _DAY) + 1.0,
    "hour": lambda seconds: np.floor(np.mod(seconds, _DAY) / 3600.0),
    "minute": lambda seconds: np.floor(np.mod(seconds, 3600.0) / 60.0),
    "second": lambda seconds: np.floor(np.mod(seconds, 60.0)),
}
"""What can be had of a time. Monday is weekday 1, as in ISO 8601."""

PERIODS: dict[str, tuple[float, float]] = {
    "hour": (3600.0, 0.0),
    "day": (_DAY, 0.0),
    "week": (_WEEK, _FIRST_MONDAY),
    "year": (365.2425 * _DAY, 0.0),
}
"""What time can go around in: seconds, and when a turn begins."""


class _TimeStep(Step):
    """Seconds to several columns, all made by one function of seconds."""

    column: str
    offset_hours: float

    @property
    def needs(self) -> dict[str, Want]:
        """The time."""
        return {self.column: "timestamp"}

    def _made(self, seconds: Matrix) -> list[Matrix]:
        raise NotImplementedError

    def _local(self, seconds: Matrix) -> list[Matrix]:
        local = seconds + self.offset_hours * 3600.0
        local[np.isinf(local)] = np.nan
        return self._made(local)

    def bind(self, layout: Layout) -> Kernel:
        """The same function on the block's seconds."""
        source, targets = layout.number_at(self.column), [layout.number(name) for name in self.writes]
        made = self._local

        def kernel(block: Block) -> None:
            numbers = block.numbers
            for target, values in zip(targets, made(numbers[:, source]), strict=True):
                numbers[:, target] = values

        return kernel


class Calendar(_TimeStep, kind="calendar"):
    """Parts of a time, as whole numbers."""

    parts: tuple[str, ...]

    @property
    def writes(self) -> tuple[str, ...]:
        """One column a part."""
        return tuple(f"{self.column}_{part}" for part in self.parts)

    def _made(self, seconds: Matrix) -> list[Matrix]:
        return [PARTS[part](seconds) for part in self.parts]

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """One pass a part."""
        made = zip(self.writes, self._local(array(table[self.column])), strict=True)
        return table.with_columns(column(name, values).cast(pl.Int32) for name, values in made)


class CyclicTime(_TimeStep, kind="cyclic_time"):
    """Sine and cosine of where a time is in its day, week, …."""

    periods: tuple[str, ...]

    @property
    def writes(self) -> tuple[str, ...]:
        """Two columns a period."""
        return tuple(f"{self.column}_{period}_{wave}" for period in self.periods for wave in ("sin", "cos"))

    def _made(self, seconds: Matrix) -> list[Matrix]:
        angles = [
            np.mod(seconds - begin, length) * (2.0 * np.pi / length)
            for length, begin in (PERIODS[period] for period in self.periods)
        ]
        return [wave(angle) for angle in angles for wave in (np.sin, np.cos)]

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """One pass a wave."""
        made = zip(self.writes, self._local(array(table[self.column])), strict=True)
        return table.with_columns(column(name, values) for name, values in made)


class _TimeLearner(Learner):
    column: str
    _: dataclasses.KW_ONLY
    offset_hours: float = 0.0

    def check(self, preview: Preview) -> None:
        """The column must be a time."""
        preview.need([self.column], "timestamp")
        preview.make_new(self._step().writes)

    def _step(self) -> Step:
        raise NotImplementedError

    def fit(self, table: pl.DataFrame) -> Fit:  # noqa: ARG002 - nothing is learned
        """Nothing is learned."""
        return Fit(self._step())


class calendar(_TimeLearner):
    """Adds parts of a time: ``column_hour``, ``column_weekday``, ….

    Args:
        column: a timestamp; it is kept.
        parts: of year, month, day, weekday (Monday is 1), hour, minute and second.
        offset_hours: the local clock's distance from UTC, -3 for Brasília.

    Example:
        >>> import datetime as dt
        >>> table = pl.DataFrame({"at": [dt.datetime(2018, 4, 1, 13, 30)]})
        >>> calendar("at", parts=["weekday", "hour"])(table).table.row(0)[1:]
        (7, 13)
    """

    _: dataclasses.KW_ONLY
    parts: Sequence[str] = ("month", "day", "weekday", "hour")

    def __post_init__(self) -> None:
        settle(self, parts=_known(self.kind, "parts", self.parts, tuple(PARTS)))

    def _step(self) -> Step:
        return Calendar(self.column, self.offset_hours, tuple(self.parts))


class cyclic_time(_TimeLearner):
    """Adds sine and cosine of a time's place in its day, week, …, so that 23:59 is near 00:00.

    Args:
        column: a timestamp; it is kept.
        periods: of hour, day, week (from Monday) and year.
        offset_hours: the local clock's distance from UTC.

    Example:
        >>> import datetime as dt
        >>> table = pl.DataFrame({"at": [dt.datetime(2018, 4, 1, 6)]})
        >>> cyclic_time("at", periods="day")(table).table.columns
        ['at', 'at_day_sin', 'at_day_cos']
    """

    _: dataclasses.KW_ONLY
    periods: Sequence[str] = ("day", "week")

    def __post_init__(self) -> None:
        settle(self, periods=_known(self.kind, "periods", self.periods, tuple(PERIODS)))

    def _step(self) -> Step:
        return CyclicTime(self.column, self.offset_hours, tuple(self.periods))


def _known(place: str, what: str, given: Sequence[str], known: tuple[str, ...]) -> tuple[str, ...]:
    names = names_of(place, what, given)
    problems = [
        Problem(place, f"unknown name '{name}' in {what}", known, did_you_mean(name, known))
        for name in names
        if name not in known
    ]
    if problems:
        raise LearnerError(problems)
    return names
