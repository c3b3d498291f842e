"""A model of its own for each value of a column; each row is scored by the right one alone."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from veredito.errors import LearnerError, Problem, did_you_mean
from veredito.learn.arrays import Want
from veredito.learn.block import Block, Layout, Matrix
from veredito.learn.composite import Composite, learner_problems, train_at
from veredito.learn.composition.routing import NONE, Routed, Ways, written_kinds
from veredito.learn.encoding.categories import counted, keys_of, need_categories
from veredito.learn.held_out import Split
from veredito.learn.learner import Fitted, Learner
from veredito.learn.lookup import Lookup
from veredito.learn.models.model_learner import class_name
from veredito.learn.preview import Preview
from veredito.learn.step import fitted

SEGMENTS_MAX = 200
"""More values than this are no segments but a feature: every one is a fit, and a model to serve."""

ALL = "all rows"
Otherwise = Literal["all", "missing"]


class PerSegment(Routed, kind="per_segment"):
    """A step for each value of a column, and perhaps a last one for all other values."""

    by: str
    keys: tuple[str, ...] | Matrix = fitted()

    @cached_property
    def places(self) -> Lookup:
        """Value to the number of its step."""
        rest = float(len(self.keys)) if len(self.steps) > len(self.keys) else float(NONE)
        return Lookup(self.keys, np.arange(len(self.keys), dtype=float), unseen=rest, missing=rest)

    @property
    def routing(self) -> dict[str, Want]:
        """The column."""
        return {self.by: "text" if self.places.text else "number"}

    def ways(self, table: pl.DataFrame) -> Ways:
        """One lookup a row."""
        return self.places.series(table[self.by]).to_numpy().astype(np.int64)

    def finder(self, layout: Layout) -> Callable[[Block], Ways]:
        """The same lookup, of the block's values."""
        find, text = self.places.finder(), self.places.text
        slot = layout.text_at(self.by) if text else layout.number_at(self.by)

        def ways(block: Block) -> Ways:
            read: Any = block.texts[slot] if text else block.numbers[:, slot].tolist()
            return np.array([find(value) for value in read], dtype=np.int64)

        return ways

    def unseen(self, series: pl.Series) -> int:
        """How many values have no step of their own."""
        return self.places.unseen_in(series) if series.name == self.by else 0


class per_segment(Composite):
    """Fits a learner of its own for each value of a column. To score a row, only its own is computed.

    Args:
        learner: what to fit on each segment, a pipeline as a rule.
        by: the column of segments: texts, whole numbers or booleans.
        rows_min: values with fewer training rows have no segment, and are like unseen ones.
        otherwise: what scores the rows of unseen, rare and missing values: ``all``, the learner fitted on all
            rows, or ``missing``, nothing: their predictions are missing.

    Example:
        >>> from veredito import learn
        >>> table = pl.DataFrame({"shop": ["a", "a", "b", "b"], "x": [1.0, 2.0, 30.0, 40.0]})
        >>> step, _, _ = per_segment(learn.ecdf(prediction="x", into="rank"), by="shop")(table)
        >>> step(pl.DataFrame({"shop": ["a", "b", "new"], "x": [2.0, 2.0, 2.0]}))["rank"].to_list()
        [1000.0, 0.0, 500.0]
    """

    learner: Learner
    _: dataclasses.KW_ONLY
    by: str
    rows_min: int = 1
    otherwise: Otherwise = "all"

    def __post_init__(self) -> None:
        problems = learner_problems(self.kind, [self.learner], self.on)
        if self.rows_min < 1:
            problems.append(Problem(self.kind, f"rows_min must be 1 or more, and is {self.rows_min}"))
        if self.otherwise not in get_args(Otherwise):
            known = get_args(Otherwise)
            hint = did_you_mean(str(self.otherwise), known)
            problems.append(Problem(self.kind, f"unknown otherwise '{self.otherwise}'", known, hint))
        if problems:
            raise LearnerError(problems)

    @property
    def inner(self) -> tuple[Learner, ...]:
        """The learner."""
        return (self.learner,)

    def check(self, preview: Preview) -> None:
        """The column must be categories, not too many; the learner must fit every segment's rows."""
        need_categories(preview, [self.by])
        known = len(preview.problems)
        ways = [preview.fork()]
        with ways[0].at(f"{preview.place}[{ALL}]"):
            self.learner.check(ways[0])
        if len(preview.problems) == known:
            ways += self._segments(preview)
        preview.join_ways(ways)

    def _segments(self, preview: Preview) -> list[Preview]:
        values = preview.classes(self.by)
        if values is None:
            return []
        masks = {value: preview.rows_where(self.by, value) for value in values[: SEGMENTS_MAX + 1]}
        masks = {value: rows for value, rows in masks.items() if rows.sum() >= self.rows_min}
        if len(masks) > SEGMENTS_MAX:
            hint = "raise rows_min, or give the column to the model as a feature"
            preview.wrong(f"column '{self.by}' has more than {SEGMENTS_MAX} segments", hint=hint)
            return []
        if not masks:
            hint = "lower rows_min"
            preview.wrong(f"no value of '{self.by}' has {self.rows_min} rows or more", hint=hint)
        forks = []
        for value, rows in masks.items():
            fork = preview.fork(rows)
            with fork.at(f"{preview.place}[{self._title(value)}]"):
                self.learner.check(fork)
            forks.append(fork)
        return forks

    def _title(self, value: object) -> str:
        return f"{self.by}={class_name(value)}"

    def train(self, table: pl.DataFrame, split: Split) -> Fitted:
        """Fit the learner on the rows of each segment, and on all rows for those that have none."""
        began = time.perf_counter()
        values, counts = counted(table[self.by], self.kind)
        values = values.filter(pl.Series(counts >= self.rows_min))
        places = Lookup(keys_of(values), np.arange(values.len(), dtype=float), unseen=NONE, missing=NONE)
        ways = places.series(table[self.by]).to_numpy().astype(np.int64)
        parts = {}
        for way, value in enumerate(values.to_list()):
            mine, title = ways == way, self._title(value)
            part = table.filter(pl.Series(mine))
            parts[title] = train_at(self.learner, f"{self.kind}[{title}]", part, split.take(mine))
        results = [(way, np.flatnonzero(ways == way), part.table) for way, part in enumerate(parts.values())]
        if self.otherwise == "all":
            parts[ALL] = train_at(self.learner, f"{self.kind}[{ALL}]", table, split)
            rest = np.flatnonzero(ways == NONE)
            results += [(len(parts) - 1, rest, parts[ALL].table[rest])]
        elif (ways == NONE).any():
            results.append((NONE, np.flatnonzero(ways == NONE), table))
        kinds = written_kinds(self.kind, table, ((n, part.step, part.table) for n, part in parts.items()))
        steps = tuple(part.step for part in parts.values())
        step = PerSegment(names=tuple(parts), steps=steps, kinds=kinds, by=self.by, keys=keys_of(values))
        logs = [part.log | {"learner": title} for title, part in parts.items()]
        return self.fitted(step, step.gather(table, results), logs, split, began)
