"""A pipeline of learners: each is fitted on what the ones before it made. It is a learner itself, and nests."""

from __future__ import annotations

import time

import polars as pl

from .arrays import ROWS_AT_ONCE, Want, slices
from .block import Kernel, Layout
from .composite import Several, Steps, train_at
from .held_out import Split
from .kernels import in_order
from .learner import Fitted
from .preview import Preview


class Pipeline(Steps, kind="pipeline"):
    """Steps in order. ``step["capper"]`` is the step of that name; inner pipelines are steps like others."""

    @property
    def needs(self) -> dict[str, Want]:
        """The columns that must come from outside."""
        made: set[str] = set()
        needs: dict[str, Want] = {}
        for step in self.steps:
            for name, want in step.needs.items():
                if name not in made and needs.get(name, "any") == "any":
                    needs[name] = want
            made |= set(step.writes)
        return needs

    @property
    def writes(self) -> tuple[str, ...]:
        """What any of the steps adds or changes, and is there at the end."""
        written: dict[str, None] = {}
        for step in self.steps:
            written = {name: None for name in written if name not in step.drops} | dict.fromkeys(step.writes)
        return tuple(written)

    @property
    def drops(self) -> tuple[str, ...]:
        """What is there before, and not after."""
        dropped: dict[str, None] = {}
        for step in self.steps:
            dropped = {name: None for name in dropped if name not in step.writes} | dict.fromkeys(step.drops)
        return tuple(dropped)

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """All steps, on as many rows at once as stay near the cache: rows do not depend on each other."""
        if table.height <= ROWS_AT_ONCE:
            return self._apply(table)
        return pl.concat([self._apply(table[rows]) for rows in slices(table.height)], rechunk=False)

    def _apply(self, table: pl.DataFrame) -> pl.DataFrame:
        for step in self.steps:
            table = step.apply(table)
        return table

    def count(self, table: pl.DataFrame, found: dict[str, dict[str, int]]) -> pl.DataFrame:
        """The counts of every step, on the table as it meets it."""
        for step in self.steps:
            table = step.count(table, found)
        return table

    def bind(self, layout: Layout) -> Kernel:
        """The steps' kernels, one after another."""
        return in_order([step.bind(layout) for step in self.steps])


class pipeline(Several, init=False):
    """Learners in order, as one learner.

    Args:
        learners: what to fit, in order. The same learner may come again; names of steps are made distinct.
        name: what it is called in an outer pipeline and in the log.

    Raises:
        LearnerError: it is empty, holds something that is no learner, or gives a name twice.

    Example:
        >>> from veredito import learn
        >>> learner = learn.pipeline(learn.capper(["x"]), learn.imputer(["x"]))
        >>> step, table, log = learner(pl.DataFrame({"x": [1.0, None, 3.0]}))
        >>> table["x"].to_list()
        [1.0, 2.0, 3.0]
    """

    def check(self, preview: Preview) -> None:
        """Each learner in order, on the columns that the ones before it make."""
        for name, learner in self.named:
            with preview.at(f"{preview.place}.{name}"):
                learner.check(preview)

    def train(self, table: pl.DataFrame, split: Split) -> Fitted:
        """Fit each learner on its own rows of what the ones before it made of all rows."""
        began = time.perf_counter()
        steps, logs, result = [], [], table
        for name, learner in self.named:
            step, result, log = train_at(learner, f"{self.kind}.{name}", result, split)
            steps.append(step)
            logs.append(log | {"learner": name})
        names = tuple(name for name, _ in self.named)
        return self.fitted(Pipeline(names, tuple(steps)), result, logs, split, began)
