"""What composites share: steps by name, and learners that are fitted by fitting the learners inside."""

from __future__ import annotations

import dataclasses
import time
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from veredito.errors import LearnerError, Problem, did_you_mean

from .held_out import HeldOut, Split
from .learner import Fit, Fitted, Learner, settle
from .step import Step, fitted


class Steps(Step):
    """Steps that have names: ``step["capper"]`` is the step of that name."""

    names: tuple[str, ...]
    steps: tuple[Step, ...] = fitted()

    @property
    def children(self) -> tuple[Step, ...]:
        """The steps."""
        return self.steps

    def __getitem__(self, name: str) -> Step:
        if name not in self.names:
            hint = did_you_mean(name, self.names)
            raise LearnerError(Problem(self.kind, f"no step is named '{name}'", self.names, hint))
        return self.steps[self.names.index(name)]

    def __repr__(self) -> str:
        named = zip(self.names, self.steps, strict=True)
        lines = (f"\n  {name}: {step!r}".replace("\n", "\n  ") for name, step in named)
        return f"{type(self).__name__}({''.join(lines)}\n)"


class Composite(Learner):
    """A learner made of learners."""

    @property
    @abstractmethod
    def inner(self) -> tuple[Learner, ...]:
        """The learners inside."""

    def held_parts(self) -> frozenset[HeldOut]:
        """The held-out parts of the learners inside."""
        return frozenset().union(*(learner.held_parts() for learner in self.inner))

    def fit(self, table: pl.DataFrame) -> Fit:
        """Fit the learners inside, each on its own rows."""
        step, result, log = self.train(table, Split.of(self.held_parts(), table, self.kind))
        return Fit(step, table=result, steps=tuple(log["steps"]))

    def fitted(
        self, step: Step, result: pl.DataFrame, logs: Iterable[dict[str, Any]], split: Split, began: float
    ) -> Fitted:
        """The triple, with the logs of the learners inside in its own."""
        rows = result.height if split.training is None else int(split.training.sum())
        log = self._log(Fit(step, steps=tuple(logs)), rows, time.perf_counter() - began)
        return Fitted(step, result, log)


class Several(Composite, init=False):
    """Any number of learners, given one after the other."""

    learners: tuple[Learner, ...] = ()

    def __init__(self, *learners: Learner, name: str = "", on: HeldOut | None = None) -> None:
        settle(self, learners=tuple(learners), name=name, on=on)
        problems = learner_problems(self.kind, learners, on)
        if not learners:
            problems.append(Problem(self.kind, "has no learners"))
        if problems:
            raise LearnerError(problems)
        step_names(self.learners, self.kind)

    @property
    def inner(self) -> tuple[Learner, ...]:
        """The learners."""
        return self.learners

    @property
    def named(self) -> list[tuple[str, Learner]]:
        """The learners, with the names of their steps."""
        return list(zip(step_names(self.learners, self.kind), self.learners, strict=True))

    def _given(self) -> dict[str, Any]:
        return {"learners": self.learners}

    def __repr__(self) -> str:
        inner = "".join(f"\n    {learner!r},".replace("\n", "\n    ") for learner in self.learners)
        return f"{self.kind}({inner}\n)".replace("\n        ", "\n    ")


def learner_problems(place: str, learners: Sequence[Any], on: HeldOut | None) -> list[Problem]:
    """What is wrong with the learners that a composite is given."""
    problems = [
        Problem(place, f"learner {i} is {learner!r}, which is no learner", hint=_hint(learner))
        for i, learner in enumerate(learners, start=1)
        if not isinstance(learner, Learner)
    ]
    if on is not None:
        problems.append(Problem(place, "'on' is for one learner", hint="give it to the learners inside"))
    return problems


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


def train_at(learner: Learner, place: str, table: pl.DataFrame, split: Split) -> Fitted:
    """Fit an inner learner, and name its place in what it says is wrong."""
    try:
        return learner.train(table, split)
    except LearnerError as error:
        named = [
            dataclasses.replace(problem, place=f"{place}: {problem.place}") for problem in error.problems
        ]
        raise LearnerError(named) from error


def _hint(thing: Any) -> str:
    return "call it, with its columns" if isinstance(thing, type) and issubclass(thing, Learner) else ""
