"""Categories to numbers: by label, count, frequency or rank.

Categories are texts, whole numbers or booleans. Missing stays missing; an unseen category has a number of its
own choosing, or is missing too.
"""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import ClassVar

import numpy as np
import polars as pl

from veredito.errors import LearnerError, Problem
from veredito.learn.arrays import Want, is_whole, want_of
from veredito.learn.block import Kernel, Layout, Matrix
from veredito.learn.cleaning.selecting import keeping, kept_under
from veredito.learn.kernels import in_order
from veredito.learn.learner import Fit, Learner, names_of, settle
from veredito.learn.lookup import Lookup
from veredito.learn.preview import Preview
from veredito.learn.step import Step, fitted


class Encoder(Step, kind="encoder"):
    """Columns replaced by what a table says of their values.

    `whole` columns are written as integers. With `keep`, unseen numbers stay as they are.
    """

    columns: tuple[str, ...]
    whole: tuple[bool, ...]
    keep: bool
    unseen_as: Matrix = fitted()
    missing_as: Matrix = fitted()
    keys: tuple[tuple[str, ...] | Matrix, ...] = fitted()
    values: tuple[Matrix, ...] = fitted()

    @cached_property
    def lookups(self) -> dict[str, Lookup]:
        """One lookup a column."""
        ends = zip(self.unseen_as.tolist(), self.missing_as.tolist(), strict=True)
        parts = zip(self.columns, self.keys, self.values, ends, strict=True)
        return {name: Lookup(keys, values, *other, keep=self.keep) for name, keys, values, other in parts}

    @property
    def needs(self) -> dict[str, Want]:
        """The columns, as what they were in training."""
        return {name: "text" if lookup.text else "number" for name, lookup in self.lookups.items()}

    @property
    def writes(self) -> tuple[str, ...]:
        """The same columns."""
        return self.columns

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """One join a column."""
        return table.with_columns(
            lookup.series(table[name], whole=whole and (not self.keep or _kept_whole(table.schema[name])))
            for (name, lookup), whole in zip(self.lookups.items(), self.whole, strict=True)
        )

    def bind(self, layout: Layout) -> Kernel:
        """One look into a dictionary a value."""
        sources = [
            layout.text_at(name) if lookup.text else layout.number_at(name)
            for name, lookup in self.lookups.items()
        ]
        pairs = zip(sources, self.lookups.items(), strict=True)
        return in_order([lookup.kernel(source, layout.number(name)) for source, (name, lookup) in pairs])

    def unseen(self, series: pl.Series) -> int:
        """How many values are not in the table."""
        return self.lookups[series.name].unseen_in(series)


def _kept_whole(dtype: pl.DataType) -> bool:
    return dtype == pl.Boolean or is_whole(dtype)


def encoder(columns: Mapping[str, Lookup], *, whole: bool) -> Encoder:
    """An encoder step of these lookups; columns are whole if asked for, and all their numbers are."""
    lookups = columns.values()
    return Encoder(
        tuple(columns),
        tuple(whole and _all_whole(lookup) for lookup in lookups),
        any(lookup.keep for lookup in lookups),
        np.array([lookup.unseen for lookup in lookups], dtype=float),
        np.array([lookup.missing for lookup in lookups], dtype=float),
        tuple(lookup.keys for lookup in lookups),
        tuple(lookup.values for lookup in lookups),
    )


def _all_whole(lookup: Lookup) -> bool:
    numbers = np.array([*lookup.values, lookup.unseen, lookup.missing])
    known = numbers[~np.isnan(numbers)]
    return bool((known == np.rint(known)).all())


class CategoryLearner(Learner):
    """What the encoders share.

    Args:
        columns: columns of categories, encoded in place.
        unseen: what a category that training did not have becomes; missing if not given.
        keep_as: names under which to leave the originals, by column; one name, if there is one column.
    """

    columns: Sequence[str]
    _: dataclasses.KW_ONLY
    unseen: float | None = None
    keep_as: Mapping[str, str] | str | None = None

    whole: ClassVar[bool] = True

    def __post_init__(self) -> None:
        columns = names_of(self.kind, "columns", self.columns)
        settle(self, columns=columns, keep_as=kept_under(self.kind, columns, self.keep_as))

    @abstractmethod
    def numbers(self, values: pl.Series, counts: Matrix) -> Matrix:
        """One number for each distinct value, which are sorted; `counts` says how often each was there."""

    def check(self, preview: Preview) -> None:
        """The columns must be categories, and have values."""
        need_categories(preview, self.columns)
        for source, target in (self.keep_as or {}).items():  # type: ignore[union-attr]
            preview.make_new([target], preview.columns.get(source, "any"))
        preview.make(self.columns)

    def fit(self, table: pl.DataFrame) -> Fit:
        """Count the values of each column."""
        return Fit(
            keeping(
                self.keep_as,
                table,
                encoder({n: self._lookup(table[n]) for n in self.columns}, whole=self.whole),
            )
        )

    def _lookup(self, series: pl.Series) -> Lookup:
        values, counts = counted(series, self.kind)
        unseen = np.nan if self.unseen is None else float(self.unseen)
        return Lookup(keys_of(values), self.numbers(values, counts), unseen)


