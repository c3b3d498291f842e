"""Metrics of the highest ranked: what a team of limited size finds."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import polars as pl

from veredito.errors import LearnerError, Problem
from veredito.learn.arrays import array

from .metric import Measure, Metric, positive, ratio


@dataclasses.dataclass(frozen=True, repr=False)
class _AtK(Metric):
    """What metrics of the k highest predictions share.

    Where rows tie for the last places, the number is its mean over all ways to break the tie, so that it
    does not depend on the order of the rows.
    """

    _: dataclasses.KW_ONLY
    k: int

    def __post_init__(self) -> None:
        positive(type(self).__name__, "k", self.k)
        if self.weight is not None:
            raise LearnerError(Problem(type(self).__name__, "counts rows, and takes no 'weight'"))

    @property
    def name(self) -> str:
        """With k."""
        return f"{type(self).__name__}({self.k})"

    def _hits(self, table: pl.DataFrame) -> tuple[float, int, float]:
        """Frauds among the k highest, how many rows those are, and all frauds."""
        target, prediction = array(table[self.target]) > 0, array(table[self.prediction])
        k = min(self.k, table.height)
        edge = np.partition(prediction, -k)[-k]
        above, tied = prediction > edge, prediction == edge
        places = k - int(above.sum())
        return target[above].sum() + places * target[tied].mean(), k, float(target.sum())


class precision_at_k(_AtK):
    """The share of frauds among the k rows of the highest predictions (or all rows, where there are fewer).

    Args:
        target: the column of outcomes, 0 or 1.
        prediction: the column of predictions.
        k: how many rows are looked at.
    """

    def compute(self, table: pl.DataFrame) -> Measure:
        """Always defined."""
        hits, places, _ = self._hits(table)
        return Measure(float(hits / places))


class recall_at_k(_AtK):
    """The share of the frauds that are among the k rows of the highest predictions.

    Args:
        target: the column of outcomes, 0 or 1.
        prediction: the column of predictions.
        k: how many rows are looked at.
    """

    def compute(self, table: pl.DataFrame) -> Measure:
        """Undefined where there is no fraud."""
        hits, _, frauds = self._hits(table)
        return ratio(hits, frauds, "no row is positive")


@dataclasses.dataclass(frozen=True, repr=False)
class card_precision_at_k(_AtK):
    """How many of the k customers that investigators can call in a day are rightly called; mean over days.

    Every day, customers are ranked by the highest prediction of their payments that day, those already found
    out left out; the day's number is how many of the first k had a fraud that day, over k. A customer who is
    rightly called is known from the next day on. Equal customers rank in the order of their ids. The source
    is Dal Pozzolo et al., Credit Card Fraud Detection: A Realistic Modeling and a Novel Learning Strategy
    (2018); leaving known customers out follows Le Borgne et al., Reproducible Machine Learning for Credit
    Card Fraud Detection (2022).

    Args:
        target: the column of outcomes, 0 or 1.
        prediction: the column of predictions.
        k: how many customers a day.
        customer: the column of the customers' ids.
        time: the column of dates or datetimes.
        known: ids of customers that were known before the first day.
    """

    _: dataclasses.KW_ONLY
    customer: str
    time: str
    known: frozenset[Any] = frozenset()

    @property
    def columns(self) -> tuple[str, ...]:
        """With the customer and the time."""
        return (*super().columns, self.customer, self.time)

    def compute(self, table: pl.DataFrame) -> Measure:
        """Day by day, because whom one day finds out the next leaves out."""
        days = (
            table.group_by(pl.col(self.time).dt.date().alias("day"), pl.col(self.customer).alias("id"))
            .agg(pl.col(self.prediction).max().alias("score"), (pl.col(self.target) > 0).any().alias("hit"))
            .sort("day", "score", "id", descending=[False, True, False])
        )
        known, found = set(self.known), []
        for _, day in days.group_by("day", maintain_order=True):
            called = [row for row in day.select("id", "hit").iter_rows() if row[0] not in known][: self.k]
            caught = [customer for customer, hit in called if hit]
            known.update(caught)
            found.append(len(caught) / self.k)
        return Measure(float(np.mean(found)))
