"""Numbers to the number of their bin.

With edges e0 < e1 < … < ek, what is below the first edge is in bin 0, and there is no bin above the last:
the largest training value, and all beyond it, are in bin k.
"""

from __future__ import annotations

import dataclasses
import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import polars as pl

from veredito.errors import LearnerError, Problem
from veredito.learn.arrays import Want, array, column
from veredito.learn.block import Block, Kernel, Layout, Matrix
from veredito.learn.cleaning.selecting import keeping, kept_under
from veredito.learn.kernels import in_order
from veredito.learn.learner import Fit, Learner, names_of, settle
from veredito.learn.preview import Preview
from veredito.learn.step import Step, fitted

Closed = Literal["left", "right"]
"""Which end of a bin belongs to it."""


class Binned(Step, kind="binned"):
    """Columns replaced by how many cuts each value is past; a cut belongs to the bin whose closed end it is."""

    columns: tuple[str, ...]
    closed: Closed
    cuts: tuple[Matrix, ...] = fitted()

    @property
    def needs(self) -> dict[str, Want]:
        """The columns, as numbers."""
        return dict.fromkeys(self.columns, "number")

    @property
    def writes(self) -> tuple[str, ...]:
        """The same columns."""
        return self.columns

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """One binary search a value."""
        return table.with_columns(
            column(name, bin_of(array(table[name]), cuts, self.closed)).cast(pl.Int64)
            for name, cuts in zip(self.columns, self.cuts, strict=True)
        )

    def bind(self, layout: Layout) -> Kernel:
        """The same search; by `bisect` for one row."""
        pairs = zip(self.columns, self.cuts, strict=True)
        return in_order(
            [_search(layout.number_at(name), layout.number(name), cuts, self.closed) for name, cuts in pairs]
        )


def bin_of(values: Matrix, cuts: Matrix, closed: Closed) -> Matrix:
    """How many cuts each value is past, NaN for NaN."""
    found = cuts.searchsorted(values, side="right" if closed == "left" else "left").astype(float)
    found[np.isnan(values)] = np.nan
    return found


def _search(source: int, target: int, cuts: Matrix, closed: Closed) -> Kernel:
    listed, search = cuts.tolist(), bisect_right if closed == "left" else bisect_left

    def kernel(block: Block) -> None:
        numbers = block.numbers
        if numbers.shape[0] == 1:
            value = numbers.item(0, source)
            numbers[0, target] = search(listed, value) if value == value else np.nan  # noqa: PLR0124 - NaN
        else:
            numbers[:, target] = bin_of(numbers[:, source], cuts, closed)

    return kernel


class _Binner(Learner):
    """What the binners share: in place, originals kept on demand."""

    columns: Sequence[str]
    _: dataclasses.KW_ONLY
    closed: Closed = "right"
    keep_as: Mapping[str, str] | str | None = None

    def __post_init__(self) -> None:
        columns = names_of(self.kind, "columns", self.columns)
        settle(self, columns=columns, keep_as=kept_under(self.kind, columns, self.keep_as))
        check_closed(self.kind, self.closed)

    def check(self, preview: Preview) -> None:
        """The columns must be numbers."""
        preview.need(self.columns, "number", values=True)
        for source, target in (self.keep_as or {}).items():  # type: ignore[union-attr]
            preview.make_new([target], preview.columns.get(source, "any"))
        preview.make(self.columns)

    def _fit(self, table: pl.DataFrame, cuts: Sequence[Matrix], notes: Sequence[str] = ()) -> Fit:
        step = Binned(tuple(self.columns), self.closed, tuple(cuts))
        return Fit(keeping(self.keep_as, table, step), tuple(notes))


def check_closed(place: str, closed: Any) -> None:
    """Refuse a side that is none.

    Raises:
        LearnerError: it is neither left nor right.
    """
    if closed not in {"left", "right"}:
        raise LearnerError(Problem(place, f"unknown closed '{closed}'", ("left", "right")))


class quantile_binner(_Binner):
    """Bins with about as many training values each. Bin 0 is for the training minimum (right-closed) and below.

    Args:
        columns: numeric columns, replaced in place.
        bins: how many; fewer where quantiles are equal, which the log says.
        closed: which end of a bin belongs to it.
        keep_as: names under which to leave the originals.

    Example:
        >>> quantile_binner(["x"], bins=4)(pl.DataFrame({"x": [*range(1, 11), None]})).table["x"].to_list()
        [0, 1, 1, 2, 2, 3, 3, 4, 4, 4, None]
    """

    _: dataclasses.KW_ONLY
    bins: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bins < 1:
            raise LearnerError(Problem(self.kind, f"bins must be 1 or more, and is {self.bins}"))

    def fit(self, table: pl.DataFrame) -> Fit:
        """Learn the quantiles."""
        cuts, notes = [], []
        for name in self.columns:
            known = array(table[name])
            known = known[np.isfinite(known)]
            if not known.size:
                raise LearnerError(Problem(self.kind, f"column '{name}' has no value at all"))
            edges = np.quantile(known, np.linspace(0, 1, self.bins + 1))
            distinct = np.unique(edges)
            if distinct.size < edges.size:
                notes.append(f"column '{name}': {edges.size - distinct.size} repeated edges merged")
            cuts.append(distinct[:-1] if distinct.size > 1 else distinct)
        return self._fit(table, cuts, notes)


class binner(_Binner):
    """Bins with the edges given: bin i is between edge i and edge i + 1, counted from 0 below the first.

    Args:
        columns: numeric columns, replaced in place.
        edges: rising numbers, the same for all columns.
        closed: which end of a bin belongs to it.
        keep_as: names under which to leave the originals.

    Example:
        >>> binner(["x"], edges=[10, 20])(pl.DataFrame({"x": [5, 10, 15, 25]})).table["x"].to_list()
        [0, 0, 1, 2]
    """

    _: dataclasses.KW_ONLY
    edges: Sequence[float]

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, edges=rising(self.kind, self.edges))

    def fit(self, table: pl.DataFrame) -> Fit:
        """Nothing is learned."""
        return self._fit(table, [np.array(self.edges)] * len(self.columns))


def rising(place: str, edges: Sequence[float]) -> tuple[float, ...]:
    """Edges as floats.

    Raises:
        LearnerError: there is none, or they do not rise.
    """
    found = tuple(float(edge) for edge in edges)
    if not found or not all(one < other for one, other in itertools.pairwise(found)):
        raise LearnerError(Problem(place, f"edges must rise, and are {list(edges)}"))
    return found
