"""What each step of a model costs a row, and which of them have only a table form."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import msgspec
import polars as pl

from veredito.learn.arrays import Want
from veredito.learn.block import Block, Kernel, Layout
from veredito.learn.step import Step, walk
from veredito.model import Model, RowPlan


class StepCost(msgspec.Struct, frozen=True):
    """One step of a model.

    Attributes:
        step: its kind, and the first columns that it writes.
        row_us: median time for one row, in microseconds.
        table_only: whether it makes a table for each row, because it has no other form.
    """

    step: str
    row_us: float
    table_only: bool


class _Timed(Step):
    """A step whose kernel writes down how long it takes."""

    inner: Step
    seconds: list[float]

    @property
    def needs(self) -> dict[str, Want]:
        return dict(self.inner.needs)

    @property
    def writes(self) -> tuple[str, ...]:
        return self.inner.writes

    @property
    def drops(self) -> tuple[str, ...]:
        return self.inner.drops

    @property
    def children(self) -> tuple[Step, ...]:
        return (self.inner,)

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        return self.inner.apply(table)

    def bind(self, layout: Layout) -> Kernel:
        kernel, seconds = self.inner.bind(layout), self.seconds

        def timed(block: Block) -> None:
            begun = perf_counter()
            kernel(block)
            seconds.append(perf_counter() - begun)

        return timed


def step_costs(model: Model, rows: Sequence[Any]) -> list[StepCost]:
    """The cost of each step, one row at a time.

    Args:
        model: a loaded model.
        rows: of its in-schema, at least one.
    """
    steps = model.step.children if model.step.kind == "pipeline" else (model.step,)
    timed = [_Timed(step, []) for step in steps]
    whole = (
        type(model.step).restore(model.step.params(), model.step.state() | {"steps": timed})
        if model.step.kind == "pipeline"
        else timed[0]
    )
    plan = RowPlan(whole, model.in_schema, model.out_schema)
    for row in rows:
        plan.score(plan.fill([row]))
    return [
        StepCost(_named(one.inner), statistics.median(one.seconds) * 1e6, _table_only(one.inner))
        for one in timed
    ]


def _named(step: Step) -> str:
    written = step.writes
    return f"{step.kind} ▸ {', '.join(written[:3])}{', …' if len(written) > 3 else ''}"


def _table_only(step: Step) -> bool:
    return any(part.table_only for part in walk(step))
