"""Metrics of a threshold: rows that reach it are flagged, or stopped."""

from __future__ import annotations

import dataclasses

import polars as pl

from veredito.learn.arrays import array

from .metric import Measure, Metric, ratio, weights


@dataclasses.dataclass(frozen=True, repr=False)
class _AtThreshold(Metric):
    """What metrics at a threshold share: a row is flagged where its prediction reaches the threshold."""

    _: dataclasses.KW_ONLY
    threshold: float

    @property
    def name(self) -> str:
        """With the threshold."""
        return f"{type(self).__name__}({self.threshold:g})"

    def _counts(self, table: pl.DataFrame) -> tuple[float, float, float]:
        """The weights of flagged frauds, of all flagged, and of all frauds."""
        target, weight = array(table[self.target]) > 0, weights(table, self.weight)
        flagged = array(table[self.prediction]) >= self.threshold
        return weight[target & flagged].sum(), weight[flagged].sum(), weight[target].sum()


class precision_at_threshold(_AtThreshold):
    """The share of frauds among the rows that reach a threshold.

    Args:
        target: the column of outcomes, 0 or 1.
        prediction: the column of predictions.
        weight: a column of weights, if rows do not count alike.
        threshold: rows with at least this prediction are flagged.
    """

    def compute(self, table: pl.DataFrame) -> Measure:
        """Undefined where nothing is flagged."""
        hits, flagged, _ = self._counts(table)
        return ratio(hits, flagged, "no row reaches the threshold")


class recall_at_threshold(_AtThreshold):
    """The share of the frauds that reach a threshold.

    Args:
        target: the column of outcomes, 0 or 1.
        prediction: the column of predictions.
        weight: a column of weights, if rows do not count alike.
        threshold: rows with at least this prediction are flagged.
    """

    def compute(self, table: pl.DataFrame) -> Measure:
        """Undefined where there is no fraud."""
        hits, _, frauds = self._counts(table)
        return ratio(hits, frauds, "no row is positive")


@dataclasses.dataclass(frozen=True, repr=False)
class money_at_stake(_AtThreshold):
    """What a threshold costs: the money of the frauds it lets through, and of the false alarms it raises.

    Args:
        target: the column of outcomes, 0 or 1.
        prediction: the column of predictions.
        weight: a column of weights, if rows do not count alike.
        threshold: rows with at least this prediction are stopped.
        amount: the column of the money that is lost where a fraud is not stopped.
        false_alarm_cost: what it costs to stop a row that is no fraud.

    Example:
        >>> table = pl.DataFrame({"fraud": [1, 1, 0], "prediction": [0.9, 0.2, 0.8], "amount": [70, 50, 10]})
        >>> money_at_stake("fraud", threshold=0.5, amount="amount", false_alarm_cost=3.0)(table)
        53.0
    """

    _: dataclasses.KW_ONLY
    amount: str
    false_alarm_cost: float = 0.0

    @property
    def columns(self) -> tuple[str, ...]:
        """With the amount."""
        return (*super().columns, self.amount)

    def compute(self, table: pl.DataFrame) -> Measure:
        """The sum of both."""
        fraud, weight = array(table[self.target]) > 0, weights(table, self.weight)
        stopped = array(table[self.prediction]) >= self.threshold
        let_through = (array(table[self.amount]) * weight)[fraud & ~stopped].sum()
        return Measure(float(let_through + self.false_alarm_cost * weight[~fraud & stopped].sum()))
