"""Bounds: cap above, floor below, clip to a range."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import polars as pl

from veredito.errors import LearnerError, Problem, did_you_mean
from veredito.learn.arrays import Want, is_whole
from veredito.learn.block import Kernel, Layout, Matrix
from veredito.learn.kernels import changing
from veredito.learn.learner import Fit, Learner, names_of, settle
from veredito.learn.preview import Preview
from veredito.learn.step import Step, fitted


class Bounds(Step, kind="bounds"):
    """Columns held between bounds; missing stays missing, and an infinite bound is none."""

    columns: tuple[str, ...]
    low: Matrix = fitted()
    high: Matrix = fitted()

    @property
    def needs(self) -> dict[str, Want]:
        """The columns, as numbers."""
        return dict.fromkeys(self.columns, "number")

    @property
    def writes(self) -> tuple[str, ...]:
        """The same columns."""
        return self.columns

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """All columns in one go; integers stay integers where the bounds are whole."""
        schema = table.schema
        return table.with_columns(
            _bounded(name, schema[name], low, high)
            for name, low, high in zip(self.columns, self.low.tolist(), self.high.tolist(), strict=True)
        )

    def bind(self, layout: Layout) -> Kernel:
        """One `np.minimum`, `np.maximum` or both over all columns."""
        low, high = self.low, self.high
        if np.isneginf(low).all():
            return changing(layout, self.columns, lambda x: np.minimum(x, high, out=x))
        if np.isposinf(high).all():
            return changing(layout, self.columns, lambda x: np.maximum(x, low, out=x))
        return changing(layout, self.columns, lambda x: np.minimum(np.maximum(x, low, out=x), high, out=x))


def _bounded(name: str, dtype: pl.DataType, low: float, high: float) -> pl.Expr:
    finite = [bound for bound in (low, high) if np.isfinite(bound)]
    expression = pl.col(name)
    if not is_whole(dtype) or not all(bound.is_integer() for bound in finite):
        expression = expression.cast(pl.Float64)
    elif dtype != pl.Int64:
        expression = expression.cast(pl.Int64)
    return expression.clip(None if np.isneginf(low) else low, None if np.isposinf(high) else high)


class _Fitted(Learner):
    """What capper and floorer share: bounds that are given, or learned from the training table."""

    columns: Sequence[str]
    _: dataclasses.KW_ONLY
    bounds: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        columns = names_of(self.kind, "columns", self.columns)
        unknown = [name for name in self.bounds if name not in columns]
        if unknown:
            raise LearnerError(
                [
                    Problem(
                        self.kind,
                        f"'{name}' has a bound, and is no column of it",
                        columns,
                        did_you_mean(name, columns),
                    )
                    for name in unknown
                ]
            )
        settle(self, columns=columns, bounds=dict(self.bounds))

    def check(self, preview: Preview) -> None:
        """The columns must be numbers, and have values where the bound is to be learned."""
        preview.need(self.bounds, "number", times=False)
        learned = [name for name in self.columns if name not in self.bounds]
        preview.need(learned, "number", values=True, times=False)
        preview.make(self.columns)

    def _learned(self, table: pl.DataFrame, which: Literal["min", "max"]) -> Matrix:
        finite = (
            pl.col(name).cast(pl.Float64).filter(pl.col(name).cast(pl.Float64).is_finite())
            for name in self.columns
        )
        learned = table.select(getattr(values, which)() for values in finite).row(0, named=True)
        empty = [name for name, value in learned.items() if value is None and name not in self.bounds]
        if empty:
            raise LearnerError([Problem(self.kind, f"column '{name}' has no value at all") for name in empty])
        return np.array([self.bounds.get(name, learned[name]) for name in self.columns], dtype=float)


class capper(_Fitted):
    """Holds columns at or below a cap: the largest finite value in training, or the one given.

    Args:
        columns: numeric columns, changed in place.
        bounds: caps that are known, by column; the others are learned.

    Example:
        >>> step, table, log = capper(["x"])(pl.DataFrame({"x": [7, 50]}))
        >>> step(pl.DataFrame({"x": [7, 99, None]}))["x"].to_list()
        [7, 50, None]
    """

    def fit(self, table: pl.DataFrame) -> Fit:
        """Learn the caps that are not given."""
        high = self._learned(table, "max")
        return Fit(Bounds(tuple(self.columns), np.full(high.shape, -np.inf), high))


class floorer(_Fitted):
    """Holds columns at or above a floor: the smallest finite value in training, or the one given.

    Args:
        columns: numeric columns, changed in place.
        bounds: floors that are known, by column; the others are learned.

    Example:
        >>> step, table, log = floorer(["x"], bounds={"x": 11})(pl.DataFrame({"x": [7, 50]}))
        >>> table["x"].to_list()
        [11, 50]
    """

    def fit(self, table: pl.DataFrame) -> Fit:
        """Learn the floors that are not given."""
        low = self._learned(table, "min")
        return Fit(Bounds(tuple(self.columns), low, np.full(low.shape, np.inf)))


class clip(Learner):
    """Holds columns between two given bounds.

    Args:
        columns: numeric columns, changed in place.
        low: the lower bound; none if not given.
        high: the upper bound; none if not given.

    Example:
        >>> clip(["x"], low=150, high=250)(pl.DataFrame({"x": [100, 200, 300, None]})).table["x"].to_list()
        [150, 200, 250, None]
    """

    columns: Sequence[str]
    _: dataclasses.KW_ONLY
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        settle(self, columns=names_of(self.kind, "columns", self.columns))
        if self.low is None and self.high is None:
            raise LearnerError(Problem(self.kind, "has no bound", hint="give low, high, or both"))
        if self.low is not None and self.high is not None and self.low > self.high:
            raise LearnerError(Problem(self.kind, f"low {self.low} is above high {self.high}"))

    def check(self, preview: Preview) -> None:
        """The columns must be numbers."""
        preview.need(self.columns, "number", times=False)
        preview.make(self.columns)

    def fit(self, table: pl.DataFrame) -> Fit:  # noqa: ARG002 - nothing is learned
        """Nothing is learned."""
        shape = len(self.columns)
        low = np.full(shape, -np.inf if self.low is None else float(self.low))
        return Fit(
            Bounds(
                tuple(self.columns), low, np.full(shape, np.inf if self.high is None else float(self.high))
            )
        )
