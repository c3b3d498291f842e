"""The rank of a score among the training scores: the empirical distribution, whole or rounded.

The table of ranks is exact: the rank of a score is ``count of training scores at or below it * scale / n``,
computed once, so no rank is 299.9999. A missing score has no rank.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from typing import Literal

import numpy as np
import polars as pl

from veredito.errors import LearnerError, Problem
from veredito.learn.arrays import Want, array, column
from veredito.learn.block import Block, Kernel, Layout, Matrix
from veredito.learn.learner import Fit, Learner
from veredito.learn.preview import Preview
from veredito.learn.step import Step, fitted


class Ecdf(Step, kind="ecdf"):
    """Ranks by a sorted table: `ranks[i]` for a score at or above `scores[i - 1]` and below `scores[i]`."""

    prediction: str
    into: str
    scores: Matrix = fitted()
    ranks: Matrix = fitted()

    @property
    def needs(self) -> dict[str, Want]:
        """The score."""
        return {self.prediction: "number"}

    @property
    def writes(self) -> tuple[str, ...]:
        """The rank."""
        return (self.into,)

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """One binary search a row."""
        ranks, ends = self._table()
        found = ranks[ends.searchsorted(array(table[self.prediction]), side="right")]
        return table.with_columns(column(self.into, found))

    def bind(self, layout: Layout) -> Kernel:
        """The same search in the same table; by `bisect` for one row, which is the faster there."""
        source, target = layout.number_at(self.prediction), layout.number(self.into)
        ranks, ends = self._table()
        scores, ranks_listed = self.scores.tolist(), ranks.tolist()

        def kernel(block: Block) -> None:
            numbers = block.numbers
            if numbers.shape[0] != 1:
                numbers[:, target] = ranks[ends.searchsorted(numbers[:, source], side="right")]
                return
            score = numbers.item(0, source)
            numbers[0, target] = ranks_listed[bisect_right(scores, score)] if score == score else np.nan  # noqa: PLR0124 - NaN

        return kernel

    def _table(self) -> tuple[Matrix, Matrix]:
        """The table with one more place at the end, where NaN sorts to, for the rank that it has not."""
        return np.append(self.ranks, np.nan), np.append(self.scores, np.nan)


class ecdf(Learner):
    """The rank of a score: which share of the training scores it reaches, times `scale`.

    Args:
        prediction: the score's column.
        into: the rank's column.
        scale: the rank of the highest training score, and of all above it.
        descending: rank low scores high instead.

    Example:
        >>> step, table, log = ecdf(scale=100)(pl.DataFrame({"prediction": [0.1, 0.3, 0.5, 0.7]}))
        >>> step(pl.DataFrame({"prediction": [0.0, 0.3, 0.9, None]}))["prediction_ecdf"].to_list()
        [0.0, 50.0, 100.0, None]
    """

    _: dataclasses.KW_ONLY
    prediction: str = "prediction"
    into: str = "prediction_ecdf"
    scale: float = 1000
    descending: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.scale < np.inf:
            raise LearnerError(Problem(self.kind, f"scale must be above 0, and is {self.scale}"))

    def check(self, preview: Preview) -> None:
        """The score must be there."""
        preview.need([self.prediction], "number", values=True)
        preview.make([self.into])

    def fit(self, table: pl.DataFrame) -> Fit:
        """Count the training scores."""
        scores, ranks = self._counted(table)
        return Fit(Ecdf(self.prediction, self.into, scores, ranks))

    def _counted(self, table: pl.DataFrame) -> tuple[Matrix, Matrix]:
        scores = array(table[self.prediction])
        known = scores[~np.isnan(scores)]
        if not known.size:
            raise LearnerError(Problem(self.kind, f"column '{self.prediction}' has no value at all"))
        distinct, counts = np.unique(known, return_counts=True)
        below = np.concatenate([[0], np.cumsum(counts)])
        reached = known.size - below if self.descending else below
        return distinct, reached * self.scale / known.size


class discrete_ecdf(ecdf):
    """The rank of a score in whole numbers, from a table of at most ``scale + 1`` entries.

    Args:
        prediction: the score's column.
        into: the rank's column.
        scale: the highest rank.
        descending: rank low scores high instead.
        rounding: ``nearest`` (halves to even), ``down`` or ``up``.
    """

    _: dataclasses.KW_ONLY
    rounding: Literal["nearest", "down", "up"] = "nearest"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rounding not in {"nearest", "down", "up"}:
            available = ("nearest", "down", "up")
            raise LearnerError(Problem(self.kind, f"unknown rounding '{self.rounding}'", available))

    def fit(self, table: pl.DataFrame) -> Fit:
        """Count the training scores, round, and keep the scores where the rank changes."""
        scores, ranks = self._counted(table)
        whole = {"nearest": np.rint, "down": np.floor, "up": np.ceil}[self.rounding](ranks)
        changes = np.flatnonzero(np.diff(whole))
        return Fit(Ecdf(self.prediction, self.into, scores[changes], whole[np.append(0, changes + 1)]))
