"""Learners beside each other: each is fitted on the same table, and what they make is joined."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

import polars as pl

from veredito.errors import LearnerError, Problem
from veredito.learn.arrays import Want
from veredito.learn.block import Kernel, Layout
from veredito.learn.composite import Several, Steps, train_at
from veredito.learn.held_out import Split
from veredito.learn.kernels import in_order
from veredito.learn.learner import Fitted
from veredito.learn.preview import Preview


class SideBySide(Steps, kind="side_by_side"):
    """Steps that all read the same table."""

    @property
    def needs(self) -> dict[str, Want]:
        """The columns that any of the steps reads."""
        return merged(step.needs for step in self.steps)

    @property
    def writes(self) -> tuple[str, ...]:
        """What the steps write; no column is written by two."""
        return tuple(name for step in self.steps for name in step.writes)

    @property
    def drops(self) -> tuple[str, ...]:
        """What any of the steps drops."""
        return tuple(dict.fromkeys(name for step in self.steps for name in step.drops))

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """Each step on the table as it came."""
        results = [(step, step.apply(table)) for step in self.steps]
        made = [result[name] for step, result in results for name in step.writes]
        return table.with_columns(made).drop(self.drops, strict=False)

    def bind(self, layout: Layout) -> Kernel:
        """The steps' kernels, each writing to slots of its own."""
        forks = [layout.fork() for _ in self.steps]
        kernels = [step.bind(fork) for step, fork in zip(self.steps, forks, strict=True)]
        for step, fork in zip(self.steps, forks, strict=True):
            layout.join(fork, step.writes)
        for name in self.drops:
            layout.drop(name)
        return in_order(kernels)

    def count(self, table: pl.DataFrame, found: dict[str, dict[str, int]]) -> pl.DataFrame:
        """The counts of every step, on the same table."""
        for step in self.steps:
            step.count(table, found)
        return self.apply(table)


def merged(needs: Iterable[Mapping[str, Want]]) -> dict[str, Want]:
    """What is read by those that stand beside each other; who wants anything takes what another wants."""
    merged: dict[str, Want] = {}
    for name, want in ((name, want) for one in needs for name, want in one.items()):
        if merged.get(name, "any") == "any":
            merged[name] = want
    return merged


class side_by_side(Several, init=False):
    """Learners that are fitted on the same table; what each makes is added to it.

    A column that one of them changes in place is still as it was to the others. Two learners cannot make the
    same column.

    Args:
        learners: what to fit; nested as you like.
        name: what it is called in a pipeline and in the log.

    Raises:
        LearnerError: it is empty, holds something that is no learner, or gives a name twice.

    Example:
        >>> from veredito import learn
        >>> both = learn.side_by_side(learn.capper(["x"], bounds={"x": 2}), learn.ecdf(prediction="x", into="rank"))
        >>> both(pl.DataFrame({"x": [1, 2, 3, 4]})).table.rows()
        [(1, 250.0), (2, 500.0), (2, 750.0), (2, 1000.0)]
    """

    def check(self, preview: Preview) -> None:
        """Each learner on the same columns; what they make must be apart."""
        forks = {}
        for name, learner in self.named:
            forks[name] = preview.fork()
            with forks[name].at(f"{preview.place}.{name}"):
                learner.check(forks[name])
        preview.join(forks)

    def train(self, table: pl.DataFrame, split: Split) -> Fitted:
        """Fit each learner on its own rows of the same table."""
        began = time.perf_counter()
        parts = {name: train_at(learner, f"{self.kind}.{name}", table, split) for name, learner in self.named}
        step = SideBySide(tuple(parts), tuple(part.step for part in parts.values()))
        touched = [name for part in step.steps for name in (*part.writes, *part.drops) if name in step.writes]
        twice = sorted({name for name in touched if touched.count(name) > 1})
        if twice:
            what = "is made or dropped by two learners"
            raise LearnerError([Problem(self.kind, f"column '{name}' {what}") for name in twice])
        made = [part.table[name] for part in parts.values() for name in part.step.writes]
        logs = [part.log | {"learner": name} for name, part in parts.items()]
        result = table.with_columns(made).drop(step.drops, strict=False)
        return self.fitted(step, result, logs, split, began)
