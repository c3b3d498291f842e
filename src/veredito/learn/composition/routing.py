"""Rows that part: each goes through one of several steps, and only that one is computed for it.

A column that the step of a row does not write stays as it was, if any of the steps reads it as what it is
afterwards, and is missing otherwise. Columns written are float64 or text, so that their type does not depend on which rows a table has.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from veredito.errors import LearnerError, Problem
from veredito.learn.arrays import Want, array, column, want_of
from veredito.learn.block import Block, Kernel, Layout
from veredito.learn.composite import Steps
from veredito.learn.composition.side_by_side import merged
from veredito.learn.kernels import in_order, nothing
from veredito.learn.step import Step, fitted

Ways: TypeAlias = NDArray[np.int64]
"""For each row the number of its step, or -1 for none."""

NONE = -1


class Routed(Steps):
    """Steps of which each row has one; `kinds` says of each column written whether it is number or text."""

    kinds: dict[str, Want] = fitted()

    @property
    @abstractmethod
    def routing(self) -> dict[str, Want]:
        """The columns that decide which way a row goes."""

    @abstractmethod
    def ways(self, table: pl.DataFrame) -> Ways:
        """Which way each row of a table goes."""

    @abstractmethod
    def finder(self, layout: Layout) -> Callable[[Block], Ways]:
        """Which way each row of a block goes."""

    @property
    def needs(self) -> dict[str, Want]:
        """What decides, and what any of the steps reads."""
        return merged([self.routing, *(step.needs for step in self.steps)])

    @property
    def writes(self) -> tuple[str, ...]:
        """What any of the steps writes."""
        return tuple(self.kinds)

    @cached_property
    def kept(self) -> frozenset[str]:
        """The columns that stay as they were in rows whose step does not write them."""
        return frozenset(name for name, kind in self.kinds.items() if self.needs.get(name) == kind)

    @property
    def drops(self) -> tuple[str, ...]:
        """What all of the steps drop."""
        first, *rest = (step.drops for step in self.steps)
        return tuple(name for name in first if all(name in drops for drops in rest))

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """Each step on its own rows."""
        ways = self.ways(table)
        parts = []
        for way in np.unique(ways).tolist():
            rows = np.flatnonzero(ways == way)
            mine = table if rows.size == table.height else table[rows]
            parts.append((way, rows, mine if way == NONE else self.steps[way].apply(mine)))
        return self.gather(table, parts)

    def gather(self, table: pl.DataFrame, parts: Sequence[tuple[int, Ways, pl.DataFrame]]) -> pl.DataFrame:
        """The table with what each step made of its rows: its number, the rows, and the table it made."""
        if not parts:
            parts = [(NONE, np.arange(table.height), table)]
        made = pl.concat([self._made(way, table, rows, after) for way, rows, after in parts])
        back = np.argsort(np.concatenate([rows for _, rows, _ in parts]))
        return table.with_columns(made[back].get_columns()).drop(self.drops, strict=False)

    def _made(self, way: int, table: pl.DataFrame, rows: Ways, after: pl.DataFrame) -> pl.DataFrame:
        written = () if way == NONE else self.steps[way].writes
        return pl.DataFrame(
            [
                _typed(after[name], kind)
                if name in written
                else _typed(table[name][rows], kind)
                if name in self.kept
                else pl.Series(name, [None] * rows.size, dtype=_DTYPES[kind])
                for name, kind in self.kinds.items()
            ]
        )

    def count(self, table: pl.DataFrame, found: dict[str, dict[str, int]]) -> pl.DataFrame:
        """The counts of every step on its own rows, added up."""
        after = super().count(table, found)
        ways, sums = self.ways(table), dict[str, dict[str, int]]()
        for way, step in enumerate(self.steps):
            mine: dict[str, dict[str, int]] = {}
            step.count(table[np.flatnonzero(ways == way)], mine)
            for name, tally in mine.items():
                total = sums.setdefault(name, {})
                total |= {what: number + total.get(what, 0) for what, number in tally.items()}
        for name, tally in sums.items():
            known = found.setdefault(name, {})
            known |= {what: max(number, known.get(what, 0)) for what, number in tally.items()}
        return after

    def bind(self, layout: Layout) -> Kernel:
        """One step's kernel for each row: on the block itself where all rows go one way, else on their part."""
        find, before = self.finder(layout), layout.fork()
        forks = [layout.fork() for _ in self.steps]
        kernels = [step.bind(fork) for step, fork in zip(self.steps, forks, strict=True)]
        numbers = {name: layout.number(name) for name, kind in self.kinds.items() if kind == "number"}
        texts = {name: layout.text(name) for name, kind in self.kinds.items() if kind == "text"}
        ways = [
            in_order([kernel, *self._gathering(fork, before, step.writes, numbers, texts)])
            for kernel, fork, step in zip(kernels, forks, self.steps, strict=True)
        ]
        ways.append(in_order([nothing, *self._gathering(before, before, (), numbers, texts)]))  # at place -1
        for name in self.drops:
            layout.drop(name)
        return _parting(find, ways, list(numbers.values()), list(texts.values()))

    def _gathering(
        self,
        own: Layout,
        before: Layout,
        written: Sequence[str],
        numbers: dict[str, int],
        texts: dict[str, int],
    ) -> list[Kernel]:
        """Kernels that bring what a step wrote, or what was there before, to the slots where it is looked for."""
        source = dict.fromkeys(self.kept, before) | dict.fromkeys(written, own)
        moved = [(source[name].number_at(name), slot) for name, slot in numbers.items() if name in source]
        texts_moved = [(source[name].text_at(name), slot) for name, slot in texts.items() if name in source]
        blank = [slot for name, slot in numbers.items() if name not in source]
        texts_blank = [slot for name, slot in texts.items() if name not in source]
        return [_moving(moved, blank), *_moving_texts(texts_moved, texts_blank)]


