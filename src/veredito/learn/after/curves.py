"""Calibration by a curve of two or three numbers: Platt's and the beta family. They need fewer rows than isotonic.

Fit these on rows that the model has not seen: ``on=learn.on(fraction=0.2)``.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import polars as pl

from veredito.errors import LearnerError, Problem
from veredito.learn.arrays import Want, array, column
from veredito.learn.block import Kernel, Layout, Matrix
from veredito.learn.kernels import over
from veredito.learn.learner import Fit
from veredito.learn.models.libraries import asking, library
from veredito.learn.step import Step, fitted

from .calibration import Calibrator

_NEAR_ZERO = float(np.finfo(float).eps)  # a score of 0 or 1 has no logarithm; betacal clips here too
_RIDGE = 1e8  # scikit-learn's C: so weak that it only keeps separable outcomes from infinity


class _Curve(Step):
    """A logistic curve over some form of the score."""

    prediction: str
    into: str

    @property
    def needs(self) -> dict[str, Want]:
        """The score."""
        return {self.prediction: "number"}

    @property
    def writes(self) -> tuple[str, ...]:
        """The calibrated score."""
        return (self.into,)

    @abstractmethod
    def log_odds(self, scores: Matrix) -> Matrix:
        """The logarithm of the odds, in an array of its own."""

    def at(self, scores: Matrix) -> Matrix:
        """The probabilities of scores; NaN stays NaN."""
        with np.errstate(over="ignore", invalid="ignore"):
            found: Matrix = 1.0 / (1.0 + np.exp(-self.log_odds(scores)))
        return found

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """One exponential a row."""
        return table.with_columns(column(self.into, self.at(array(table[self.prediction]))))

    def bind(self, layout: Layout) -> Kernel:
        """The same arithmetic on the block."""
        return over(layout, [self.prediction], [self.into], self.at)


class Platt(_Curve, kind="platt"):
    """A logistic curve over the score."""

    slope: float = fitted()
    intercept: float = fitted()

    def log_odds(self, scores: Matrix) -> Matrix:
        """A straight line; level where the slope is 0, even at infinity."""
        return self.slope * scores + self.intercept


class Beta(_Curve, kind="beta"):
    """A logistic curve over the logarithms of the score and of its complement."""

    low: float = fitted()
    high: float = fitted()
    intercept: float = fitted()

    def log_odds(self, scores: Matrix) -> Matrix:
        """What lies outside of 0 and 1 is taken as the nearest that has logarithms."""
        inside = np.clip(scores, _NEAR_ZERO, 1 - _NEAR_ZERO, order="C")
        return self.low * np.log(inside) - self.high * np.log1p(-inside) + self.intercept


class platt_calibrator(Calibrator):
    """A logistic curve from score to probability (Platt, 1999), with his smoothed outcomes.

    Args:
        target: the outcome, 0 or 1.
        prediction: the score's column; any number, probability or not.
        into: the calibrated score's column.
        weight: a column of weights, if rows do not count alike.

    Example:
        >>> table = pl.DataFrame({"prediction": [-2.0, -1.0, 1.0, 2.0], "y": [0, 0, 1, 1]})
        >>> step, _, _ = platt_calibrator(target="y")(table)
        >>> step(pl.DataFrame({"prediction": [0.0, None]}))["calibrated"].round(6).to_list()
        [0.5, None]
    """

    def fit(self, table: pl.DataFrame) -> Fit:
        """Fit the two numbers by the likelihood."""
        scores, outcomes, weights = self.known(table)
        (slope,), intercept = _logistic(self.kind, scores[:, None], _smoothed(outcomes, weights), weights)
        return Fit(Platt(self.prediction, self.into, slope, intercept), self.note())


class beta_calibrator(Calibrator):
    """A curve of the beta family from probability to probability (Kull, Silva Filho and Flach, 2017).

    It can leave a calibrated score as it is, which Platt's cannot.

    Args:
        target: the outcome, 0 or 1.
        prediction: the score's column, between 0 and 1.
        into: the calibrated score's column.
        weight: a column of weights, if rows do not count alike.

    Example:
        >>> table = pl.DataFrame({"prediction": [0.1, 0.4, 0.6, 0.9], "y": [0, 1, 0, 1]})
        >>> step, _, _ = beta_calibrator(target="y")(table)
        >>> step(pl.DataFrame({"prediction": [0.5, None]}))["calibrated"].round(4).to_list()
        [0.5, None]
    """

    def fit(self, table: pl.DataFrame) -> Fit:
        """Fit the three numbers by the likelihood; a negative one, which would turn the curve, is left out."""
        scores, outcomes, weights = self.known(table)
        if scores.min() < 0 or scores.max() > 1:
            what = f"column '{self.prediction}' goes from {scores.min():g} to {scores.max():g}, and must lie in 0 to 1"
            raise LearnerError(
                Problem(self.kind, what, hint="use platt_calibrator for scores that are no probabilities")
            )
        inside = np.clip(scores, _NEAR_ZERO, 1 - _NEAR_ZERO)
        forms = np.column_stack([np.log(inside), -np.log1p(-inside)])
        kept = [0, 1]
        slopes, intercept = _logistic(self.kind, forms, outcomes, weights)
        if min(slopes) < 0:
            kept = [int(np.argmax(slopes))]
            slopes, intercept = _logistic(self.kind, forms[:, kept], outcomes, weights)
        low, high = (dict(zip(kept, slopes, strict=True)).get(i, 0.0) for i in (0, 1))
        return Fit(Beta(self.prediction, self.into, low, high, intercept), self.note())


def _smoothed(outcomes: Matrix, weights: Matrix) -> Matrix:
    """Platt's targets: not quite 0 and 1, as far as there are rows to say so."""
    good, bad = weights[outcomes == 1].sum(), weights[outcomes == 0].sum()
    smoothed: Matrix = np.where(outcomes == 1, (good + 1) / (good + 2), 1 / (bad + 2))
    return smoothed


def _logistic(place: str, forms: Matrix, outcomes: Matrix, weights: Matrix) -> tuple[list[float], float]:
    """Slopes and intercept of the likeliest logistic curve; outcomes may lie between 0 and 1."""
    linear = library("sklearn.linear_model", "scikit-learn", "sklearn")
    mean, spread = forms.mean(axis=0), forms.std(axis=0)
    spread[spread == 0] = 1.0
    scaled = (forms - mean) / spread
    # A row whose outcome lies between is two rows, that share its weight.
    halves = np.concatenate([weights * outcomes, weights * (1 - outcomes)])
    sides = np.concatenate([np.ones(len(outcomes)), np.zeros(len(outcomes))])
    with asking(place, "scikit-learn", ValueError):
        model = linear.LogisticRegression(C=_RIDGE, tol=1e-8, max_iter=10_000)
        model.fit(
            np.concatenate([scaled, scaled])[halves > 0], sides[halves > 0], sample_weight=halves[halves > 0]
        )
    slopes = model.coef_[0] / spread
    return slopes.tolist(), float(model.intercept_[0] - slopes @ mean)
