"""A pipeline of learners: each is fitted on what the ones before it made. It is a learner itself, and nests."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable
from typing import Any

import polars as pl

from veredito.errors import LearnerError, Problem, did_you_mean

from .arrays import ROWS_AT_ONCE, Want, slices
from .block import Kernel, Layout
from .held_out import HeldOut, Split
from .kernels import in_order
from .learner import Fit, Fitted, Learner, settle
from .preview import Preview
from .step import Step, fitted


class Pipeline(Step, kind="pipeline"):
    """Steps in order. ``step["capper"]`` is the step of that name; inner pipelines are steps like others."""

    names: tuple[str, ...]
    steps: tuple[Step, ...] = fitted()

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

    @property
    def children(self) -> tuple[Step, ...]:
        """The steps."""
        return self.steps

    def __getitem__(self, name: str) -> Step:
        if name not in self.names:
            hint = did_you_mean(name, self.names)
            raise LearnerError(Problem("pipeline", f"no step is named '{name}'", self.names, hint))
        return self.steps[self.names.index(name)]

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

    def __repr__(self) -> str:
        inner = "".join(
            f"\n  {name}: {step!r}".replace("\n", "\n  ")
            for name, step in zip(self.names, self.steps, strict=True)
        )
        return f"Pipeline({inner}\n)"


class pipeline(Learner, init=False):
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

    learners: tuple[Learner, ...] = ()

    def __init__(self, *learners: Learner, name: str = "", on: HeldOut | None = None) -> None:
        settle(self, learners=tuple(learners), name=name, on=on)
        problems = [
            Problem("pipeline", f"learner {i} is {learner!r}, which is no learner", hint=_hint(learner))
            for i, learner in enumerate[Any](learners, start=1)
            if not isinstance(learner, Learner)
        ]
        if not learners:
            problems.append(Problem("pipeline", "has no learners"))
        if on is not None:
            problems.append(
                Problem("pipeline", "'on' is for one learner", hint="give it to the learners inside")
            )
        if problems:
            raise LearnerError(problems)
        step_names(self.learners, "pipeline")

    def held_parts(self) -> frozenset[HeldOut]:
        """The held-out parts of the learners inside."""
        return frozenset().union(*(learner.held_parts() for learner in self.learners))

    def check(self, preview: Preview) -> None:
        """Each learner in order, on the columns that the ones before it make."""
        for name, learner in zip(step_names(self.learners, "pipeline"), self.learners, strict=True):
            with preview.at(f"{preview.place}.{name}"):
                learner.check(preview)

    def fit(self, table: pl.DataFrame) -> Fit:
        """Fit on all rows, nothing held out."""
        step, result, log = self.train(table, Split.of(self.held_parts(), table, self.kind))
        return Fit(step, table=result, steps=tuple(log["steps"]))

    def train(self, table: pl.DataFrame, split: Split) -> Fitted:
        """Fit each learner on its own rows of what the ones before it made of all rows."""
        started = time.perf_counter()
        steps, logs, result = [], [], table
        for name, learner in zip(step_names(self.learners, "pipeline"), self.learners, strict=True):
            step, result, log = _train(learner, f"{self.kind}.{name}", result, split)
            steps.append(step)
            logs.append(log | {"learner": name})
        step = Pipeline(step_names(self.learners, "pipeline"), tuple(steps))
        rows = table.height if split.training is None else int(split.training.sum())
        log = self._log(Fit(step, steps=tuple(logs)), rows, time.perf_counter() - started)
        return Fitted(step, result, log)

    def _given(self) -> dict[str, Any]:
        return {"learners": self.learners}

    def __repr__(self) -> str:
        inner = "".join(f"\n    {learner!r},".replace("\n", "\n    ") for learner in self.learners)
        return f"pipeline({inner}\n)".replace("\n        ", "\n    ")


def step_names(learners: Iterable[Learner], place: str) -> tuple[str, ...]:
    """A distinct name for each learner: its own, or its kind, numbered where the kind comes again.

    Raises:
        LearnerError: a name was given twice.
    """
    given = [learner.name for learner in learners if learner.name]
    twice = sorted({name for name in given if given.count(name) > 1})
    if twice:
        raise LearnerError([Problem(place, f"two learners are named '{name}'") for name in twice])
    names: list[str] = []
    for learner in learners:
        wanted, number = learner.name or learner.kind, 1
        name = wanted
        while name in names or (not learner.name and name in given):
            number += 1
            name = f"{wanted}_{number}"
        names.append(name)
    return tuple(names)


def _train(learner: Learner, place: str, table: pl.DataFrame, split: Split) -> Fitted:
    try:
        return learner.train(table, split)
    except LearnerError as error:
        named = [
            dataclasses.replace(problem, place=f"{place}: {problem.place}") for problem in error.problems
        ]
        raise LearnerError(named) from error


def _hint(thing: Any) -> str:
    return "call it, with its columns" if isinstance(thing, type) and issubclass(thing, Learner) else ""
