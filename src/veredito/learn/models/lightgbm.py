"""LightGBM: gradient-boosted trees. The step holds the library's own text format, and nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from veredito.errors import ArtifactError, LearnerError, Problem, did_you_mean
from veredito.learn.engines.lightgbm import CBooster, known_parameters
from veredito.learn.step import fitted

from .boosted import BoostedLearner
from .libraries import library
from .model_learner import Training
from .model_step import Explain, ModelStep, Predict


def _library() -> Any:
    return library("lightgbm", "lightgbm", "lightgbm")


class LightGBM(ModelStep, kind="lightgbm"):
    """A fitted LightGBM model, as the library's own text."""

    text: str = fitted()

    library: ClassVar[str] = "lightgbm"

    @cached_property
    def booster(self) -> Any:
        """The library's own model."""
        return _library().Booster(model_str=self.text)

    @property
    def log_state(self) -> dict[str, Any]:
        """The categories, the number of trees, and what each feature gained."""
        gains = self.booster.feature_importance("gain")
        gained = dict(zip(self.features, gains.tolist(), strict=True))
        return super().log_state | {"trees": self.booster.num_trees(), "gain": gained}

    def engines(self) -> dict[str, Callable[[], Predict]]:
        """The library's own call, and the same through C: bit for bit, without preparing each call."""
        return {"native": lambda: self.booster.predict, "c": lambda: CBooster(self.text).predict}

    def explainer(self) -> Explain:
        """LightGBM's own tree SHAP (Lundberg et al., 2018)."""
        booster, shape = self.booster, (-1, len(self.outputs), len(self.features) + 1)
        return lambda features: np.reshape(booster.predict(features, pred_contrib=True), shape)

    def split_points(self) -> list[tuple[int, float]]:
        """The thresholds of all trees."""
        lines = self.text.splitlines()
        features = [line.split("=")[1].split() for line in lines if line.startswith("split_feature=")]
        thresholds = [line.split("=")[1].split() for line in lines if line.startswith("threshold=")]
        pairs = zip(itertools.chain(*features), itertools.chain(*thresholds), strict=True)
        return [(int(feature), float(threshold)) for feature, threshold in pairs]


class _LightGBM(BoostedLearner):
    """What the classifier and the regressor share."""

    objectives = ("regression", "binary", "multiclass")

    def fit_model(self, training: Training, validation: Training | None) -> LightGBM:
        """Train with the library's own `train`."""
        library = _library()
        self._refuse_unknown()
        several = {"num_class": len(training.classes)} if len(training.classes) > 2 else {}
        ours = {"deterministic": True, "force_row_wise": True, "seed": 0, "verbosity": -1}
        params = ours | {"objective": self.objective(training)} | several | dict(self.params)
        data = _dataset(library, training)
        booster = library.train(
            params,
            data,
            self.num_trees,
            valid_sets=[_dataset(library, validation, data)] if validation else None,
            callbacks=[library.early_stopping(self.early_stopping, verbose=False)]
            if self.early_stopping
            else None,
        )
        text = booster.model_to_string(num_iteration=booster.best_iteration)
        outputs = self.outputs(training)
        return LightGBM(training.features, outputs, "native", dict(training.categories), text)

    def _refuse_unknown(self) -> None:
        try:
            known = known_parameters()
        except ArtifactError:
            return  # a build whose library lies elsewhere cannot be asked
        problems = [
            Problem(self.kind, f"LightGBM has no parameter '{name}'", hint=did_you_mean(name, known))
            for name in self.params
            if name not in known
        ]
        if problems:
            raise LearnerError(problems)


def _dataset(library: Any, training: Training, reference: Any = None) -> Any:
    return library.Dataset(
        training.matrix,
        training.target,
        weight=training.weights,
        reference=reference,
        feature_name=[f"f{i}" for i in range(len(training.features))],
        categorical_feature=training.categorical,
        free_raw_data=True,
    )


class lightgbm_classifier(_LightGBM):
    """Gradient-boosted trees for two or more classes, by LightGBM.

    Writes the probability of class 1 to `into`, or one ``<into>_<class>`` for each of several classes.

    Args:
        features: columns; texts become native categories.
        target: the outcome: two values, or several.
        num_trees: how many trees at most.
        params: LightGBM's own parameters, over ours (deterministic, quiet, one seed).
        weight: a column of weights.
        validation: held-out rows to watch, `learn.on(...)`.
        early_stopping: stop when they gain nothing for so many trees.
        into: the prediction's column.
    """

    task = "classification"


class lightgbm_regressor(_LightGBM):
    """Gradient-boosted trees for a number, by LightGBM.

    Args:
        features: columns; texts become native categories.
        target: the number.
        num_trees: how many trees at most.
        params: LightGBM's own parameters, over ours (deterministic, quiet, one seed).
        weight: a column of weights.
        validation: held-out rows to watch, `learn.on(...)`.
        early_stopping: stop when they gain nothing for so many trees.
        into: the prediction's column.
    """

    task = "regression"
