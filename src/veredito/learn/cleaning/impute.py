"""Values for what is missing, and flags that say that it was."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import polars as pl

from veredito.errors import LearnerError, Problem, did_you_mean
from veredito.learn.arrays import Want, is_whole, want_of
from veredito.learn.block import Block, Kernel, Layout, Matrix
from veredito.learn.kernels import changing, in_order, nothing, over
from veredito.learn.learner import Fit, Learner, names_of, settle
from veredito.learn.preview import Preview
from veredito.learn.step import Step, fitted

Strategy = Literal["mean", "median", "most_frequent", "constant"]


class Imputer(Step, kind="imputer"):
    """Columns with a value where there was none. `whole` keeps integer columns integer."""

    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    whole: bool
    fills: Matrix = fitted()
    text_fills: tuple[str, ...] = fitted()

    @property
    def needs(self) -> dict[str, Want]:
        """The columns, as what they were in training."""
        numbers: dict[str, Want] = dict.fromkeys(self.numbers, "number")
        return numbers | dict.fromkeys(self.texts, "text")

    @property
    def writes(self) -> tuple[str, ...]:
        """The same columns."""
        return (*self.numbers, *self.texts)

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """All columns in one go."""
        schema = table.schema
        numbers = zip(self.numbers, self.fills.tolist(), strict=True)
        return table.with_columns(
            *(self._filled(name, schema[name], fill) for name, fill in numbers),
            *(pl.col(name).fill_null(fill) for name, fill in zip(self.texts, self.text_fills, strict=True)),
        )

    def _filled(self, name: str, dtype: pl.DataType, fill: float) -> pl.Expr:
        if not self.whole or not fill.is_integer() or not (is_whole(dtype) or dtype == pl.Boolean):
            return pl.col(name).cast(pl.Float64).fill_null(fill)
        if dtype == pl.Boolean and fill in {0.0, 1.0}:
            return pl.col(name).fill_null(bool(fill))
        return pl.col(name).cast(pl.Int64).fill_null(int(fill))

    def bind(self, layout: Layout) -> Kernel:
        """One `np.copyto` over the numbers, one look at each text."""
        fills = self.fills
        kernels = []
        if self.numbers:
            kernels.append(changing(layout, self.numbers, lambda x: np.copyto(x, fills, where=np.isnan(x))))
        texts = zip(self.texts, self.text_fills, strict=True)
        kernels += [_fill_text(layout.text_at(name), layout.text(name), fill) for name, fill in texts]
        return in_order(kernels) if kernels else nothing


def _fill_text(source: int, target: int, fill: str) -> Kernel:
    def kernel(block: Block) -> None:
        block.texts[target] = [fill if value is None else value for value in block.texts[source]]

    return kernel


class imputer(Learner):
    """Fills what is missing with the mean, the median, the most frequent value, or a constant.

    Args:
        columns: columns to fill in place. Text columns can have a constant or the most frequent value.
        strategy: ``mean``, ``median``, ``most_frequent`` (the smallest of equally frequent ones) or
            ``constant``. Infinite values do not count.
        value: the constant. Integer columns stay integer where it is whole.
        placeholder: what to fill columns with that have no value in training; without it they are an error.

    Example:
        >>> step, table, log = imputer(["x"])(pl.DataFrame({"x": [50, 100, None]}))
        >>> table["x"].to_list(), log["fitted"]["fills"]
        ([50.0, 100.0, 75.0], [75.0])
    """

    columns: Sequence[str]
    _: dataclasses.KW_ONLY
    strategy: Strategy = "mean"
    value: float | str | None = None
    placeholder: float | str | None = None

    def __post_init__(self) -> None:
        settle(self, columns=names_of(self.kind, "columns", self.columns))
        strategies = get_args(Strategy)
        if self.strategy not in strategies:
            hint = did_you_mean(str(self.strategy), strategies)
            raise LearnerError(Problem(self.kind, f"unknown strategy '{self.strategy}'", strategies, hint))
        if (self.strategy == "constant") != (self.value is not None):
            raise LearnerError(
                Problem(self.kind, "'value' goes with strategy 'constant', and is needed there")
            )
        if isinstance(self.value, float) and not np.isfinite(self.value):
            raise LearnerError(
                Problem(self.kind, f"cannot fill with {self.value}", hint="give a finite value")
            )

    def check(self, preview: Preview) -> None:
        """The columns must be there, have values, and be of a kind that the strategy can fill."""
        values = self.strategy != "constant" and self.placeholder is None
        for name in self.columns:
            kind = preview.columns.get(name)
            text = kind == "text" or (kind == "any" and isinstance(self.value or self.placeholder, str))
            preview.need([name], "text" if text else "number", values=values, times=False)
            if kind == "text" and self.strategy in {"mean", "median"}:
                hint = "use 'most_frequent' or 'constant'"
                preview.wrong(f"column '{name}' is text, and has no {self.strategy}", hint=hint)
            if kind in {"number", "text"} and self.strategy == "constant":
                self._check_value(preview, name, kind)

    def _check_value(self, preview: Preview, name: str, kind: str) -> None:
        if isinstance(self.value, str) != (kind == "text"):
            hint = "use one imputer for text and one for numbers"
            preview.wrong(f"column '{name}' is {kind}, and cannot be filled with {self.value!r}", hint=hint)

    def fit(self, table: pl.DataFrame) -> Fit:
        """Learn one value a column."""
        schema = table.schema
        texts = tuple(name for name in self.columns if want_of(schema[name]) == "text")
        numbers = tuple(name for name in self.columns if name not in texts)
        fills = {name: self._fill(table[name], text=name in texts) for name in self.columns}
        whole = self.strategy in {"constant", "most_frequent"}
        filled = np.array([fills[name] for name in numbers], dtype=float)
        return Fit(Imputer(numbers, texts, whole, filled, tuple(str(fills[name]) for name in texts)))

    def _fill(self, series: pl.Series, *, text: bool) -> float | str:
        if self.value is not None:
            return self.value
        known = series.drop_nulls() if text else series.cast(pl.Float64).drop_nulls()
        if not text:
            known = known.filter(known.is_finite())
        if known.is_empty() and self.placeholder is None:
            what = f"column '{series.name}' has no value at all"
            raise LearnerError(
                Problem(self.kind, what, hint=f"give a placeholder, or leave '{series.name}' out")
            )
        if known.is_empty():
            return self.placeholder  # type: ignore[return-value]
        if self.strategy == "most_frequent":
            return known.mode().sort()[0]  # type: ignore[no-any-return]
        return known.mean() if self.strategy == "mean" else known.median()  # type: ignore[return-value]


class MissingFlags(Step, kind="missing_flags"):
    """One column a column read: 1 where it is missing, else 0."""

    columns: tuple[str, ...]
    texts: tuple[str, ...]
    suffix: str

    @property
    def needs(self) -> dict[str, Want]:
        """The columns, as what they were in training."""
        return {name: "text" if name in self.texts else "number" for name in self.columns}

    @property
    def writes(self) -> tuple[str, ...]:
        """One flag a column."""
        return tuple(name + self.suffix for name in self.columns)

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """All flags in one go."""
        return table.with_columns(
            pl.col(name).is_null().cast(pl.Int8).alias(name + self.suffix) for name in self.columns
        )

    def bind(self, layout: Layout) -> Kernel:
        """One `np.isnan` over the numbers, one look at each text."""
        numbers = [name for name in self.columns if name not in self.texts]
        flags = [name + self.suffix for name in numbers]
        kernels = [over(layout, numbers, flags, lambda x: np.isnan(x).astype(float))] if numbers else []
        kernels += [
            _flag_text(layout.text_at(name), layout.number(name + self.suffix)) for name in self.texts
        ]
        return in_order(kernels)


def _flag_text(source: int, target: int) -> Kernel:
    def kernel(block: Block) -> None:
        block.numbers[:, target] = [value is None for value in block.texts[source]]

    return kernel


class missing_flags(Learner):
    """Adds a column that says where another is missing.

    Args:
        columns: columns of any kind; they are not changed.
        suffix: what a flag's name has after the column's.

    Example:
        >>> missing_flags(["x"])(pl.DataFrame({"x": [1.0, None]})).table["x_missing"].to_list()
        [0, 1]
    """

    columns: Sequence[str]
    _: dataclasses.KW_ONLY
    suffix: str = "_missing"

    def __post_init__(self) -> None:
        settle(self, columns=names_of(self.kind, "columns", self.columns))

    def check(self, preview: Preview) -> None:
        """The columns must be there, and the flags' names free."""
        for name in self.columns:
            preview.need([name], "text" if preview.columns.get(name) == "text" else "number")
        preview.make_new([name + self.suffix for name in self.columns])

    def fit(self, table: pl.DataFrame) -> Fit:
        """Nothing is learned but what is text."""
        texts = tuple(name for name in self.columns if want_of(table.schema[name]) == "text")
        return Fit(MissingFlags(tuple(self.columns), texts, self.suffix))
