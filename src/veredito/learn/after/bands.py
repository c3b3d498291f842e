"""Scores to bands: thresholds with a name for what lies between them."""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
import polars as pl

from veredito.errors import LearnerError, Problem
from veredito.learn.arrays import Want, array
from veredito.learn.block import Block, Kernel, Layout
from veredito.learn.learner import Fit, Learner, settle
from veredito.learn.preview import Preview
from veredito.learn.step import Step


class Bands(Step, kind="bands"):
    """Edges in rising order, and one label more than edges."""

    prediction: str
    into: str
    edges: tuple[float, ...]
    labels: tuple[str, ...]

    @property
    def needs(self) -> dict[str, Want]:
        """The score."""
        return {self.prediction: "number"}

    @property
    def writes(self) -> tuple[str, ...]:
        """The band."""
        return (self.into,)

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """One binary search a row; a missing score has no band."""
        scores = array(table[self.prediction])
        places = pl.Series(np.searchsorted(self.edges, scores, side="right"), dtype=pl.UInt32)
        known = places.zip_with(pl.Series(~np.isnan(scores)), pl.Series([None], dtype=pl.UInt32))
        return table.with_columns(pl.Series(self.labels, dtype=pl.String).gather(known).alias(self.into))

    def bind(self, layout: Layout) -> Kernel:
        """The same search, in Python's floats: the labels are Python's texts."""
        source, target = layout.number_at(self.prediction), layout.text(self.into)
        edges, labels = self.edges, self.labels

        def kernel(block: Block) -> None:
            scores = block.numbers[:, source].tolist()
            block.texts[target] = [
                labels[bisect_right(edges, score)] if score == score else None  # noqa: PLR0124 - it is not NaN
                for score in scores
            ]

        return kernel


class bands(Learner):
    """The band that a score lies in: a text, for rules and for people.

    A score on an edge belongs to the band above it. A missing score has no band: it is never the best or worst.

    Args:
        edges: thresholds in rising order.
        labels: the bands' names, from low scores to high; one more than edges.
        prediction: the score's column.
        into: the band's column.

    Example:
        >>> step, table, _ = bands([0.2, 0.8], ["low", "medium", "high"])(pl.DataFrame({"prediction": [0.1, 0.2, 0.9, None]}))
        >>> table["band"].to_list()
        ['low', 'medium', 'high', None]
    """

    edges: Sequence[float]
    labels: Sequence[str]
    _: dataclasses.KW_ONLY
    prediction: str = "prediction"
    into: str = "band"

    def __post_init__(self) -> None:
        edges, labels = tuple(float(edge) for edge in self.edges), tuple(self.labels)
        problems = []
        if not edges or not all(np.isfinite(edges)) or any(np.diff(edges) <= 0):
            problems.append(Problem(self.kind, f"edges must be numbers that rise, and are {edges}"))
        if len(labels) != len(edges) + 1:
            what = f"{len(edges)} edges part {len(edges) + 1} bands, and {len(labels)} labels are given"
            problems.append(Problem(self.kind, what))
        problems += [
            Problem(self.kind, f"the label '{label}' is given twice")
            for label in dict.fromkeys(label for label in labels if labels.count(label) > 1)
        ]
        if problems:
            raise LearnerError(problems)
        settle(self, edges=edges, labels=labels)

    def check(self, preview: Preview) -> None:
        """The score must be there."""
        preview.need([self.prediction], "number")
        preview.make([self.into], "text")

    def fit(self, table: pl.DataFrame) -> Fit:  # noqa: ARG002 - there is nothing to learn
        """Nothing is learned from the table."""
        return Fit(Bands(self.prediction, self.into, tuple(self.edges), tuple(self.labels)))