def _moving(moved: Sequence[tuple[int, int]], blank: Sequence[int]) -> Kernel:
    pairs = [(source, target) for source, target in moved if source != target]
    sources, targets = [source for source, _ in pairs], [target for _, target in pairs]
    if not pairs and not blank:
        return nothing

    def kernel(block: Block) -> None:
        numbers = block.numbers
        if pairs:
            numbers[:, targets] = numbers[:, sources]
        if blank:
            numbers[:, blank] = np.nan

    return kernel


def _moving_texts(moved: Sequence[tuple[int, int]], blank: Sequence[int]) -> list[Kernel]:
    pairs = [(source, target) for source, target in moved if source != target]
    if not pairs and not blank:
        return []

    def kernel(block: Block) -> None:
        for source, target in pairs:
            block.texts[target] = list(block.texts[source])
        for target in blank:
            block.texts[target] = [None] * block.rows

    return [kernel]


def _parting(
    find: Callable[[Block], Ways], ways: Sequence[Kernel], numbers: list[int], texts: list[int]
) -> Kernel:
    def kernel(block: Block) -> None:
        if not block.rows:
            return
        found = find(block)
        if block.rows == 1 or bool((found == found[0]).all()):
            ways[found[0]](block)
            return
        for way in np.unique(found).tolist():
            rows = np.flatnonzero(found == way)
            part = Block(block.numbers[rows], [[text[i] for i in rows.tolist()] for text in block.texts])
            ways[way](part)
            block.numbers[rows[:, None], numbers] = part.numbers[:, numbers]
            for slot in texts:
                _put(block.texts, slot, rows.tolist(), part.texts[slot])

    return kernel


def _put(texts: list[list[str | None]], slot: int, rows: Sequence[int], values: Sequence[str | None]) -> None:
    changed = list(texts[slot])
    for i, value in zip(rows, values, strict=True):
        changed[i] = value
    texts[slot] = changed


_DTYPES: dict[str, Any] = {"number": pl.Float64, "text": pl.String}


def _typed(series: pl.Series, kind: Want) -> pl.Series:
    return column(series.name, array(series)) if kind == "number" else series.cast(pl.String)


def written_kinds(
    place: str, table: pl.DataFrame, results: Iterable[tuple[str, Step, pl.DataFrame]]
) -> dict[str, Want]:
    """Whether each column that the steps write is a number or a text.

    Args:
        place: whose steps they are.
        table: what they were fitted on.
        results: for each step its name, itself, and the table it made.

    Raises:
        LearnerError: steps do not agree about a column, or it is neither.
    """
    steps = list(results)
    read = {name for _, step, _ in steps for name in step.reads}
    kinds: dict[str, dict[Want, str]] = {}
    for title, step, after in steps:
        for name in step.writes:
            kinds.setdefault(name, {}).setdefault(want_of(after.schema[name]), title)
    for name, found in kinds.items():
        if name in read and any(name not in step.writes for _, step, _ in steps):
            found.setdefault(want_of(table.schema[name]), "the table itself")
    problems = []
    for name, found in kinds.items():
        if set(found) not in ({"number"}, {"text"}):
            shown = ", ".join(f"{kind} by {title}" for kind, title in found.items())
            hint = "rows that part can be given numbers, or texts, one of them in all rows"
            problems.append(Problem(place, f"column '{name}' is {shown}", hint=hint))
    if problems:
        raise LearnerError(problems)
    return {name: next(iter(found)) for name, found in kinds.items()}
