"""One column a category: 1 where the row has it, else 0."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import polars as pl

from veredito.learn.arrays import Want
from veredito.learn.block import Block, Kernel, Layout, Matrix, columns
from veredito.learn.encoding.categories import counted, keys_of, need_categories
from veredito.learn.kernels import in_order
from veredito.learn.learner import Fit, Learner, names_of, settle
from veredito.learn.lookup import Lookup
from veredito.learn.models.model_learner import class_name
from veredito.learn.preview import Preview
from veredito.learn.step import Step, fitted

_NO_COLUMN = -1.0  # the place of a value that has no column of its own


class OneHot(Step, kind="one_hot"):
    """Columns of zeros and ones, one a category, in sorted order; then missing and unseen, if asked for."""

    columns: tuple[str, ...]
    keep: bool
    missing: bool
    new: bool
    drop_first: bool
    keys: tuple[tuple[str, ...] | Matrix, ...] = fitted()

    @cached_property
    def made(self) -> dict[str, tuple[str, ...]]:
        """The columns made of each column."""
        return {name: self._made(name, keys) for name, keys in zip(self.columns, self.keys, strict=True)}

    def _made(self, name: str, keys: tuple[str, ...] | Matrix) -> tuple[str, ...]:
        listed = keys.tolist() if isinstance(keys, np.ndarray) else keys
        categories = [f"{name}={class_name(key)}" for key in listed][int(self.drop_first) :]
        return (*categories, *[f"{name}:missing"] * self.missing, *[f"{name}:unseen"] * self.new)

    @cached_property
    def places(self) -> dict[str, Lookup]:
        """Value to the place of its column among those made of the same column."""
        return {name: self._places(keys) for name, keys in zip(self.columns, self.keys, strict=True)}

    def _places(self, keys: tuple[str, ...] | Matrix) -> Lookup:
        places = np.arange(len(keys), dtype=float) - self.drop_first
        end = float(len(keys) - self.drop_first)
        missing = end if self.missing else _NO_COLUMN
        return Lookup(keys, places, end + self.missing if self.new else _NO_COLUMN, missing)

    @property
    def needs(self) -> dict[str, Want]:
        """The columns, as what they were in training."""
        return {name: "text" if place.text else "number" for name, place in self.places.items()}

    @property
    def writes(self) -> tuple[str, ...]:
        """The columns made."""
        return tuple(new for made in self.made.values() for new in made)

    @property
    def drops(self) -> tuple[str, ...]:
        """The originals, unless they are kept."""
        return () if self.keep else self.columns

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """One lookup a column, and one comparison of small numbers for each that is made of it."""
        places = {name: f"\0{name}" for name in self.columns}
        coded = [
            self.places[name].series(table[name]).cast(pl.Int32).alias(place)
            for name, place in places.items()
        ]
        out = table.with_columns(coded).with_columns(
            (pl.col(places[name]) == i).cast(pl.UInt8).alias(new)
            for name, made in self.made.items()
            for i, new in enumerate(made)
        )
        return out.drop(*places.values(), *self.drops)

    def bind(self, layout: Layout) -> Kernel:
        """All columns made become 0 in one go; then one lookup a column says which one is 1."""
        sources = {
            name: layout.text_at(name) if p.text else layout.number_at(name)
            for name, p in self.places.items()
        }
        slots = {name: [layout.number(new) for new in made] for name, made in self.made.items()}
        zeros = columns([slot for made in slots.values() for slot in made])
        for name in self.drops:
            layout.drop(name)

        def clear(block: Block) -> None:
            block.numbers[:, zeros] = 0.0

        return in_order(
            [clear, *(_mark(self.places[name], sources[name], slots[name]) for name in self.columns)]
        )

    def unseen(self, series: pl.Series) -> int:
        """How many values have no column of their own."""
        return self.places[series.name].unseen_in(series)


def _mark(places: Lookup, source: int, slots: Sequence[int]) -> Kernel:
    slot_of = [*slots, None]  # place -1 finds the last one: no column
    find, listed = places.finder(), np.array([*slots, -1])

    def kernel(block: Block) -> None:
        numbers = block.numbers
        if numbers.shape[0] == 1:
            slot = slot_of[int(find(block.texts[source][0] if places.text else numbers.item(0, source)))]
            if slot is not None:
                numbers[0, slot] = 1.0
            return
        read = block.texts[source] if places.text else numbers[:, source].tolist()
        marked = listed[[int(find(value)) for value in read]]
        rows = np.flatnonzero(marked >= 0)
        numbers[rows, marked[rows]] = 1.0

    return kernel


class one_hot(Learner):
    """Makes one column a category, named ``column=category``, in sorted order.

    Args:
        columns: columns of categories; they are dropped unless `keep` is set.
        keep: keep the originals.
        missing: make a column ``column:missing`` too.
        unseen: make a column ``column:unseen`` too, for categories that training did not have.
        drop_first: leave out the first category's column, which the others imply.

    Example:
        >>> step, table, log = one_hot(["x"], unseen=True)(pl.DataFrame({"x": ["a", "b", None]}))
        >>> step(pl.DataFrame({"x": ["a", "new", None]})).rows()
        [(1, 0, 0), (0, 0, 1), (0, 0, 0)]
    """

    columns: Sequence[str]
    _: dataclasses.KW_ONLY
    keep: bool = False
    missing: bool = False
    unseen: bool = False
    drop_first: bool = False

    def __post_init__(self) -> None:
        settle(self, columns=names_of(self.kind, "columns", self.columns))

    def check(self, preview: Preview) -> None:
        """The columns must be categories; those made of them are known only after fitting."""
        need_categories(preview, self.columns)
        for name in self.columns:
            preview.make_some(f"{name}=")
            preview.make([f"{name}:missing"] * self.missing + [f"{name}:unseen"] * self.unseen)
        if not self.keep:
            preview.drop(self.columns)

    def fit(self, table: pl.DataFrame) -> Fit:
        """Find the categories."""
        keys = tuple(keys_of(counted(table[name], self.kind)[0]) for name in self.columns)
        return Fit(OneHot(tuple(self.columns), self.keep, self.missing, self.unseen, self.drop_first, keys))
