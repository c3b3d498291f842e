"""Calibration: scores that mean probabilities.

Fit these on rows that the model has not seen: ``on=learn.on(fraction=0.2)``.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_right

import numpy as np
import polars as pl

from veredito.errors import LearnerError, Problem
from veredito.learn.arrays import Want, array, column
from veredito.learn.block import Block, Kernel, Layout, Matrix
from veredito.learn.learner import Fit, Learner
from veredito.learn.preview import Preview
from veredito.learn.step import Step, fitted


class Isotonic(Step, kind="isotonic"):
    """A monotone line through points: straight between them, level outside them."""

    prediction: str
    into: str
    scores: Matrix = fitted()
    values: Matrix = fitted()

    @property
    def needs(self) -> dict[str, Want]:
        """The score."""
        return {self.prediction: "number"}

    @property
    def writes(self) -> tuple[str, ...]:
        """The calibrated score."""
        return (self.into,)

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """One binary search and one straight line a row."""
        return table.with_columns(column(self.into, self._at(array(table[self.prediction]))))

    def _slopes(self) -> Matrix:
        return np.append(np.diff(self.values) / np.diff(self.scores), 0.0)

    def _at(self, scores: Matrix) -> Matrix:
        inside = np.clip(scores, self.scores[0], self.scores[-1])
        left = self.scores.searchsorted(inside, side="right") - 1
        left[np.isnan(scores)] = 0
        # Not np.interp: its compiler may fuse the product and the sum, and one row is not worth its call.
        return self._slopes()[left] * (inside - self.scores[left]) + self.values[left]

    def bind(self, layout: Layout) -> Kernel:
        """The same line; in Python's floats for one row, which is the faster there."""
        source, target = layout.number_at(self.prediction), layout.number(self.into)
        scores, values, slopes = self.scores.tolist(), self.values.tolist(), self._slopes().tolist()
        low, high, at = scores[0], scores[-1], self._at

        def kernel(block: Block) -> None:
            numbers = block.numbers
            if numbers.shape[0] != 1:
                numbers[:, target] = at(numbers[:, source])
                return
            score = numbers.item(0, source)
            if score == score:  # noqa: PLR0124 - it is not NaN
                inside = min(max(score, low), high)
                left = bisect_right(scores, inside) - 1
                score = slopes[left] * (inside - scores[left]) + values[left]
            numbers[0, target] = score

        return kernel


class Calibrator(Learner):
    """What calibrators share: the outcome, the score, and where the calibrated score goes."""

    _: dataclasses.KW_ONLY
    target: str
    prediction: str = "prediction"
    into: str = "calibrated"
    weight: str | None = None

    def check(self, preview: Preview) -> None:
        """The score must be there, and the target be 0 and 1."""
        preview.need([self.prediction], "number", values=True)
        preview.need_binary(self.target)
        preview.need([self.weight] if self.weight else [], "number", values=True)
        preview.make([self.into])

    def known(self, table: pl.DataFrame) -> tuple[Matrix, Matrix, Matrix]:
        """Scores, outcomes and weights of the rows that have a score."""
        scores, outcomes = array(table[self.prediction]), array(table[self.target])
        weights = array(table[self.weight]) if self.weight else np.ones(table.height)
        known = np.isfinite(scores) & ~np.isnan(outcomes) & (weights > 0)
        if not known.any():
            raise LearnerError(Problem(self.kind, f"column '{self.prediction}' has no value at all"))
        return scores[known], outcomes[known], weights[known]

    def note(self) -> tuple[str, ...]:
        """What the log says where it may have been fitted on what the model has seen."""
        if self.on is not None:
            return ()
        return (
            "fitted on all rows given: if the model has seen them, fit on held-out ones by on=learn.on(...)",
        )


class isotonic_calibrator(Calibrator):
    """The monotone step from score to probability that fits the outcomes best (pool adjacent violators).

    Args:
        target: the outcome, 0 or 1.
        prediction: the score's column.
        into: the calibrated score's column.
        weight: a column of weights, if rows do not count alike.

    Example:
        >>> table = pl.DataFrame({"prediction": [0.25, 0.64, 0.12, 0.9], "y": [0, 1, 0, 1]})
        >>> step, _, _ = isotonic_calibrator(target="y")(table)
        >>> step(pl.DataFrame({"prediction": [0.445, 2.0, None]}))["calibrated"].to_list()
        [0.5, 1.0, None]
    """

    def fit(self, table: pl.DataFrame) -> Fit:
        """Pool the outcomes of neighbouring scores until they rise."""
        scores, outcomes, weights = self.known(table)
        distinct, where = np.unique(scores, return_inverse=True)
        total = np.bincount(where, weights).astype(float)
        values = pooled(np.bincount(where, weights * outcomes) / total, total)
        # Inside a level stretch only its ends are needed.
        ends = np.concatenate([[True], (np.diff(values[:-1]) != 0) | (np.diff(values[1:]) != 0), [True]])
        ends = ends[-distinct.size :]
        return Fit(Isotonic(self.prediction, self.into, distinct[ends], values[ends]), self.note())


def pooled(values: Matrix, weights: Matrix) -> Matrix:
    """The rising values nearest to the given ones, by weighted squares (pool adjacent violators).

    Example:
        >>> pooled(np.array([0.0, 1.0, 0.0]), np.ones(3)).tolist()
        [0.0, 0.5, 0.5]
    """
    means: list[float] = []
    masses: list[float] = []
    sizes: list[int] = []
    for value, mass in zip(values.tolist(), weights.tolist(), strict=True):
        size = 1
        while means and means[-1] >= value:
            before = masses.pop()
            value = (means.pop() * before + value * mass) / (before + mass)  # noqa: PLW2901 - the pool grows
            mass += before  # noqa: PLW2901
            size += sizes.pop()
        means.append(value)
        masses.append(mass)
        sizes.append(size)
    return np.repeat(np.clip(means, 0.0, 1.0), sizes)
