"""What the learners of models share: the training matrix, and what the target's classes are called.

To add a library: a `ModelStep` with its state as fields and with `engines`, and a `ModelLearner` with `fit_model`.
"""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl

from veredito.errors import LearnerError, Problem
from veredito.learn.arrays import array, matrix, want_of
from veredito.learn.block import Matrix
from veredito.learn.held_out import HeldOut, Split
from veredito.learn.learner import Fit, Learner, names_of, settle
from veredito.learn.lookup import Lookup
from veredito.learn.preview import Preview

from .model_step import ModelStep


@dataclasses.dataclass(frozen=True)
class Training:
    """What a library is given to fit.

    Args:
        features: names, in the order of the matrix.
        matrix: float64, shape (rows, features), NaN as missing, text features as codes.
        target: float64, shape (rows,); classes as 0, 1, ….
        weights: float64, shape (rows,), or none.
        categories: the texts of each text feature, in the order of their codes.
        classes: what the classes were called, in the order of their numbers; empty for regression.
    """

    features: tuple[str, ...]
    matrix: Matrix
    target: Matrix
    weights: Matrix | None
    categories: Mapping[str, tuple[str, ...]]
    classes: tuple[str, ...]

    @property
    def categorical(self) -> list[int]:
        """Which columns of the matrix are codes."""
        return [i for i, name in enumerate(self.features) if name in self.categories]


