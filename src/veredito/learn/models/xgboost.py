"""XGBoost: gradient-boosted trees. The step holds the library's own JSON, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from veredito.errors import ArtifactError, Problem
from veredito.learn.block import Matrix
from veredito.learn.engines.xgboost import in_onnx
from veredito.learn.step import fitted

from .boosted import BoostedLearner
from .libraries import asking, library, refusing
from .model_learner import Training
from .model_step import FLOAT32_MAX, Explain, ModelStep, Predict


def _library() -> Any:
    return library("xgboost", "xgboost", "xgboost")


class XGBoost(ModelStep, kind="xgboost"):
    """A fitted XGBoost model, as the library's own JSON."""

    text: str = fitted()

    library: ClassVar[str] = "xgboost"

    @cached_property
    def booster(self) -> Any:
        """The library's own model."""
        booster = _library().Booster()
        try:
            booster.load_model(bytearray(self.text.encode()))
        except _library().core.XGBoostError as error:
            said = str(error).split("Stack trace:")[0].strip()
            raise ArtifactError(Problem("XGBoost model", f"XGBoost says: {said}")) from error
        return booster

    @property
    def log_state(self) -> dict[str, Any]:
        """The categories, the number of trees, and what each feature gained."""
        gains = self.booster.get_score(importance_type="total_gain")
        gained = {name: gains.get(f"f{i}", 0.0) for i, name in enumerate(self.features)}
        return super().log_state | {"trees": self.booster.num_boosted_rounds(), "gain": gained}

    def engines(self) -> dict[str, Callable[[], Predict]]:
        """The library's own call on a matrix; and its trees in ONNX Runtime, where none splits by categories."""
        native: dict[str, Callable[[], Predict]] = {"native": lambda: self.booster.inplace_predict}
        return native if self.categories else native | {"onnx": lambda: in_onnx(self.text)}

    def split_points(self) -> list[tuple[int, float]]:
        """The thresholds of all trees."""
        booster = json.loads(self.text)["learner"]["gradient_booster"]
        trees = booster["model"]["trees"] if booster["name"] == "gbtree" else []
        return [
            (feature, threshold)
            for tree in trees
            for feature, threshold, left in zip(
                tree["split_indices"], tree["split_conditions"], tree["left_children"], strict=True
            )
            if left >= 0
        ]

    def explainer(self) -> Explain:
        """XGBoost's own tree SHAP (Lundberg et al., 2018)."""
        xgboost, booster = _library(), self.booster
        kinds = _kinds(self.features, self.categories)
        shape = (-1, len(self.outputs), len(self.features) + 1)

        def explain(features: Matrix) -> Matrix:
            # It refuses infinities here, though not when it predicts; the greatest float32 goes the same way.
            rows = xgboost.DMatrix(
                np.clip(features, -FLOAT32_MAX, FLOAT32_MAX), feature_types=kinds, enable_categorical=True
            )
            return np.reshape(booster.predict(rows, pred_contribs=True), shape).astype(np.float64)

        return explain


class _XGBoost(BoostedLearner):
    """What the classifier and the regressor share."""

    objectives = ("reg:squarederror", "binary:logistic", "multi:softprob")

    def fit_model(self, training: Training, validation: Training | None) -> XGBoost:
        """Train with the library's own `train`."""
        xgboost = _library()
        several = {"num_class": len(training.classes)} if len(training.classes) > 2 else {}
        ours = {"seed": 0, "verbosity": 1, "objective": self.objective(training)}
        params = ours | several | dict(self.params)
        with (
            asking(self.kind, "XGBoost", xgboost.core.XGBoostError, TypeError, ValueError),
            refusing(self.kind, "XGBoost", "are not used"),
        ):
            booster = xgboost.train(
                params,
                _matrix(xgboost, training),
                self.num_trees,
                evals=[(_matrix(xgboost, validation), "validation")] if validation else None,
                early_stopping_rounds=self.early_stopping,
                verbose_eval=False,
            )
        if self.early_stopping:
            booster = booster[: booster.best_iteration + 1]
        text = booster.save_raw("json").decode()
        return XGBoost(training.features, self.outputs(training), "native", dict(training.categories), text)


def _matrix(xgboost: Any, training: Training) -> Any:
    return xgboost.DMatrix(
        training.matrix,
        label=training.target,
        weight=training.weights,
        feature_types=_kinds(training.features, training.categories),
        enable_categorical=True,
    )


def _kinds(features: Sequence[str], categories: Mapping[str, Any]) -> list[str]:
    return ["c" if name in categories else "q" for name in features]


class xgboost_classifier(_XGBoost):
    """Gradient-boosted trees for two or more classes, by XGBoost.

    Writes the probability of class 1 to `into`, or one ``<into>_<class>`` for each of several classes.

    Args:
        features: columns; texts become native categories.
        target: the outcome: two values, or several.
        num_trees: how many rounds of trees at most.
        params: XGBoost's own parameters, over ours (quiet, one seed).
        weight: a column of weights.
        validation: held-out rows to watch, `learn.on(...)`.
        early_stopping: stop when they gain nothing for so many rounds.
        into: the prediction's column.
    """

    task = "classification"


class xgboost_regressor(_XGBoost):
    """Gradient-boosted trees for a number, by XGBoost.

    Args:
        features: columns; texts become native categories.
        target: the number.
        num_trees: how many rounds of trees at most.
        params: XGBoost's own parameters, over ours (quiet, one seed).
        weight: a column of weights.
        validation: held-out rows to watch, `learn.on(...)`.
        early_stopping: stop when they gain nothing for so many rounds.
        into: the prediction's column.
    """

    task = "regression"
