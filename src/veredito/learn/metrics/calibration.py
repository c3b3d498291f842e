"""Whether probabilities are frequencies."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np
import polars as pl

from veredito.errors import LearnerError, Problem
from veredito.learn.arrays import array
from veredito.learn.block import Matrix

from .metric import Measure, Metric, positive, weights


@dataclasses.dataclass(frozen=True, repr=False)
class expected_calibration_error(Metric):
    """How far probabilities are from frequencies: the mean distance over bins, weighted by their rows.

    Args:
        target: the column of outcomes, 0 or 1.
        prediction: the column of predicted probabilities.
        weight: a column of weights, if rows do not count alike.
        bins: how many bins.
        equal: bins of equal ``width`` of probability, as in the literature, or of equal ``mass`` of rows,
            which sees more where almost all probabilities are small.
    """

    _: dataclasses.KW_ONLY
    bins: int = 10
    equal: Literal["width", "mass"] = "width"

    def __post_init__(self) -> None:
        positive(self.name, "bins", self.bins)
        if self.equal not in ("width", "mass"):
            raise LearnerError(Problem(self.name, f"'equal' is {self.equal!r}", ("width", "mass")))

    def compute(self, table: pl.DataFrame) -> Measure:
        """Always defined."""
        bins = calibration_bins(
            array(table[self.target]), array(table[self.prediction]), self.bins, self.equal,
            weights(table, self.weight),
        )  # fmt: skip
        distance = np.abs(array(bins["predicted"]) - array(bins["observed"]))
        return Measure(float(np.average(distance, weights=array(bins["weight"]))))


def calibration_bins(
    target: Matrix,
    prediction: Matrix,
    bins: int,
    equal: Literal["width", "mass"] = "width",
    weight: Matrix | None = None,
) -> pl.DataFrame:
    """The mean prediction and the mean outcome of each bin that holds rows.

    Args:
        target: outcomes, shape (rows,).
        prediction: probabilities, shape (rows,).
        bins: how many bins.
        equal: of what they have alike amounts; rows of one probability are always in one bin.
        weight: what each row counts, shape (rows,); 1 if not given.

    Returns:
        A row a bin: predicted, observed, weight, ascending.
    """
    if equal == "width":
        edges: Any = np.linspace(0.0, 1.0, bins + 1)[1:-1]
    else:
        edges = np.unique(np.quantile(prediction, np.linspace(0.0, 1.0, bins + 1)[1:-1]))
    weight = np.ones(len(target)) if weight is None else weight
    place = np.searchsorted(edges, prediction, side="left")
    mass, predicted, observed = (
        np.bincount(place, weights=weight * values, minlength=len(edges) + 1)
        for values in (np.ones(len(target)), prediction, target)
    )
    full = mass > 0
    return pl.DataFrame(
        {
            "predicted": predicted[full] / mass[full],
            "observed": observed[full] / mass[full],
            "weight": mass[full],
        }
    )
