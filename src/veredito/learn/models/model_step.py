"""What all models share when they are fitted: features to a float64 matrix, a matrix to predictions.

A `ModelStep` is a fitted model of any library. It names its features and outputs, codes its text features, and
gives one or more engines: ways to compute the same predictions, of which one is chosen when the model is saved.
On demand it says what each feature contributed to a prediction, by its library's own exact method.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

import numpy as np
import polars as pl

from veredito.errors import LearnerError, Problem, did_you_mean
from veredito.learn.arrays import ROWS_AT_ONCE, Want, canonical, column, matrix, slices
from veredito.learn.block import Block, Kernel, Layout, Matrix, columns
from veredito.learn.frames import adopt
from veredito.learn.kernels import in_order
from veredito.learn.lookup import Lookup
from veredito.learn.step import Step, column_problems, fitted

Predict: TypeAlias = Callable[[Matrix], Matrix]
"""Features, float64, shape (rows, features), NaN as missing, to predictions, (rows,) or (rows, outputs)."""

Explain: TypeAlias = Callable[[Matrix], Matrix]
"""Features to contributions, shape (rows, outputs, features + 1): the last is what no feature contributed."""

FLOAT32_MAX = float(np.finfo(np.float32).max)
"""Where an infinity goes in trees that refuse one: beyond every threshold."""

EXPECTED = "expected_score"
"""The column of contributions that belongs to no feature: the score of a row about which nothing is known."""


class ModelStep(Step):
    """A fitted model.

    Args:
        features: the columns it reads, in the order of the matrix.
        outputs: the columns it writes, in the order of what it predicts.
        engine: which of `engines` computes the predictions; change it by `dataclasses.replace`.
        categories: the texts of each text feature, in the order of their codes 0, 1, …; an unseen text has
            the next code, a missing one is NaN.
    """

    features: tuple[str, ...]
    outputs: tuple[str, ...]
    engine: str
    categories: dict[str, tuple[str, ...]] = fitted()

    tolerance: ClassVar[float] = 0.0
    """How far one row may be from the same row in a batch, relative; 0 where the library keeps it exact."""
    library: ClassVar[str] = ""
    """The distribution whose version decides whether a saved model can be used."""

    @abstractmethod
    def engines(self) -> dict[str, Callable[[], Predict]]:
        """How predictions can be computed: name to a factory. The first, ``native``, is the library's own."""

    def split_points(self) -> list[tuple[int, float]]:
        """Where the model's answer jumps: (feature, threshold). Engines are compared there before one is chosen."""
        return []

    @property
    def needs(self) -> dict[str, Want]:
        """The features."""
        return {name: "text" if name in self.categories else "number" for name in self.features}

    @property
    def writes(self) -> tuple[str, ...]:
        """The predictions."""
        return self.outputs

    @property
    def log_state(self) -> dict[str, Any]:
        """What the log says was learned: arrays and mappings; the library's own text stays in the step."""
        learned = {name: value for name, value in self.state().items() if not isinstance(value, str | bytes)}
        return self.params() | learned

    @cached_property
    def predict(self) -> Predict:
        """The chosen engine, ready.

        Raises:
            LearnerError: there is no such engine.
        """
        engines = self.engines()
        if self.engine not in engines:
            hint = did_you_mean(self.engine, engines)
            raise LearnerError(
                Problem(f"step '{self.kind}'", f"unknown engine '{self.engine}'", tuple(engines), hint)
            )
        return engines[self.engine]()

    @cached_property
    def codes(self) -> dict[str, Lookup]:
        """The text features' codes."""
        return {
            name: Lookup(texts, np.arange(len(texts), dtype=float), unseen=float(len(texts)))
            for name, texts in self.categories.items()
        }

    def matrix(self, table: pl.DataFrame) -> Matrix:
        """The features of a table, float64, shape (rows, features), C order, NaN as missing."""
        coded = table.select(
            self.codes[name].series(table[name]) if name in self.codes else table[name]
            for name in self.features
        )
        return matrix(coded, self.features)

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """Predict so many rows at once that the matrix stays small; rows do not depend on each other."""
        parts = [self._predicted(table[rows]) for rows in slices(table.height, ROWS_AT_ONCE)]
        found = np.concatenate(parts) if parts else np.empty((0, len(self.outputs)))
        return table.with_columns(column(name, found[:, i]) for i, name in enumerate(self.outputs))

    def _predicted(self, table: pl.DataFrame) -> Matrix:
        return np.reshape(self.predict(self.matrix(table)), (table.height, len(self.outputs)))

    def bind(self, layout: Layout) -> Kernel:
        """Codes of the texts, then the engine on a view of the block: a copy only where features are apart."""
        coding, source = self.features_in(layout)
        slots = [layout.number(name) for name in self.outputs]
        target = columns(slots) if len(slots) > 1 else slots[0]
        more = (len(slots),) if len(slots) > 1 else ()
        predict, as_array = self.predict, np.asarray

        def kernel(block: Block) -> None:
            numbers = block.numbers
            # The rows are in the shape so that an answer of the wrong length fails, and never broadcasts.
            numbers[:, target] = as_array(predict(numbers[:, source])).reshape(numbers.shape[0], *more)

        return in_order([coding, kernel])

    def features_in(self, layout: Layout) -> tuple[Kernel, Any]:
        """A kernel that codes the texts of a block, and which of its columns are the features then."""
        inner = layout.fork()
        coded = [
            self.codes[name].kernel(layout.text_at(name), inner.number(name)) for name in self.categories
        ]
        return in_order(coded), columns([inner.number_at(name) for name in self.features])

    def explainer(self) -> Explain:
        """The library's own exact method of contributions, made ready.

        Raises:
            LearnerError: the library has none.
        """
        hint = "explain a linear model, LightGBM, XGBoost or CatBoost"
        what = "has no exact method that says what each feature contributed"
        raise LearnerError(Problem(f"step '{self.kind}'", what, hint=hint))

    @cached_property
    def explain(self) -> Explain:
        """The explainer, made once.

        Raises:
            LearnerError: the library has none.
        """
        return self.explainer()

    def contributions(self, table: Any, output: str | None = None) -> pl.DataFrame:
        """What each feature contributed to the score of each row.

        They add up to the score before it becomes a probability: the log-odds of class 1, the logarithm of a
        class's share up to a constant, or the number that is predicted.

        Args:
            table: a Polars or a pandas `DataFrame`.
            output: which of several outputs is explained.

        Returns:
            One column a feature, and ``expected_score``; one row a row.

        Raises:
            LearnerError: the library has no exact method, a column is missing, or no such output.
        """
        place = f"step '{self.kind}'"
        frame, _ = adopt(table, place)
        if problems := column_problems(place, frame.schema, self.needs):
            raise LearnerError(problems)
        at = self.output_at(output)
        rows = self.matrix(canonical(frame, dict(self.needs)))
        parts = [self.explain(rows[part])[:, at] for part in slices(len(rows), ROWS_AT_ONCE)]
        found = np.concatenate(parts) if parts else np.empty((0, len(self.features) + 1))
        return pl.DataFrame(found, schema=[*self.features, EXPECTED], orient="row")

    def output_at(self, output: str | None) -> int:
        """The place of an output among the outputs; where there is one, it need not be named.

        Raises:
            LearnerError: there is no such output, or none is named and there are several.
        """
        if output is None and len(self.outputs) == 1:
            return 0
        if output not in self.outputs:
            what = f"no output is named '{output}'" if output else "has several outputs: say which"
            hint = did_you_mean(output or "", self.outputs)
            raise LearnerError(Problem(f"step '{self.kind}'", what, self.outputs, hint))
        return self.outputs.index(output)

    def unseen(self, series: pl.Series) -> int:
        """How many texts of a text feature have no code."""
        return self.codes[series.name].unseen_in(series) if series.name in self.codes else 0
