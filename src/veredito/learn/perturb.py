"""Perturbations: what happens to a fitted model when a column goes missing, gets mixed up, or drifts.

A perturbation is frozen data and a function of a table. The model is not fitted again: the question is how
it bears what production may do to it.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import polars as pl

from veredito.errors import LearnerError, Problem, did_you_mean

from .arrays import array, column
from .frames import adopt
from .step import Step
from .validation import Measurable, metrics_of


@dataclasses.dataclass(frozen=True)
class Perturbation(ABC):
    """A change of one column; all others, and the rows, stay.

    Args:
        column: which.
    """

    column: str

    @property
    def name(self) -> str:
        """What it is called in a report."""
        return f"{self.column} {type(self).__name__}"

    @abstractmethod
    def changed(self, values: pl.Series) -> pl.Series:
        """The column after."""

    def __call__(self, table: pl.DataFrame) -> pl.DataFrame:
        """The table with the column changed; the caller's table stays as it is.

        Raises:
            LearnerError: there is no such column, or it is not of a type that can be changed so.
        """
        if self.column not in table.columns:
            hint = did_you_mean(self.column, table.columns)
            place = type(self).__name__
            raise LearnerError(
                Problem(place, f"column '{self.column}' is missing", tuple(table.columns), hint)
            )
        return table.with_columns(self.changed(table[self.column]).alias(self.column))


@dataclasses.dataclass(frozen=True)
class missing(Perturbation):
    """All values missing, as when a source is down.

    Example:
        >>> missing("x")(pl.DataFrame({"x": [1, 2]}))["x"].to_list()
        [None, None]
    """

    def changed(self, values: pl.Series) -> pl.Series:
        """Nulls of the same type."""
        return pl.Series([None] * values.len(), dtype=values.dtype)


@dataclasses.dataclass(frozen=True)
class shuffled(Perturbation):
    """Values exchanged between rows: what the column tells is lost, its distribution stays.

    Args:
        column: which.
        seed: the same seed shuffles alike.
    """

    _: dataclasses.KW_ONLY
    seed: int = 0

    def changed(self, values: pl.Series) -> pl.Series:
        """The same values in another order."""
        return values.sample(fraction=1.0, shuffle=True, seed=self.seed)


@dataclasses.dataclass(frozen=True)
class shifted(Perturbation):
    """Numbers that drift: all moved by so many of their own standard deviations.

    Args:
        column: which.
        by: how far, in standard deviations of the column in the table.
    """

    _: dataclasses.KW_ONLY
    by: float = 1.0

    @property
    def name(self) -> str:
        """With how far."""
        return f"{self.column} shifted({self.by:+g})"

    def changed(self, values: pl.Series) -> pl.Series:
        """The values, moved; missing ones stay missing."""
        if not values.dtype.is_numeric():
            what = f"column '{self.column}' must be number, and is {values.dtype}"
            raise LearnerError(Problem("shifted", what, hint="shuffle it instead"))
        deviation: Any = values.cast(pl.Float64).fill_nan(None).std()
        return column(self.column, array(values) + self.by * (deviation or 0.0))


def robustness(
    step: Step,
    table: Any,
    metrics: Measurable | Sequence[Measurable],
    perturbations: Sequence[Perturbation],
) -> pl.DataFrame:
    """Measure a fitted step on a table as it is, and under each perturbation.

    Args:
        step: what was fitted.
        table: rows it was not fitted on, with their outcomes; a Polars or a pandas `DataFrame`.
        metrics: as for `validate`.
        perturbations: what to do to the table, one at a time.

    Returns:
        A row a perturbation and metric: perturbation (``none`` first), metric, value (null where undefined),
        change (from the table as it is), note.

    Raises:
        LearnerError: a column is not there, or predictions are missing.

    Example:
        >>> from veredito import learn
        >>> table = pl.DataFrame({"fraud": [0, 1, 0], "prediction": [0.1, 0.9, 0.2]})
        >>> step = learn.ecdf()(table).step
        >>> metric = learn.metrics.precision_at_k("fraud", prediction="prediction_ecdf", k=1)
        >>> robustness(step, table, metric, [shifted("prediction", by=9.0)])["change"].to_list()
        [0.0, -0.6666666666666667]
    """
    frame, _ = adopt(table, "robustness")
    measured = metrics_of("robustness", metrics)
    plain = step(frame)
    whole = {metric.name: metric(plain) for metric in measured}
    rows = []
    for name, scored in [("none", plain), *((p.name, step(p(frame))) for p in perturbations)]:
        for metric in measured:
            value, note = metric.measure(scored)
            before = whole[metric.name]
            change = None if value is None or before is None else value - before
            rows.append((name, metric.name, value, change, note))
    schema = {"perturbation": pl.String, "metric": pl.String, "value": pl.Float64, "change": pl.Float64}
    return pl.DataFrame(rows, schema=schema | {"note": pl.String}, orient="row")
