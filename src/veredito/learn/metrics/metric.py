"""What a metric is."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import polars as pl

from veredito.errors import LearnerError, Problem, did_you_mean
from veredito.learn.arrays import array
from veredito.learn.block import Matrix
from veredito.learn.held_out import shown


class Measure(NamedTuple):
    """A number, or none and the reason."""

    value: float | None
    note: str = ""


@dataclasses.dataclass(frozen=True, repr=False)
class Metric(ABC):
    """A number that says how good predictions are.

    Args:
        target: the column of outcomes.
        prediction: the column of predictions.
        weight: a column of weights, if rows do not count alike.
    """

    target: str
    _: dataclasses.KW_ONLY
    prediction: str = "prediction"
    weight: str | None = None

    @property
    def name(self) -> str:
        """What it is called in a report."""
        return type(self).__name__

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it reads, none of which may be missing a value."""
        return (self.target, self.prediction, *([self.weight] if self.weight else []))

    @abstractmethod
    def compute(self, table: pl.DataFrame) -> Measure:
        """The measure of a table of at least one row, whose columns are whole."""

    def measure(self, table: pl.DataFrame) -> Measure:
        """The number, or why there is none.

        Raises:
            LearnerError: a column is not there, or has a missing value (null or NaN).
        """
        if problems := column_problems(self.name, self.columns, table):
            raise LearnerError(problems)
        if table.is_empty():
            return Measure(None, "undefined: no rows")
        return self.compute(table)

    def __call__(self, table: pl.DataFrame) -> float | None:
        """The number, or none where it has no meaning. Raises as `measure` does."""
        return self.measure(table).value

    def __repr__(self) -> str:
        return shown(self, type(self).__name__)


@dataclasses.dataclass(frozen=True, repr=False)
class Function(Metric):
    """A function of a table as a metric; it looks after its columns itself."""

    target: str = ""
    _: dataclasses.KW_ONLY
    function: Callable[[pl.DataFrame], float | None]

    @property
    def name(self) -> str:
        """The function's name."""
        return getattr(self.function, "__name__", repr(self.function))

    @property
    def columns(self) -> tuple[str, ...]:
        """Known to the function alone."""
        return ()

    def compute(self, table: pl.DataFrame) -> Measure:
        """What the function gives; none and NaN are undefined."""
        value = self.function(table)
        if value is None or np.isnan(value):
            return Measure(None, f"undefined: says {self.name}")
        return Measure(float(value))


def weights(table: pl.DataFrame, name: str | None) -> Matrix:
    """What each row counts, shape (rows,); 1 without a column."""
    return np.ones(table.height) if name is None else array(table[name])


def ratio(part: float, whole: float, why_not: str) -> Measure:
    """A part of a whole, undefined where the whole is nothing."""
    return Measure(float(part / whole)) if whole else Measure(None, f"undefined: {why_not}")


def positive(place: str, name: str, value: int) -> None:
    """Refuse a count of less than one."""
    if value < 1:
        raise LearnerError(Problem(place, f"'{name}' must be 1 or more, and is {value}"))


def column_problems(place: str, names: tuple[str, ...], table: pl.DataFrame) -> list[Problem]:
    """What is wrong with columns that must be there, and whole."""
    problems = []
    for name in names:
        if name not in table.columns:
            hint = did_you_mean(name, table.columns)
            problems.append(Problem(place, f"column '{name}' is missing", tuple(table.columns), hint))
        elif missing := _missing(table[name]):
            hint = "find out which rows those are; a metric that skips them would flatter"
            problems.append(Problem(place, f"column '{name}' is missing or NaN in {missing} rows", hint=hint))
    return problems


def _missing(column: pl.Series) -> int:
    return column.null_count() + (int(column.is_nan().sum()) if column.dtype.is_float() else 0)
