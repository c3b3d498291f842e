"""Numbers moved and stretched to a common scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from veredito.errors import LearnerError, Problem
from veredito.learn.arrays import Want
from veredito.learn.block import Kernel, Layout, Matrix
from veredito.learn.kernels import changing
from veredito.learn.learner import Fit, Learner, names_of, settle
from veredito.learn.preview import Preview
from veredito.learn.step import Step, fitted


class Scaled(Step, kind="scaled"):
    """Columns as ``(x - shift) * factor``.

    A factor, not a divisor: Polars divides by a constant with a multiplication, and both forms must agree.
    """

    columns: tuple[str, ...]
    shift: Matrix = fitted()
    factor: Matrix = fitted()

    @property
    def needs(self) -> dict[str, Want]:
        """The columns, as numbers."""
        return dict.fromkeys(self.columns, "number")

    @property
    def writes(self) -> tuple[str, ...]:
        """The same columns."""
        return self.columns

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """All columns in one go."""
        return table.with_columns(
            ((pl.col(name).cast(pl.Float64) - shift) * factor).fill_nan(None)
            for name, shift, factor in zip(
                self.columns, self.shift.tolist(), self.factor.tolist(), strict=True
            )
        )

    def bind(self, layout: Layout) -> Kernel:
        """One subtraction and one product over all columns."""
        shift, factor = self.shift, self.factor

        def scale(numbers: Matrix) -> None:
            np.subtract(numbers, shift, out=numbers)
            np.multiply(numbers, factor, out=numbers)

        return changing(layout, self.columns, scale)


class _Scaler(Learner):
    columns: Sequence[str]

    def __post_init__(self) -> None:
        settle(self, columns=names_of(self.kind, "columns", self.columns))

    def check(self, preview: Preview) -> None:
        """The columns must be numbers, and have values."""
        preview.need(self.columns, "number", values=True, times=False)
        preview.make(self.columns)

    def _scaled(self, table: pl.DataFrame, shift: str, width: Sequence[str]) -> Fit:
        """Finite values give the shift and the width, a statistic or the difference of two."""
        finite = {name: pl.col(name).cast(pl.Float64) for name in self.columns}
        known = {name: values.filter(values.is_finite()) for name, values in finite.items()}
        row = table.select(
            expression.alias(f"{name}\0{which}")
            for name, values in known.items()
            for which, expression in {
                "mean": values.mean(),
                "min": values.min(),
                "max": values.max(),
                "std": values.std(ddof=0),
            }.items()
            if which in {shift, *width}
        ).row(0, named=True)
        empty = [name for name in self.columns if row[f"{name}\0{shift}"] is None]
        if empty:
            raise LearnerError([Problem(self.kind, f"column '{name}' has no value at all") for name in empty])
        shifts = np.array([row[f"{name}\0{shift}"] for name in self.columns], dtype=float)
        first, *second = (
            np.array([row[f"{name}\0{part}"] for name in self.columns], dtype=float) for part in width
        )
        widths = first - second[0] if second else first
        notes = tuple(
            f"column '{n}' is constant: it is moved, and not stretched"
            for n, w in zip(self.columns, widths, strict=True)
            if w == 0
        )
        return Fit(Scaled(tuple(self.columns), shifts, 1.0 / np.where(widths == 0, 1.0, widths)), notes)


class standard_scaler(_Scaler):
    """Moves columns to mean 0 and stretches them to standard deviation 1 (of the population).

    Args:
        columns: numeric columns, changed in place. Infinite values do not count; a constant is only moved.

    Example:
        >>> standard_scaler(["x"])(pl.DataFrame({"x": [1, 3]})).table["x"].to_list()
        [-1.0, 1.0]
    """

    def fit(self, table: pl.DataFrame) -> Fit:
        """Learn mean and deviation."""
        return self._scaled(table, "mean", ["std"])


class min_max_scaler(_Scaler):
    """Moves and stretches columns so that training values are from 0 to 1.

    Args:
        columns: numeric columns, changed in place. Infinite values do not count; a constant is only moved.

    Example:
        >>> min_max_scaler(["x"])(pl.DataFrame({"x": [1, 2, 3]})).table["x"].to_list()
        [0.0, 0.5, 1.0]
    """

    def fit(self, table: pl.DataFrame) -> Fit:
        """Learn the smallest and the largest value."""
        return self._scaled(table, "min", ["max", "min"])
