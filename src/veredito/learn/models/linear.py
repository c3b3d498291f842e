"""Linear models: logistic and linear regression, fitted by scikit-learn, kept as coefficients.

A prediction is a product and a sum a row, in numpy, in one order whatever the number of rows: a row alone gives
the bits that it gives in a batch, which a matrix product of a linear-algebra library does not promise, and it
takes microseconds. It differs from scikit-learn's own in the last bits at most. A row with a missing value has
a missing prediction.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from veredito.learn.block import Matrix
from veredito.learn.learner import settle
from veredito.learn.step import fitted

from .libraries import asking, library
from .model_learner import ModelLearner, Training
from .model_step import Explain, ModelStep, Predict


class Linear(ModelStep, kind="linear"):
    """Coefficients, intercepts, and how their sum becomes a prediction.

    Args:
        link: ``identity``, ``logistic`` (the probability of class 1), or ``softmax``.
        coefficients: shape (scores, features).
        intercepts: shape (scores,).
        means: the features' weighted means over the training rows, from which contributions are counted.
    """

    link: str
    coefficients: Matrix = fitted()
    intercepts: Matrix = fitted()
    means: Matrix = fitted()

    def engines(self) -> dict[str, Callable[[], Predict]]:
        """Numpy, and nothing else."""
        return {"native": lambda: self.answer}

    def explainer(self) -> Explain:
        """Coefficient times distance from the training mean."""
        expected = (self.coefficients * self.means).sum(axis=1) + self.intercepts

        def explain(features: Matrix) -> Matrix:
            out = np.empty((len(features), len(expected), len(self.features) + 1))
            with np.errstate(invalid="ignore", over="ignore"):
                np.multiply(self.coefficients, (features - self.means)[:, None, :], out=out[:, :, :-1])
            out[:, :, -1] = expected
            return out

        return explain

    @cached_property
    def _link(self) -> Callable[[Matrix], Matrix]:
        return {"identity": _identity, "logistic": _logistic, "softmax": _softmax}[self.link]

    def answer(self, features: Matrix) -> Matrix:
        """Predictions, shape (rows,) or (rows, classes)."""
        scores = np.empty((len(self.intercepts), len(features)))
        with np.errstate(invalid="ignore", over="ignore"):  # infinities are ordinary
            for out, weights, intercept in zip(scores, self.coefficients, self.intercepts, strict=True):
                # Row-major whatever came in: how numpy sums depends on how the numbers lie.
                np.add(np.multiply(features, weights, order="C").sum(axis=1), intercept, out=out)
            return self._link(scores)


def _identity(scores: Matrix) -> Matrix:
    first: Matrix = scores[0]
    return first


def _logistic(scores: Matrix) -> Matrix:
    shares: Matrix = 1.0 / (1.0 + np.exp(-scores[0]))
    return shares


def _softmax(scores: Matrix) -> Matrix:
    powers = np.ascontiguousarray(np.exp(scores - scores.max(axis=0)).T)
    shares: Matrix = powers / powers.sum(axis=1, keepdims=True)
    return shares


class _LinearLearner(ModelLearner):
    """What the classifier and the regressor share.

    Args:
        params: scikit-learn's own parameters, over ours.
    """

    _: dataclasses.KW_ONLY
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    takes_text: ClassVar[bool] = False
    takes_missing: ClassVar[bool] = False
    ours: ClassVar[Mapping[str, Any]] = {}
    estimator: ClassVar[str]

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, params=dict(self.params))

    def _link(self, training: Training) -> str:
        if self.task == "regression":
            return "identity"
        return "logistic" if len(training.classes) == 2 else "softmax"

    def fit_model(self, training: Training, validation: Training | None) -> Linear:  # noqa: ARG002 - it watches none
        """Fit with scikit-learn, and keep the coefficients."""
        kind = getattr(library("sklearn.linear_model", "scikit-learn", "sklearn"), self.estimator)
        with asking(self.kind, "scikit-learn", TypeError, ValueError):
            model = kind(**{**self.ours, **self.params})
            model.fit(training.matrix, training.target, sample_weight=training.weights)
        return Linear(
            training.features,
            self.outputs(training),
            "native",
            {},
            self._link(training),
            np.atleast_2d(np.asarray(model.coef_, dtype=float)),
            np.broadcast_to(
                np.asarray(model.intercept_, dtype=float), (len(np.atleast_2d(model.coef_)),)
            ).copy(),
            np.average(training.matrix, axis=0, weights=training.weights),
        )


class logistic_regression(_LinearLearner):
    """Logistic regression for two or more classes, by scikit-learn.

    Features are numbers without missing values: impute and scale them first.

    Args:
        features: numeric columns.
        target: the outcome: two values, or several.
        params: parameters of `sklearn.linear_model.LogisticRegression`, over ours (1,000 iterations).
        weight: a column of weights.
        into: the prediction's column.

    Example:
        >>> import polars as pl
        >>> table = pl.DataFrame({"x": [0.0, 1.0, 2.0, 3.0], "y": [0, 0, 1, 1]})
        >>> step, scored, log = logistic_regression(["x"], target="y")(table)
        >>> step(pl.DataFrame({"x": [1.5, None]}))["prediction"].round(3).to_list()
        [0.5, None]
    """

    task = "classification"
    ours = {"max_iter": 1_000}  # noqa: RUF012 - the field is declared above
    estimator = "LogisticRegression"


class linear_regression(_LinearLearner):
    """Ordinary least squares, by scikit-learn.

    Features are numbers without missing values: impute them first.

    Args:
        features: numeric columns.
        target: the number.
        params: parameters of `sklearn.linear_model.LinearRegression`.
        weight: a column of weights.
        into: the prediction's column.

    Example:
        >>> import polars as pl
        >>> table = pl.DataFrame({"x": [0.0, 1.0, 2.0], "y": [1.0, 3.0, 5.0]})
        >>> step, scored, log = linear_regression(["x"], target="y")(table)
        >>> step(pl.DataFrame({"x": [10.0]}))["prediction"].round(6).to_list()
        [21.0]
    """

    task = "regression"
    estimator = "LinearRegression"
