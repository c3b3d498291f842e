"""Isolation forest: how easily a row is set apart from the others, by scikit-learn."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from veredito.errors import LearnerError, Problem
from veredito.learn.arrays import array, matrix
from veredito.learn.learner import Fit, Learner, names_of, settle
from veredito.learn.preview import Preview

from .libraries import asking, library
from .model_step import Predict
from .sklearn import SklearnTrees, dumped


class IsolationForest(SklearnTrees, kind="isolation_forest"):
    """A fitted isolation forest; what it writes is high where a row is strange."""

    def _answering(self, call: Predict) -> Predict:
        return super()._answering(lambda features: -call(features))


class isolation_forest(Learner):
    """How strange a row is, without any outcome to learn from: 0.5 and less is ordinary, 1 is far from all others.

    Writes the score of the paper (Liu, Ting and Zhou, 2008), which is minus scikit-learn's `score_samples`. Missing
    values are borne; an infinite value lies beyond every threshold.

    Args:
        features: numeric columns.
        params: parameters of `sklearn.ensemble.IsolationForest`, over ours (one seed).
        weight: a column of weights.
        into: the score's column.

    Example:
        >>> table = pl.DataFrame({"x": [1.0, 1.1, 0.9, 1.0, 50.0]})
        >>> step, scored, log = isolation_forest(["x"])(table)
        >>> scored["prediction"].arg_max()
        4
    """

    features: Sequence[str]
    _: dataclasses.KW_ONLY
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    weight: str | None = None
    into: str = "prediction"

    def __post_init__(self) -> None:
        settle(self, features=names_of(self.kind, "features", self.features), params=dict(self.params))
        if self.weight in self.features:
            what = f"'{self.weight}' is a feature and the weight"
            raise LearnerError(Problem(self.kind, what, hint="take it out of the features"))

    def check(self, preview: Preview) -> None:
        """The features and the weight must be numbers, with values."""
        preview.need([*self.features, *([self.weight] if self.weight else [])], "number", values=True)
        preview.make([self.into])

    def fit(self, table: pl.DataFrame) -> Fit:
        """Fit with scikit-learn."""
        ensemble = library("sklearn.ensemble", "scikit-learn", "sklearn")
        features = matrix(table, self.features)
        weights = array(table[self.weight]) if self.weight else None
        with asking(self.kind, "scikit-learn", TypeError, ValueError):
            forest = ensemble.IsolationForest(**{"random_state": 0, **self.params})
            forest.fit(features, sample_weight=weights)
        missing = bool(
            library("sklearn.utils", "scikit-learn", "sklearn").get_tags(forest).input_tags.allow_nan
        )
        names = tuple(self.features)
        dump = dumped(self.kind, forest)
        return Fit(IsolationForest(names, (self.into,), "native", {}, "score_samples", missing, dump))
