"""Reason codes: the features that moved a prediction most, as columns beside it.

They are computed by the model library's own exact method, for every row that is scored, in tables and in rows.
That costs more than the prediction: ask for them where somebody reads them.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Any, Literal

import numpy as np
import polars as pl

from veredito.errors import LearnerError, Problem
from veredito.learn.arrays import ROWS_AT_ONCE, Want, slices
from veredito.learn.block import Block, Kernel, Layout, Matrix
from veredito.learn.composite import Composite, train_at
from veredito.learn.held_out import Split
from veredito.learn.kernels import in_order
from veredito.learn.learner import Fitted, Learner
from veredito.learn.preview import Preview
from veredito.learn.step import Step, fitted

from .model_learner import ModelLearner
from .model_step import ModelStep

_ROUNDING = 1e-6  # of a row's strongest contribution: XGBoost sums in float32, so less than that is no reason


class ReasonCodes(Step, kind="reason_codes"):
    """A model, and which features moved its score most.

    Args:
        codes: the columns of codes, the strongest reason first.
        output: which of the model's outputs is explained.
        sign: 1 for what raised the score, -1 for what lowered it.
        model: the model itself.
    """

    codes: tuple[str, ...]
    output: str
    sign: int
    model: ModelStep = fitted()

    @property
    def needs(self) -> dict[str, Want]:
        """The model's features."""
        return self.model.needs

    @property
    def writes(self) -> tuple[str, ...]:
        """The predictions and the codes."""
        return (*self.model.writes, *self.codes)

    @property
    def children(self) -> tuple[Step, ...]:
        """The model."""
        return (self.model,)

    def count(self, table: pl.DataFrame, found: dict[str, dict[str, int]]) -> pl.DataFrame:
        """The model's counts, and the table after this step."""
        self.model.count(table, found)
        return self.apply(table)

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """Predict, then explain."""
        return self.model.apply(table).with_columns(self.columns(table))

    def columns(self, table: pl.DataFrame) -> list[pl.Series]:
        """The codes of a table's rows."""
        ranked: list[list[str | None]] = []
        for rows in slices(table.height, ROWS_AT_ONCE):
            ranked += self.reasons(self.model.matrix(table[rows]))
        return [
            pl.Series(name, [reasons[i] for reasons in ranked], dtype=pl.String)
            for i, name in enumerate(self.codes)
        ]

    def reasons(self, features: Matrix) -> list[list[str | None]]:
        """The strongest reasons of each row; fewer than asked for where fewer features moved the score so."""
        at = self.model.output_at(self.output)
        moved = self.model.explain(features)[:, at, :-1] * self.sign
        residue = np.abs(moved).max(axis=1, keepdims=True, initial=0.0) * _ROUNDING
        moved = np.where(moved > residue, moved, 0.0)  # NaN is no reason either
        order = np.argsort(-moved, axis=1, kind="stable")[:, : len(self.codes)]
        strengths = np.take_along_axis(moved, order, axis=1)
        names, short = self.model.features, [None] * (len(self.codes) - order.shape[1])
        return [
            [names[i] if strength else None for i, strength in zip(places, row, strict=True)] + short
            for places, row in zip(order.tolist(), strengths.tolist(), strict=True)
        ]

    def bind(self, layout: Layout) -> Kernel:
        """The model's kernel, and the same explanation of the same features."""
        coding, source = self.model.features_in(layout)
        predicting = self.model.bind(layout)
        targets = [layout.text(name) for name in self.codes]

        def explaining(block: Block) -> None:
            ranked = self.reasons(np.ascontiguousarray(block.numbers[:, source]))
            for i, target in enumerate(targets):
                block.texts[target] = [reasons[i] for reasons in ranked]

        return in_order([coding, explaining, predicting])


class reason_codes(Composite):
    """A model with its reasons: the features that moved each prediction most, the strongest first.

    Writes what the model writes, and ``<into>_1`` to ``<into>_<top>``: names of features. Where fewer features
    moved the score that way, the rest are missing. For linear models, LightGBM, XGBoost and CatBoost, by the
    library's own exact method; other libraries have none.

    Args:
        learner: the model's learner.
        top: how many reasons.
        output: which of the model's outputs, where it has several.
        direction: ``up`` for what raised the score, ``down`` for what lowered it.
        into: how the columns of codes begin.

    Example:
        >>> from veredito import learn
        >>> table = pl.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 1.0, 0.0], "y": [0.0, 2.0, 4.0, 6.0]})
        >>> learner = reason_codes(learn.linear_regression(["a", "b"], target="y"), top=1)
        >>> learner(table).table["reason_1"].to_list()[-1]
        'a'
    """

    learner: Learner
    _: dataclasses.KW_ONLY
    top: int = 3
    output: str | None = None
    direction: Literal["up", "down"] = "up"
    into: str = "reason"

    def __post_init__(self) -> None:
        given: Any = self.learner
        problems = []
        if not isinstance(given, ModelLearner):
            problems.append(
                Problem(self.kind, f"{given!r} is no learner of a model", hint="give it a model's learner")
            )
        if self.top < 1:
            problems.append(Problem(self.kind, f"top is {self.top}, and must be at least 1"))
        if self.direction not in {"up", "down"}:
            problems.append(Problem(self.kind, f"unknown direction '{self.direction}'", ("up", "down")))
        if self.on is not None:
            problems.append(
                Problem(self.kind, "'on' is for one learner", hint="give it to the model's learner")
            )
        if problems:
            raise LearnerError(problems)

    @property
    def inner(self) -> tuple[Learner, ...]:
        """The model's learner."""
        return (self.learner,)

    @property
    def _codes(self) -> tuple[str, ...]:
        return tuple(f"{self.into}_{i}" for i in range(1, self.top + 1))

    def check(self, preview: Preview) -> None:
        """The model's learner, and the codes that it adds."""
        with preview.at(f"{preview.place}.{self.learner.kind}"):
            self.learner.check(preview)
        preview.make(self._codes, "text")

    def train(self, table: pl.DataFrame, split: Split) -> Fitted:
        """Fit the model, and explain it."""
        began = time.perf_counter()
        part = train_at(self.learner, self.kind, table, split)
        model: Any = part.step
        model.explain  # noqa: B018 - a library that cannot explain says so now
        output = model.outputs[model.output_at(self.output)]
        step = ReasonCodes(self._codes, output, 1 if self.direction == "up" else -1, model)
        result = part.table.with_columns(step.columns(table))
        return self.fitted(
            step, result, [part.log | {"learner": self.learner.name or self.learner.kind}], split, began
        )
