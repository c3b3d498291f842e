"""Two ways to score: one for rows that lack a column, as when its source is down, and one for all others."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from veredito.errors import LearnerError
from veredito.learn.arrays import Want, want_of
from veredito.learn.block import Block, Layout
from veredito.learn.composite import Composite, learner_problems, train_at
from veredito.learn.composition.routing import Routed, Ways, written_kinds
from veredito.learn.held_out import Split
from veredito.learn.learner import Fitted, Learner, names_of, settle
from veredito.learn.preview import Preview
from veredito.learn.step import fitted

_THEN, _OTHERWISE = 0, 1


class WhenMissing(Routed, kind="when_missing"):
    """The first step for rows in which any of the columns is missing, the second for the others."""

    columns: tuple[str, ...]
    texts: tuple[str, ...] = fitted()

    @property
    def routing(self) -> dict[str, Want]:
        """The columns."""
        return {name: "text" if name in self.texts else "number" for name in self.columns}

    def ways(self, table: pl.DataFrame) -> Ways:
        """A look at each column's nulls."""
        lacking = table.select(pl.any_horizontal(pl.col(self.columns).is_null())).to_series()
        return np.where(lacking.to_numpy(), _THEN, _OTHERWISE)

    def finder(self, layout: Layout) -> Callable[[Block], Ways]:
        """A look at each column's slot."""
        numbers = [layout.number_at(name) for name in self.columns if name not in self.texts]
        texts = [layout.text_at(name) for name in self.texts]

        def ways(block: Block) -> Ways:
            lacking: NDArray[np.bool_] = np.any(np.isnan(block.numbers[:, numbers]), axis=1)
            for slot in texts:
                lacking |= np.array([text is None for text in block.texts[slot]])
            return np.where(lacking, _THEN, _OTHERWISE)

        return ways


class when_missing(Composite):
    """Fits a learner that does without some columns, beside one that needs them; each row is scored by one.

    `then` is fitted on all rows, since rows without the columns may be rare in training, or not there at all;
    `otherwise` on the rows that have them.

    Args:
        columns: rows in which any of these is missing go through `then`.
        then: what scores rows without the columns; it should not read them.
        otherwise: what scores all other rows.

    Example:
        >>> from veredito import learn
        >>> table = pl.DataFrame({"bureau": [1.0, 3.0, None], "x": [5.0, 6.0, 7.0]})
        >>> learner = when_missing(
        ...     "bureau",
        ...     then=learn.ecdf(prediction="x", into="rank"),
        ...     otherwise=learn.ecdf(prediction="bureau", into="rank"),
        ... )
        >>> learner(table).table["rank"].to_list()
        [500.0, 1000.0, 1000.0]
    """

    columns: Sequence[str]
    _: dataclasses.KW_ONLY
    then: Learner
    otherwise: Learner

    def __post_init__(self) -> None:
        if problems := learner_problems(self.kind, self.inner, self.on):
            raise LearnerError(problems)
        settle(self, columns=names_of(self.kind, "columns", self.columns))

    @property
    def inner(self) -> tuple[Learner, ...]:
        """Both learners."""
        return (self.then, self.otherwise)

    def check(self, preview: Preview) -> None:
        """The columns must be there, and some rows must have them all; both learners must fit."""
        for name in self.columns:
            text = preview.columns.get(name) == "text"
            preview.need([name], "text" if text else "number", values=True)
        ways = []
        for title, learner in (("then", self.then), ("otherwise", self.otherwise)):
            ways.append(preview.fork())
            with ways[-1].at(f"{preview.place}.{title}"):
                learner.check(ways[-1])
        preview.join_ways(ways)

    def train(self, table: pl.DataFrame, split: Split) -> Fitted:
        """Fit one on all rows, and the other on the rows that lack none of the columns."""
        began = time.perf_counter()
        whole = table.select(pl.all_horizontal(pl.col(self.columns).is_not_null())).to_series()
        mine = whole.to_numpy()
        then = train_at(self.then, f"{self.kind}.then", table, split)
        part = train_at(self.otherwise, f"{self.kind}.otherwise", table.filter(whole), split.take(mine))
        parts = {"then": then, "otherwise": part}
        kinds = written_kinds(self.kind, table, ((n, each.step, each.table) for n, each in parts.items()))
        texts = tuple(name for name in self.columns if want_of(table.schema[name]) == "text")
        steps = (then.step, part.step)
        step = WhenMissing(
            names=tuple(parts), steps=steps, kinds=kinds, columns=tuple(self.columns), texts=texts
        )
        results = [
            (_THEN, np.flatnonzero(~mine), then.table.filter(~whole)),
            (_OTHERWISE, np.flatnonzero(mine), part.table),
        ]
        logs = [each.log | {"learner": title} for title, each in parts.items()]
        return self.fitted(step, step.gather(table, results), logs, split, began)
