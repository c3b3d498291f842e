"""Metrics: a scored table to one number.

A metric is frozen data that names its columns, so that it can be printed, compared, and listed in a report.
Where a number has no meaning, as the area under a curve where there is one class only, it is `None`, and
`measure` says why; it is never a guess such as 0.5. A missing prediction is an error, not a rank.

A metric of your own is a subclass of `Metric`, or for `validate` any function of a table.
"""

from .calibration import calibration_bins, expected_calibration_error
from .library import (
    average_precision,
    brier_score,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    r2,
    roc_auc,
)
from .metric import Function, Measure, Metric
from .ranked import card_precision_at_k, precision_at_k, recall_at_k
from .thresholds import money_at_stake, precision_at_threshold, recall_at_threshold

__all__ = [
    "Function",
    "Measure",
    "Metric",
    "average_precision",
    "brier_score",
    "calibration_bins",
    "card_precision_at_k",
    "expected_calibration_error",
    "log_loss",
    "mean_absolute_error",
    "mean_squared_error",
    "money_at_stake",
    "precision_at_k",
    "precision_at_threshold",
    "r2",
    "recall_at_k",
    "recall_at_threshold",
    "roc_auc",
]