def need_categories(preview: Preview, columns: Sequence[str]) -> None:
    """Columns of texts, numbers or booleans, with values."""
    for name in columns:
        kind = preview.columns.get(name, "text")
        preview.need([name], "number" if kind == "number" else "text", values=True)


def counted(series: pl.Series, place: str) -> tuple[pl.Series, Matrix]:
    """The distinct values of a column, sorted, texts or float64, and how often each is there.

    Raises:
        LearnerError: the column has no value.
    """
    known = (series if want_of(series.dtype) == "text" else series.cast(pl.Float64)).drop_nulls()
    if known.is_empty():
        raise LearnerError(Problem(place, f"column '{series.name}' has no value at all"))
    counts = known.rename("value").value_counts(name="count").sort("value")
    return counts["value"], counts["count"].cast(pl.Float64).to_numpy()


def keys_of(values: pl.Series) -> tuple[str, ...] | Matrix:
    """Distinct values as the keys of a lookup."""
    return tuple(values.to_list()) if values.dtype == pl.String else values.to_numpy()


class label_encoder(CategoryLearner):
    """Each category's place in sorted order: 0, 1, ….

    Args:
        columns: columns of categories, encoded in place.
        unseen: the number for new categories; missing if not given.
        keep_as: names under which to leave the originals.

    Example:
        >>> step, table, log = label_encoder(["x"], unseen=-99)(pl.DataFrame({"x": ["a", "b", None]}))
        >>> step(pl.DataFrame({"x": ["b", "new", None]}))["x"].to_list()
        [1, -99, None]
    """

    def numbers(self, values: pl.Series, counts: Matrix) -> Matrix:  # noqa: ARG002 - order is all
        """The places."""
        return np.arange(values.len(), dtype=float)


class count_encoder(CategoryLearner):
    """How often each category was there in training.

    Args:
        columns: columns of categories, encoded in place.
        unseen: the number for new categories.
        keep_as: names under which to leave the originals.

    Example:
        >>> step, table, log = count_encoder(["x"])(pl.DataFrame({"x": ["a", "a", "b", None]}))
        >>> step(pl.DataFrame({"x": ["a", "new", None]}))["x"].to_list()
        [2, 1, None]
    """

    _: dataclasses.KW_ONLY
    unseen: float | None = 1

    def numbers(self, values: pl.Series, counts: Matrix) -> Matrix:  # noqa: ARG002 - counts are all
        """The counts."""
        return counts


class frequency_encoder(CategoryLearner):
    """The share of the known values that each category had in training.

    Args:
        columns: columns of categories, encoded in place.
        unseen: the number for new categories.
        keep_as: names under which to leave the originals.

    Example:
        >>> frequency_encoder(["x"])(pl.DataFrame({"x": ["a", "a", "b", "c"]})).table["x"].to_list()
        [0.5, 0.5, 0.25, 0.25]
    """

    _: dataclasses.KW_ONLY
    unseen: float | None = 0.0

    whole = False

    def numbers(self, values: pl.Series, counts: Matrix) -> Matrix:  # noqa: ARG002 - counts are all
        """The shares."""
        shares: Matrix = counts / counts.sum()
        return shares


class rank_encoder(CategoryLearner):
    """Each category's rank by how often it was there: 1 is the most frequent, ties in sorted order.

    Args:
        columns: columns of categories, encoded in place.
        unseen: the number for new categories; missing if not given.
        keep_as: names under which to leave the originals.

    Example:
        >>> rank_encoder(["x"])(pl.DataFrame({"x": ["a", "b", "b"]})).table["x"].to_list()
        [2, 1, 1]
    """

    def numbers(self, values: pl.Series, counts: Matrix) -> Matrix:  # noqa: ARG002 - counts are all
        """The ranks."""
        ranks: Matrix = np.argsort(np.argsort(-counts, kind="stable"), kind="stable").astype(np.float64) + 1.0
        return ranks
