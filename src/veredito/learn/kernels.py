"""Kernels that many steps share: one vectorised operation over all the columns of a step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import polars as pl

from .arrays import Want, array, column
from .block import Block, Kernel, Layout, Matrix, columns


def over(
    layout: Layout, reads: Sequence[str], writes: Sequence[str], function: Callable[[Matrix], Matrix]
) -> Kernel:
    """`function` of the columns read, shape (rows, reads), to the columns written."""
    source = columns([layout.number_at(name) for name in reads])
    target = columns([layout.number(name) for name in writes])

    def kernel(block: Block) -> None:
        numbers = block.numbers
        numbers[:, target] = function(numbers[:, source])

    return kernel


Change: TypeAlias = Callable[[Matrix], object]
"""Changes columns in place, shape (rows, columns), or (columns,) for one row; element by element.
What it returns is not looked at."""


class InPlace:
    """A kernel that changes columns where they lie, side by side.

    Neighbours of the same columns become one kernel with one view of the block: for one row, taking the view
    and writing back what was computed costs as much as the arithmetic.
    """

    __slots__ = ("changes", "where")

    def __init__(self, where: slice, changes: tuple[Change, ...]) -> None:
        self.where, self.changes = where, changes

    def __call__(self, block: Block) -> None:
        """Change the columns."""
        numbers = block.numbers
        # numpy is twice as fast on the one dimension of a row as on a matrix of one row.
        view = numbers[0, self.where] if numbers.shape[0] == 1 else numbers[:, self.where]
        for change in self.changes:
            change(view)


def changing(layout: Layout, names: Sequence[str], change: Change) -> Kernel:
    """The kernel of a step that changes columns and keeps their names."""
    source = columns([layout.number_at(name) for name in names])
    target = columns([layout.number(name) for name in names])
    if isinstance(source, slice) and source == target:
        return InPlace(source, (change,))

    def kernel(block: Block) -> None:
        part = np.array(block.numbers[:, source])
        change(part)
        block.numbers[:, target] = part

    return kernel


def nothing(block: Block) -> None:
    """The kernel of a step that changes no value."""


class InOrder:
    """Kernels one after another."""

    __slots__ = ("kernels",)

    def __init__(self, kernels: tuple[Kernel, ...]) -> None:
        self.kernels = kernels

    def __call__(self, block: Block) -> None:
        """Run them."""
        for kernel in self.kernels:
            kernel(block)


def in_order(kernels: Iterable[Kernel]) -> Kernel:
    """One kernel that runs several, one after another; those that change the same columns are joined."""
    joined: list[Kernel] = []
    for kernel in _flat(kernels):
        last = joined[-1] if joined else None
        if isinstance(last, InPlace) and isinstance(kernel, InPlace) and last.where == kernel.where:
            joined[-1] = InPlace(last.where, last.changes + kernel.changes)
        elif kernel is not nothing:
            joined.append(kernel)
    return joined[0] if len(joined) == 1 else InOrder(tuple(joined))


def _flat(kernels: Iterable[Kernel]) -> Iterator[Kernel]:
    for kernel in kernels:
        if isinstance(kernel, InOrder):
            yield from kernel.kernels
        else:
            yield kernel


def copy(layout: Layout, pairs: Mapping[str, str]) -> Kernel:
    """Copies of columns under other names."""
    kinds = layout.names
    numbers = [(source, target) for source, target in pairs.items() if kinds[source] == "number"]
    kernels: list[Kernel] = []
    if numbers:
        reads, writes = zip(*numbers, strict=True)
        kernels.append(over(layout, reads, writes, np.copy))
    for source, target in pairs.items():
        if kinds[source] == "text":
            kernels.append(_copy_text(layout.text_at(source), layout.text(target)))
    return in_order(kernels) if kernels else nothing


def _copy_text(source: int, target: int) -> Kernel:
    def kernel(block: Block) -> None:
        block.texts[target] = list(block.texts[source])

    return kernel


def through_table(
    layout: Layout,
    dtypes: Mapping[str, pl.DataType],
    kinds: Mapping[str, Want],
    apply: Callable[[pl.DataFrame], pl.DataFrame],
    writes: Mapping[str, Want],
) -> Kernel:
    """The kernel of a step that has only a table form: it builds a small table, and reads it back.

    Args:
        layout: where the columns are.
        dtypes: what each column read was when the step was fitted.
        kinds: whether each is a number, a text or a timestamp.
        apply: the table form.
        writes: what it writes, and whether that is a number or a text.
    """
    sources = {
        name: layout.text_at(name) if kinds[name] == "text" else layout.number_at(name) for name in dtypes
    }
    targets = {
        name: layout.text(name) if want == "text" else layout.number(name) for name, want in writes.items()
    }

    def kernel(block: Block) -> None:
        read = [_series(block, name, slot, kinds[name], dtypes[name]) for name, slot in sources.items()]
        result = apply(pl.DataFrame(read, height=block.rows))
        for name, slot in targets.items():
            if writes[name] == "text":
                block.texts[slot] = result[name].cast(pl.String).to_list()
            else:
                block.numbers[:, slot] = array(result[name])

    return kernel


def _series(block: Block, name: str, slot: int, want: Want, dtype: pl.DataType) -> pl.Series:
    if want == "text":
        return pl.Series(name, block.texts[slot], dtype=pl.String)
    seconds = column(name, block.numbers[:, slot])
    if want != "timestamp":
        return seconds.cast(dtype)
    return (seconds * 1e6).round().cast(pl.Int64).cast(pl.Datetime("us", "UTC")).cast(dtype)
