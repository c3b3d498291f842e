"""Target encoding: the mean outcome of a category, drawn towards the mean of all.

The encoding of a category is ``(n * mean + s * global) / (n + s)``. On the training table itself each row has
the encoding learned from the other folds, so that a row's own outcome is not in its feature.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from veredito.errors import LearnerError, Problem
from veredito.learn.arrays import array, column
from veredito.learn.block import Matrix
from veredito.learn.cleaning.selecting import keeping, kept_under
from veredito.learn.encoding.categories import counted, encoder, keys_of, need_categories
from veredito.learn.learner import Fit, Learner, names_of, settle
from veredito.learn.lookup import Lookup
from veredito.learn.preview import Preview
from veredito.learn.step import Step


class target_encoder(Learner):
    """Replaces categories by their mean outcome, smoothed, and out of fold on the training table.

    Args:
        columns: columns of categories, encoded in place.
        target: the outcome, a number.
        smoothing: how many rows of the mean of all each category has on top of its own.
        folds: in how many parts the training table is encoded; each part by the others. With 1 it has the
            full encoding, and leaks.
        seed: decides which row is in which fold.
        unseen: the value for new categories; the mean of all if not given.
        keep_as: names under which to leave the originals.

    Example:
        >>> table = pl.DataFrame({"x": ["a", "a", "a", "b", "c", "c"], "y": [1, 0, 0, 1, 0, 1]})
        >>> step, _, _ = target_encoder(["x"], target="y")(table)
        >>> step(table)["x"].to_list()
        [0.375, 0.375, 0.375, 0.75, 0.5, 0.5]
    """

    columns: Sequence[str]
    _: dataclasses.KW_ONLY
    target: str
    smoothing: float = 1.0
    folds: int = 5
    seed: int = 0
    unseen: float | None = None
    keep_as: Mapping[str, str] | str | None = None

    def __post_init__(self) -> None:
        columns = names_of(self.kind, "columns", self.columns)
        problems = []
        if self.target in columns:
            problems.append(Problem(self.kind, f"'{self.target}' is a column and the target"))
        if self.smoothing < 0:
            problems.append(Problem(self.kind, f"smoothing must be 0 or more, and is {self.smoothing}"))
        if self.folds < 1:
            problems.append(Problem(self.kind, f"folds must be 1 or more, and is {self.folds}"))
        if problems:
            raise LearnerError(problems)
        settle(self, columns=columns, keep_as=kept_under(self.kind, columns, self.keep_as))

    def check(self, preview: Preview) -> None:
        """The columns must be categories, and the target a number that varies."""
        need_categories(preview, self.columns)
        preview.need([self.target], "number")
        preview.need_target(self.target)
        for source, new in (self.keep_as or {}).items():  # type: ignore[union-attr]
            preview.make_new([new], preview.columns.get(source, "any"))
        preview.make(self.columns)

    def fit(self, table: pl.DataFrame) -> Fit:
        """Learn the full encoding, and encode the training table fold by fold."""
        full = {name: self._lookup(table[name], table[self.target]) for name in self.columns}
        step = keeping(self.keep_as, table, encoder(full, whole=False))
        if self.folds == 1 or table.height < 2:
            note = "the training table has the full encoding: its rows' own outcomes are in it"
            return Fit(step, notes=(note,))
        return Fit(step, table=self._out_of_fold(table, step))

    def _out_of_fold(self, table: pl.DataFrame, step: Step) -> pl.DataFrame:
        fold = np.random.default_rng(self.seed).permutation(table.height) % min(self.folds, table.height)
        encoded = {name: np.empty(table.height) for name in self.columns}
        for number in range(fold.max() + 1):
            inside = fold == number
            others, these = table.filter(pl.Series(~inside)), table.filter(pl.Series(inside))
            for name in self.columns:
                encoded[name][inside] = self._encode(others, these, name)
        return step.apply(table).with_columns(column(name, values) for name, values in encoded.items())

    def _encode(self, others: pl.DataFrame, these: pl.DataFrame, name: str) -> Matrix:
        if others[name].null_count() == others.height:
            mean = others[self.target].mean() if self.unseen is None else self.unseen
            return np.where(these[name].is_null().to_numpy(), np.nan, mean)  # type: ignore[arg-type]
        return array(self._lookup(others[name], others[self.target]).series(these[name]))

    def _lookup(self, series: pl.Series, target: pl.Series) -> Lookup:
        values, counts = counted(series, self.kind)
        keys = keys_of(values)
        overall = float(array(target).mean())
        places = Lookup(keys, np.arange(values.len(), dtype=float)).series(series)
        known = places.is_not_null().to_numpy()
        sums = np.bincount(array(places)[known].astype(int), array(target)[known], minlength=values.len())
        means = (sums + self.smoothing * overall) / (counts + self.smoothing)
        return Lookup(keys, means, overall if self.unseen is None else float(self.unseen))
