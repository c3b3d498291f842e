"""Several models as one: a mean of their predictions, or a learner on top of them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from veredito.errors import LearnerError, Problem
from veredito.learn.arrays import Want, column, matrix
from veredito.learn.block import Kernel, Layout, Matrix
from veredito.learn.composite import Several, train_at
from veredito.learn.composition.side_by_side import side_by_side
from veredito.learn.held_out import HeldOut, Split
from veredito.learn.kernels import over
from veredito.learn.learner import Fit, Fitted, Learner, names_of, settle
from veredito.learn.pipeline import Pipeline
from veredito.learn.preview import Preview
from veredito.learn.step import Step


class Blend(Step, kind="blend"):
    """A weighted mean of columns; the weights sum to 1."""

    predictions: tuple[str, ...]
    weights: tuple[float, ...]
    into: str

    @property
    def needs(self) -> dict[str, Want]:
        """The predictions."""
        return dict.fromkeys(self.predictions, "number")

    @property
    def writes(self) -> tuple[str, ...]:
        """Their mean."""
        return (self.into,)

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """One product and one sum a column, in their order."""
        return table.with_columns(column(self.into, self._mean(matrix(table, self.predictions))))

    def bind(self, layout: Layout) -> Kernel:
        """The same on the block."""
        return over(layout, self.predictions, [self.into], lambda rows: self._mean(rows)[:, None])

    def _mean(self, rows: Matrix) -> Matrix:
        out = np.zeros(len(rows))
        with np.errstate(
            invalid="ignore", over="ignore"
        ):  # two infinities have no mean: the result is missing
            for i, weight in enumerate(self.weights):
                out += rows[:, i] * weight
        return out


class blend(Learner):
    """The weighted mean of several predictions. Where one of them is missing, so is the mean.

    Args:
        predictions: the predictions' columns.
        weights: one weight a column, above 0; all alike if not given.
        into: the mean's column.

    Example:
        >>> table = pl.DataFrame({"a": [0.0, 1.0, None], "b": [1.0, 1.0, 0.5]})
        >>> blend(["a", "b"], weights=[3, 1])(table).table["prediction"].to_list()
        [0.25, 1.0, None]
    """

    predictions: Sequence[str]
    _: dataclasses.KW_ONLY
    weights: Sequence[float] | None = None
    into: str = "prediction"

    def __post_init__(self) -> None:
        names = names_of(self.kind, "predictions", self.predictions)
        weights = tuple(float(weight) for weight in (self.weights or ()))
        if weights and len(weights) != len(names):
            what = f"{len(names)} predictions have {len(weights)} weights"
            raise LearnerError(Problem(self.kind, what, hint="give one weight a prediction"))
        if not all(0 < weight < np.inf for weight in weights):
            raise LearnerError(Problem(self.kind, f"weights must be above 0, and are {weights}"))
        settle(self, predictions=names, weights=weights or None)

    def check(self, preview: Preview) -> None:
        """The predictions must be there."""
        preview.need(self.predictions, "number")
        preview.make([self.into])

    def fit(self, table: pl.DataFrame) -> Fit:  # noqa: ARG002 - there is nothing to learn
        """Nothing is learned from the table."""
        weights = self.weights or (1.0,) * len(self.predictions)
        total = sum(weights)
        shares = tuple(weight / total for weight in weights)
        return Fit(Blend(tuple(self.predictions), shares, self.into))


class stack(Several, init=False):
    """A learner on top of others, fitted on what they say of rows that they have not seen.

    Every learner is fitted once a fold, without the fold's rows, and answers those; on these answers `meta` is
    fitted. Then every learner is fitted again on all its rows, to serve. The training table holds the answers
    that `meta` was fitted on.

    Args:
        learners: the learners below, each writing columns of its own.
        meta: the learner on top; it reads what they write, and other columns as it likes.
        folds: in how many parts the rows are answered.
        seed: decides which row is in which fold.
        name: what it is called in a pipeline and in the log.

    Raises:
        LearnerError: there are no learners, one is no learner, or there are fewer than two folds.

    Example:
        >>> from veredito import learn
        >>> below = [learn.linear_regression([name], target="y", into=f"by_{name}") for name in ("a", "b")]
        >>> both = stack(*below, meta=learn.linear_regression(["by_a", "by_b"], target="y"))
        >>> table = pl.DataFrame({"a": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "b": [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]})
        >>> both(table.with_columns(y=pl.col("a") + pl.col("b"))).step.writes
        ('by_a', 'by_b', 'prediction')
    """

    _: dataclasses.KW_ONLY
    meta: Learner
    folds: int = 5
    seed: int = 0

    def __init__(
        self,
        *learners: Learner,
        meta: Learner,
        folds: int = 5,
        seed: int = 0,
        name: str = "",
        on: HeldOut | None = None,
    ) -> None:
        super().__init__(*learners, name=name, on=on)
        settle(self, meta=meta, folds=folds, seed=seed)
        given: Any = meta
        if not isinstance(given, Learner):
            raise LearnerError(Problem(self.kind, f"meta is {meta!r}, which is no learner"))
        if folds < 2:
            raise LearnerError(Problem(self.kind, f"folds must be 2 or more, and is {folds}"))

    @property
    def inner(self) -> tuple[Learner, ...]:
        """The learners below and the one on top."""
        return (*self.learners, self.meta)

    @property
    def _below(self) -> side_by_side:
        return side_by_side(*self.learners)

    def check(self, preview: Preview) -> None:
        """The learners below on the same columns, then the one on top on what they make."""
        self._below.check(preview)
        with preview.at(f"{preview.place}.meta"):
            self.meta.check(preview)

    def train(self, table: pl.DataFrame, split: Split) -> Fitted:
        """Answer fold by fold, fit the learner on top, and fit those below on all their rows."""
        began = time.perf_counter()
        below = train_at(self._below, self.kind, table, split)
        answered = self._answered(table, split, below.step)
        above = train_at(self.meta, f"{self.kind}.meta", answered, split)
        step = Pipeline(("learners", "meta"), (below.step, above.step))
        logs = [below.log | {"learner": "learners"}, above.log | {"learner": "meta"}]
        return self.fitted(step, above.table, logs, split, began)

    def _answered(self, table: pl.DataFrame, split: Split, whole: Step) -> pl.DataFrame:
        """The table, with what learners that have not seen a row say of it."""
        if table.height < self.folds:
            raise LearnerError(Problem(self.kind, f"{table.height} rows are fewer than {self.folds} folds"))
        fold = np.random.default_rng(self.seed).permutation(table.height) % self.folds
        parts, rows = [], []
        for number in range(self.folds):
            inside = fold == number
            others = table.filter(pl.Series(~inside))
            step = train_at(self._below, f"{self.kind}, fold {number}", others, split.take(~inside)).step
            if set(step.writes) != set(whole.writes):
                what = f"fold {number} makes other columns than all rows do: a class is in one fold only"
                raise LearnerError(Problem(self.kind, what, hint="use fewer folds, or drop the rare class"))
            parts.append(step.apply(table.filter(pl.Series(inside))))
            rows.append(np.flatnonzero(inside))
        order = np.argsort(np.concatenate(rows))
        return pl.concat([part.select(parts[0].columns) for part in parts])[order]

    def _given(self) -> dict[str, Any]:
        return super()._given() | {"meta": self.meta, "folds": self.folds, "seed": self.seed}

    def __repr__(self) -> str:
        below = "".join(f"\n    {learner!r},".replace("\n", "\n    ") for learner in self.learners)
        return f"stack({below}\n    meta={self.meta!r}, folds={self.folds}, seed={self.seed}\n)"
