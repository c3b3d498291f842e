"""CatBoost: gradient-boosted trees that take texts as they are. The step holds the library's own binary format."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from veredito.errors import ArtifactError, Problem
from veredito.learn.block import Matrix
from veredito.learn.engines.catboost import for_few_rows
from veredito.learn.step import fitted

from .boosted import BoostedLearner
from .libraries import asking, library
from .model_learner import Training
from .model_step import Explain, ModelStep, Predict

_MISSING, _UNSEEN = "\0missing", "\0unseen"
"""What CatBoost is given for a text that is missing, which it refuses, and for one that has no code."""

_ONE_ROW = 1  # a thread for one row is started in vain


def _library() -> Any:
    return library("catboost", "catboost", "catboost")


class CatBoost(ModelStep, kind="catboost"):
    """A fitted CatBoost model, as the library's own binary format.

    Args:
        answer: CatBoost's name for the kind of prediction: ``Probability`` or ``RawFormulaVal``.
        binary: the model.
    """

    answer: str
    binary: bytes = fitted()

    library: ClassVar[str] = "catboost"

    @cached_property
    def booster(self) -> Any:
        """The library's own model."""
        catboost = _library()
        try:
            return catboost.CatBoost().load_model(blob=self.binary)
        except catboost.CatBoostError as error:
            raise ArtifactError(Problem("CatBoost model", f"CatBoost says: {error}")) from error

    @property
    def log_state(self) -> dict[str, Any]:
        """The categories, the number of trees, and how much each feature changes predictions."""
        names = [self.features[i] for i in in_order(self.features, self.categories)]
        weights = dict(zip(names, self.booster.get_feature_importance().tolist(), strict=True))
        return super().log_state | {"trees": self.booster.tree_count_, "importance": weights}

    def engines(self) -> dict[str, Callable[[], Predict]]:
        """The library's own call; and for few rows its trees in numpy, where all features are numbers."""
        native: dict[str, Callable[[], Predict]] = {"native": self._native}
        return native if self.categories else native | {"numpy": self._numpy}

    def _numpy(self) -> Predict:
        text = _saved(self.booster, "json")
        few: Predict = for_few_rows(text, self.answer, self._native())
        return few

    def _native(self) -> Predict:
        model, answer, binary = self.booster, self.answer, len(self.outputs) == 1
        rows = Rows(self.features, self.categories)

        def predict(features: Matrix) -> Matrix:
            threads = 1 if len(features) <= _ONE_ROW else -1
            found: Matrix = model.predict(rows(features), prediction_type=answer, thread_count=threads)
            return found[:, 1] if binary and found.ndim == 2 else found

        return predict

    def explainer(self) -> Explain:
        """CatBoost's own SHAP values."""
        catboost, model, outputs = _library(), self.booster, len(self.outputs)
        rows, order = Rows(self.features, self.categories), in_order(self.features, self.categories)

        def explain(features: Matrix) -> Matrix:
            if not len(features):
                return np.empty((0, outputs, len(order) + 1))
            found = model.get_feature_importance(catboost.Pool(rows(features)), type="ShapValues")
            out = np.reshape(found, (len(features), outputs, len(order) + 1))
            back = out.copy()
            back[:, :, order] = out[:, :, :-1]
            return back

        return explain


def in_order(features: Sequence[str], categories: Mapping[str, Any]) -> list[int]:
    """The features' positions as CatBoost has them: numbers first, then texts."""
    return sorted(range(len(features)), key=lambda i: features[i] in categories)


class Rows:
    """Turns a matrix of numbers and codes into what CatBoost reads: float32, or numbers and texts apart."""

    def __init__(self, features: Sequence[str], categories: Mapping[str, Sequence[str]]) -> None:
        order = in_order(features, categories)
        self._texts = [i for i in order if features[i] in categories]
        self._numbers = order[: len(order) - len(self._texts)]
        self._known = [
            np.array([text.encode() for text in (*categories[features[i]], _UNSEEN, _MISSING)], dtype=object)
            for i in self._texts
        ]
        self._data = _library().FeaturesData

    def __call__(self, features: Matrix) -> Any:
        """The rows for CatBoost."""
        with np.errstate(
            over="ignore"
        ):  # what is beyond float32 is infinite there, and infinities are ordinary
            numbers = features[:, self._numbers].astype(np.float32, order="C")
        if not self._texts:
            return numbers
        texts = np.empty((len(features), len(self._texts)), dtype=object)
        for j, (i, known) in enumerate(zip(self._texts, self._known, strict=True)):
            codes = np.where(np.isnan(features[:, i]), len(known) - 1, features[:, i])
            texts[:, j] = known[codes.astype(np.intp)]
        return self._data(num_feature_data=numbers if self._numbers else None, cat_feature_data=texts)


class _CatBoost(BoostedLearner):
    """What the classifier and the regressor share."""

    objectives = ("RMSE", "Logloss", "MultiClass")

    def fit_model(self, training: Training, validation: Training | None) -> CatBoost:
        """Train with the library's own `fit`."""
        catboost = _library()
        ours = {"random_seed": 0, "allow_writing_files": False, "logging_level": "Silent"}
        params = (
            ours
            | {"loss_function": self.objective(training), "iterations": self.num_trees}
            | dict(self.params)
        )
        rows = Rows(training.features, training.categories)
        with asking(self.kind, "CatBoost", catboost.CatBoostError, TypeError, ValueError):
            model = catboost.CatBoost(params)
            model.fit(
                _pool(catboost, rows, training),
                eval_set=_pool(catboost, rows, validation) if validation else None,
                early_stopping_rounds=self.early_stopping,
                use_best_model=self.early_stopping is not None,
            )
        answer = "RawFormulaVal" if self.task == "regression" else "Probability"
        outputs, categories = self.outputs(training), dict(training.categories)
        return CatBoost(training.features, outputs, "native", categories, answer, _saved(model, "cbm"))


def _pool(catboost: Any, rows: Rows, training: Training) -> Any:
    return catboost.Pool(rows(training.matrix), label=training.target, weight=training.weights)


def _saved(model: Any, form: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        model.save_model(str(path), format=form)
        return path.read_bytes()


class catboost_classifier(_CatBoost):
    """Gradient-boosted trees for two or more classes, by CatBoost.

    Writes the probability of class 1 to `into`, or one ``<into>_<class>`` for each of several classes.

    Args:
        features: columns; CatBoost is given texts as they are.
        target: the outcome: two values, or several.
        num_trees: how many trees at most.
        params: CatBoost's own parameters, over ours (quiet, one seed, no files).
        weight: a column of weights.
        validation: held-out rows to watch, `learn.on(...)`.
        early_stopping: stop when they gain nothing for so many trees.
        into: the prediction's column.
    """

    task = "classification"


class catboost_regressor(_CatBoost):
    """Gradient-boosted trees for a number, by CatBoost.

    Args:
        features: columns; CatBoost is given texts as they are.
        target: the number.
        num_trees: how many trees at most.
        params: CatBoost's own parameters, over ours (quiet, one seed, no files).
        weight: a column of weights.
        validation: held-out rows to watch, `learn.on(...)`.
        early_stopping: stop when they gain nothing for so many trees.
        into: the prediction's column.
    """

    task = "regression"
