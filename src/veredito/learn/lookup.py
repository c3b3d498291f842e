"""Value to number, by a table: the core of every encoder.

Missing and unseen are two things: a missing value becomes `missing`, one that is not in the table `unseen`.
Either may be NaN, which is missing again. Keys are text, or numbers as float64.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from .arrays import array, column
from .block import Block, Kernel, Matrix


@dataclasses.dataclass(frozen=True, eq=False)
class Lookup:
    """A table from values to numbers.

    Args:
        keys: distinct texts, or an array of distinct numbers in rising order.
        values: one number a key.
        unseen: what a value outside the table becomes.
        missing: what a missing value becomes.
        keep: leave unseen numbers as they are, whatever `unseen` says.
    """

    keys: tuple[str, ...] | Matrix
    values: Matrix
    unseen: float = np.nan
    missing: float = np.nan
    keep: bool = False

    @property
    def text(self) -> bool:
        """Whether the keys are text."""
        return not isinstance(self.keys, np.ndarray)

    @cached_property
    def _by_key(self) -> dict[Any, float]:
        keys = self.keys.tolist() if isinstance(self.keys, np.ndarray) else self.keys
        return {**dict(zip(keys, self.values.tolist(), strict=True)), None: self.missing}

    def series(self, read: pl.Series, *, whole: bool = False) -> pl.Series:
        """The numbers for a column; as integers if `whole`, whenever the table's values are."""
        out = self._of_text(read) if self.text else column(read.name, self.of_numbers(array(read)))
        return out.cast(pl.Int64) if whole else out

    def _of_text(self, read: pl.Series) -> pl.Series:
        if not len(self.keys):
            out = pl.select(pl.repeat(self.unseen, read.len(), dtype=pl.Float64)).to_series()
        else:
            keys = pl.Series(self.keys, dtype=pl.String)
            out = read.replace_strict(keys, self.values, default=self.unseen, return_dtype=pl.Float64)
        found = pl.when(pl.lit(read).is_null()).then(self.missing).otherwise(pl.lit(out)).fill_nan(None)
        return pl.select(found.alias(read.name)).to_series()

    def of_numbers(self, read: Matrix) -> Matrix:
        """The numbers for an array of numbers."""
        if not len(self.keys):
            return np.where(np.isnan(read), self.missing, read if self.keep else self.unseen)
        keys = np.asarray(self.keys)
        at = np.minimum(keys.searchsorted(read), keys.size - 1)
        found = np.where(keys[at] == read, self.values[at], read if self.keep else self.unseen)
        return np.where(np.isnan(read), self.missing, found)

    def unseen_in(self, read: pl.Series) -> int:
        """How many values of a column are neither missing nor in the table."""
        inside = Lookup(self.keys, np.zeros(len(self.keys)), unseen=1.0, missing=0.0)
        return int(inside.series(read).sum())

    def finder(self) -> Callable[[Any], float]:
        """The lookup of one Python value, `None` or NaN if missing."""
        get, unseen, missing = self._by_key.get, self.unseen, self.missing
        if self.text:
            return lambda value: get(value, unseen)
        if self.keep:
            return lambda value: get(value, value) if value == value else missing  # noqa: PLR0124 - NaN
        return lambda value: get(value, unseen) if value == value else missing  # noqa: PLR0124 - NaN

    def kernel(self, source: int, target: int) -> Kernel:
        """The kernel that looks up one column of a block and writes another."""
        return self._text_kernel(source, target) if self.text else self._number_kernel(source, target)

    def _text_kernel(self, source: int, target: int) -> Kernel:
        get, unseen = self._by_key.get, self.unseen

        def kernel(block: Block) -> None:
            texts = block.texts[source]
            if len(texts) == 1:
                block.numbers[0, target] = get(texts[0], unseen)
            else:
                block.numbers[:, target] = [get(text, unseen) for text in texts]

        return kernel

    def _number_kernel(self, source: int, target: int) -> Kernel:
        of_numbers, find = self.of_numbers, self.finder()

        def kernel(block: Block) -> None:
            numbers = block.numbers
            if numbers.shape[0] == 1:
                numbers[0, target] = find(numbers.item(0, source))
            else:
                numbers[:, target] = of_numbers(numbers[:, source])

        return kernel
