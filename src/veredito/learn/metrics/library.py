"""Metrics that scikit-learn has: its own numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from veredito.errors import MissingExtraError
from veredito.learn.arrays import array

from .metric import Measure, Metric


class _Library(Metric):
    """A metric that scikit-learn has."""

    function = ""
    two_classes = False

    def compute(self, table: pl.DataFrame) -> Measure:
        """Scikit-learn's own number."""
        target, prediction, weight = (None if name is None else array(table[name]) for name in self._roles())
        if self.two_classes and (note := _not_two_classes(target)):
            return Measure(None, note)
        function = getattr(_sklearn_metrics(), self.function)
        return Measure(float(function(target, prediction, sample_weight=weight, **self._options())))

    def _roles(self) -> tuple[str, str, str | None]:
        return self.target, self.prediction, self.weight

    def _options(self) -> dict[str, Any]:
        return {}


class roc_auc(_Library):
    """The area under the receiver operating characteristic: does a fraud rank above an honest payment?

    Example:
        >>> roc_auc("fraud")(pl.DataFrame({"fraud": [0, 1, 0, 1], "prediction": [0.1, 0.9, 0.3, 0.2]}))
        0.75
    """

    function, two_classes = "roc_auc_score", True


class average_precision(_Library):
    """The mean precision over all recalls: the area under the precision-recall curve, without interpolation."""

    function, two_classes = "average_precision_score", True


class log_loss(_Library):
    """The mean negative logarithm of the probability given to what happened."""

    function, two_classes = "log_loss", True

    def _options(self) -> dict[str, Any]:
        return {"labels": [0.0, 1.0]}


class brier_score(_Library):
    """The mean squared distance between the probability and the outcome of 0 or 1."""

    function = "mean_squared_error"  # brier_score_loss is the same for two classes, and refuses one class


class mean_squared_error(_Library):
    """The mean squared error of a regression."""

    function = "mean_squared_error"


class mean_absolute_error(_Library):
    """The mean absolute error of a regression."""

    function = "mean_absolute_error"


class r2(_Library):
    """The share of the variance that a regression explains."""

    function = "r2_score"

    def compute(self, table: pl.DataFrame) -> Measure:
        """Undefined where the outcome does not vary."""
        if table[self.target].n_unique() < 2:
            return Measure(None, "undefined: the target is constant")
        return super().compute(table)


def _not_two_classes(target: Any) -> str:
    classes = np.unique(target)
    if len(classes) == 1:
        return f"undefined: one class only ({classes[0]:g})"
    return "" if len(classes) == 2 else f"undefined: {len(classes)} classes, and not 2"


def _sklearn_metrics() -> Any:
    try:
        import sklearn.metrics
    except ImportError:
        raise MissingExtraError("scikit-learn", "sklearn", purpose="this metric") from None
    return sklearn.metrics