class ModelLearner(Learner):
    """A learner that fits a model.

    Args:
        features: what the model reads; text columns are coded, where the library takes categories.
        target: what it learns to predict: 0 and 1, or one of several classes, or a number.
        weight: a column of weights, if rows do not count alike.
        validation: held-out rows to watch while fitting, for libraries that stop early.
        into: the prediction's column; with several classes, one ``<into>_<class>`` each.
    """

    features: Sequence[str]
    _: dataclasses.KW_ONLY
    target: str
    weight: str | None = None
    validation: HeldOut | None = None
    into: str = "prediction"

    task: ClassVar[Literal["classification", "regression"]]
    takes_text: ClassVar[bool] = True
    takes_missing: ClassVar[bool] = True
    takes_validation: ClassVar[bool] = False

    def __post_init__(self) -> None:
        features = names_of(self.kind, "features", self.features)
        settle(self, features=features)
        problems = [
            Problem(self.kind, f"'{name}' is a feature and the {role}", hint="take it out of the features")
            for name, role in ((self.target, "target"), (self.weight, "weight"))
            if name in features
        ]
        if self.validation is not None and not self.takes_validation:
            problems.append(
                Problem(self.kind, "does not watch validation rows", hint="leave 'validation' out")
            )
        if problems:
            raise LearnerError(problems)

    @abstractmethod
    def fit_model(self, training: Training, validation: Training | None) -> ModelStep:
        """Fit the library's model, and make a step of it; `outputs(training)` names what it writes."""

    def held_parts(self) -> frozenset[HeldOut]:
        """The rows it is fitted on, and those it watches."""
        return super().held_parts() | (
            frozenset() if self.validation is None else frozenset({self.validation})
        )

    def check(self, preview: Preview) -> None:
        """The features must be numbers, or texts where the library takes them; the target must vary."""
        for name in self.features:
            kind = preview.columns.get(name, "number")
            preview.need([name], kind if kind == "text" and self.takes_text else "number", values=True)
        if self.weight:
            preview.need([self.weight], "number", values=True)
        preview.need([self.target], "number" if self.task == "regression" else "any")
        preview.need_target(self.target)
        preview.make(self._expected(preview))

    def _expected(self, preview: Preview) -> tuple[str, ...]:
        """The outputs; with a target that is not known yet, any class names."""
        classes = preview.classes(self.target) if self.task == "classification" else ()
        if classes is None:
            preview.make_some(f"{self.into}_")
            return (self.into,)
        return output_names(self.into, [class_name(value) for value in classes])

    def outputs(self, training: Training) -> tuple[str, ...]:
        """The columns that the model writes."""
        return output_names(self.into, training.classes)

    def train(self, table: pl.DataFrame, split: Split) -> Any:
        """Fit on its own rows, with the validation rows beside them."""
        if self.validation is None:
            return super().train(table, split)
        watched = table.filter(pl.Series(split.parts[self.validation]))
        return super().train(table, dataclasses.replace(split, watched=watched))

    def fit_beside(self, table: pl.DataFrame, split: Split) -> Fit:
        """Fit with the rows to watch."""
        categories = self._categories(table)
        classes = self._classes(table)
        training = self._training(table, categories, classes)
        watched = None if split.watched is None else self._training(split.watched, categories, classes)
        if not self.takes_missing:
            self._refuse_missing(training)
        return Fit(self.fit_model(training, watched), extra={"classes": classes})

    def fit(self, table: pl.DataFrame) -> Fit:
        """Fit on every row."""
        return self.fit_beside(table, Split(None, {}))

    def _categories(self, table: pl.DataFrame) -> dict[str, tuple[str, ...]]:
        texts = [name for name in self.features if want_of(table.schema[name]) == "text"]
        return {name: tuple(table[name].drop_nulls().unique().sort().to_list()) for name in texts}

    def _classes(self, table: pl.DataFrame) -> tuple[str, ...]:
        if self.task == "regression":
            return ()
        found = table[self.target].drop_nulls().unique().sort()
        if found.len() == 1:
            hint = "train on rows with more than one outcome"
            raise LearnerError(Problem(self.kind, f"target '{self.target}' is constant", hint=hint))
        return class_names(found)

    def _training(
        self, table: pl.DataFrame, categories: Mapping[str, tuple[str, ...]], classes: tuple[str, ...]
    ) -> Training:
        if table[self.target].null_count():
            hint = "drop the rows without an outcome"
            raise LearnerError(
                Problem(self.kind, f"target '{self.target}' is missing in some rows", hint=hint)
            )
        coded = [_coded(table[name], categories.get(name)) for name in self.features]
        features = matrix(pl.DataFrame(coded, height=table.height), self.features)
        weights = array(table[self.weight]) if self.weight else None
        return Training(
            tuple(self.features), features, self._numbered(table, classes), weights, categories, classes
        )

    def _numbered(self, table: pl.DataFrame, classes: tuple[str, ...]) -> Matrix:
        target = table[self.target]
        if not classes:
            return array(target)
        distinct = target.unique().sort()
        unknown = [name for name in class_names(distinct) if name not in classes]
        if unknown:
            what = f"target '{self.target}' has a class in the validation rows alone: {', '.join(unknown)}"
            raise LearnerError(Problem(self.kind, what, classes))
        codes = pl.Series([classes.index(name) for name in class_names(distinct)], dtype=pl.Float64)
        return target.replace_strict(distinct, codes, return_dtype=pl.Float64).to_numpy()

    def _refuse_missing(self, training: Training) -> None:
        missing: Any = np.isnan(training.matrix).any(axis=0)
        problems = [
            Problem(
                self.kind,
                f"feature '{name}' has missing values, which this model cannot take",
                hint="impute it first",
            )
            for name, found in zip(training.features, missing.tolist(), strict=True)
            if found
        ]
        if problems:
            raise LearnerError(problems)


def _coded(series: pl.Series, texts: tuple[str, ...] | None) -> pl.Series:
    if texts is None:
        return series
    return Lookup(texts, np.arange(len(texts), dtype=float), unseen=float(len(texts))).series(series)


def class_name(value: Any) -> str:
    """What a class is called: whole numbers and booleans without a point."""
    return (
        str(int(value))
        if isinstance(value, bool) or (isinstance(value, float) and value.is_integer())
        else str(value)
    )


def class_names(distinct: pl.Series) -> tuple[str, ...]:
    """The names of sorted distinct targets."""
    return tuple(class_name(value) for value in distinct.to_list())


def output_names(into: str, classes: Sequence[str]) -> tuple[str, ...]:
    """One column for a number or for two classes, one a class for more."""
    return (into,) if len(classes) <= 2 else tuple(f"{into}_{name}" for name in classes)
