"""Any scikit-learn estimator. What it learned is kept in skops' format, which is data: nothing is unpickled.

Reading makes objects of listed types only: scikit-learn's public estimators and numpy's arrays, and the private
types that those hold, which are named here.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from veredito.errors import ArtifactError, LearnerError, Problem
from veredito.learn.block import Matrix
from veredito.learn.engines.forests import in_onnx, known, thresholds
from veredito.learn.learner import settle
from veredito.learn.step import fitted

from .libraries import asking, library
from .model_learner import ModelLearner, Training
from .model_step import FLOAT32_MAX, ModelStep, Predict

_TREES = ("RandomForest", "ExtraTrees", "GradientBoosting", "HistGradientBoosting")

TRUSTED = (
    "sklearn._loss.loss.HalfTweedieLossIdentity",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process.kernels.ConstantKernel",
    "sklearn.gaussian_process.kernels.Product",
    "sklearn.gaussian_process.kernels.RBF",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.tree._tree.Tree",
)
"""Types that fitted estimators of scikit-learn hold and skops does not trust unasked. None of them does anything when made."""


def dumped(place: str, estimator: Any) -> bytes:
    """A fitted estimator in skops' format.

    Raises:
        LearnerError: it holds something that could not be read back.
    """
    skops = library("skops.io", "skops", "sklearn")
    data: bytes = skops.dumps(estimator)
    foreign = sorted(set(skops.get_untrusted_types(data=data)) - set(TRUSTED))
    if foreign:
        hint = "use an estimator of scikit-learn itself, or write a learner of your own"
        raise LearnerError(
            Problem(place, f"cannot be saved as data: it holds {', '.join(foreign)}", hint=hint)
        )
    return data


def loaded(data: bytes) -> Any:
    """The estimator from skops' format.

    Raises:
        ArtifactError: the bytes hold none, or one of a type that is not listed.
    """
    skops = library("skops.io", "skops", "sklearn")
    library("sklearn", "scikit-learn", "sklearn")
    try:
        return skops.loads(data, trusted=list(TRUSTED))
    except Exception as error:  # a file from outside may make the reader raise anything
        what = f"the estimator cannot be read ({type(error).__name__}: {error})"
        raise ArtifactError(Problem("scikit-learn model", what, hint="save the model again")) from error


class Sklearn(ModelStep, kind="sklearn"):
    """A fitted estimator of scikit-learn.

    Args:
        method: which of its methods answers: ``predict_proba``, ``predict`` or ``score_samples``.
        missing: whether it answers rows with missing values; otherwise their prediction is missing.
        dump: the estimator in skops' format.
    """

    method: str
    missing: bool
    dump: bytes = fitted()

    library: ClassVar[str] = "scikit-learn"
    tolerance: ClassVar[float] = 1e-9  # its matrix products sum one row in another order than many

    @cached_property
    def estimator(self) -> Any:
        """The estimator itself."""
        return loaded(self.dump)

    def engines(self) -> dict[str, Callable[[], Predict]]:
        """The estimator's own method."""
        return {"native": self._native}

    def _native(self) -> Predict:
        return self._answering(getattr(self.estimator, self.method))

    def _answering(self, call: Predict) -> Predict:
        """A method of the estimator, on the rows that it answers."""
        method = _quietly(call)
        width, binary = len(self.outputs), self.method == "predict_proba" and len(self.outputs) == 1

        def predict(features: Matrix) -> Matrix:
            features, answerable = self._prepared(features)
            if answerable.all():
                found: Matrix = method(features)
                return found[:, 1] if binary else found
            out = np.full((len(features), width), np.nan)
            if answerable.any():
                found = method(features[answerable])
                out[answerable] = np.reshape(found[:, 1] if binary else found, (-1, width))
            return out

        return predict

    def _prepared(self, features: Matrix) -> tuple[Matrix, Any]:
        """The features as the estimator takes them, and which rows it answers."""
        bad = np.isinf(features) if self.missing else ~np.isfinite(features)
        return features, ~bad.any(axis=1)


def _quietly(method: Callable[[Matrix], Matrix]) -> Predict:
    def call(features: Matrix) -> Matrix:
        with np.errstate(all="ignore"):  # huge values are ordinary: what has no answer is NaN
            return method(features)

    return call


class SklearnTrees(Sklearn, kind="sklearn_trees"):
    """Trees of scikit-learn: no matrix products, hence exact; infinities lie beyond every threshold.

    Its trees compare in float32 and refuse what is beyond it; the greatest float32 goes the same way.
    """

    tolerance: ClassVar[float] = 0.0

    def engines(self) -> dict[str, Callable[[], Predict]]:
        """The estimator's own method; and the trees in ONNX Runtime, where the answer is a sum of leaves."""
        native: dict[str, Callable[[], Predict]] = {"native": self._native}
        if not known(self.estimator):
            return native
        return native | {"onnx": lambda: self._answering(in_onnx(self.estimator))}

    def split_points(self) -> list[tuple[int, float]]:
        """The thresholds of the trees that have another engine."""
        return thresholds(self.estimator) if known(self.estimator) else []

    def _prepared(self, features: Matrix) -> tuple[Matrix, Any]:
        clipped = np.clip(features, -FLOAT32_MAX, FLOAT32_MAX)
        return clipped, np.full(len(features), True) if self.missing else ~np.isnan(clipped).any(axis=1)


def step_of_estimator(
    place: str, estimator: Any, training: Training, outputs: tuple[str, ...], method: str
) -> Sklearn:
    """The step of a fitted estimator."""
    takes_missing = _takes_missing(estimator)
    kind = SklearnTrees if _is_trees(estimator) else Sklearn
    return kind(training.features, outputs, "native", {}, method, takes_missing, dumped(place, estimator))


def _is_trees(estimator: Any) -> bool:
    tree = library("sklearn.tree", "scikit-learn", "sklearn")
    ensemble = library("sklearn.ensemble", "scikit-learn", "sklearn")
    kinds = [getattr(tree, f"DecisionTree{word}") for word in ("Classifier", "Regressor")]
    kinds += [getattr(ensemble, family + word) for family in _TREES for word in ("Classifier", "Regressor")]
    return isinstance(estimator, (*kinds, ensemble.IsolationForest))


def _takes_missing(estimator: Any) -> bool:
    return bool(library("sklearn.utils", "scikit-learn", "sklearn").get_tags(estimator).input_tags.allow_nan)


class _Sklearn(ModelLearner):
    """What the classifier and the regressor share.

    Args:
        estimator: a class of scikit-learn.
        params: its parameters, over ours (one seed, where it takes one).
    """

    _: dataclasses.KW_ONLY
    estimator: type
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    takes_text: ClassVar[bool] = False
    takes_missing: ClassVar[bool] = True  # whether this estimator does is known only once it is made

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, params=dict(self.params))
        given: Any = self.estimator
        base = library("sklearn.base", "scikit-learn", "sklearn")
        wanted, word = (
            (base.ClassifierMixin, "classifier")
            if self.task == "classification"
            else (base.RegressorMixin, "regressor")
        )
        if not (isinstance(given, type) and issubclass(given, wanted)):
            hint = f"for instance sklearn.ensemble.RandomForest{word.capitalize()}"
            what = f"estimator is {given!r}, which is no class of a scikit-learn {word}"
            raise LearnerError(Problem(self.kind, what, hint=hint))
        known = tuple(inspect.signature(self.estimator).parameters)
        unknown = [name for name in self.params if name not in known]
        if unknown:
            raise LearnerError(
                [
                    Problem(self.kind, f"{self.estimator.__name__} has no parameter '{name}'", known)
                    for name in unknown
                ]
            )
        if self.task == "classification" and not hasattr(self.estimator, "predict_proba"):
            hint = "wrap it in sklearn.calibration.CalibratedClassifierCV, or let it give probabilities"
            raise LearnerError(
                Problem(self.kind, f"{self.estimator.__name__} gives no probabilities", hint=hint)
            )

    def fit_model(self, training: Training, validation: Training | None) -> Sklearn:  # noqa: ARG002 - it watches none
        """Fit with the estimator's own `fit`."""
        seed = {"random_state": 0} if "random_state" in inspect.signature(self.estimator).parameters else {}
        estimator = self.estimator(**{**seed, **self.params})
        if not _takes_missing(estimator):
            self._refuse_missing(training)
        weights = {} if training.weights is None else {"sample_weight": training.weights}
        if weights and "sample_weight" not in inspect.signature(estimator.fit).parameters:
            raise LearnerError(
                Problem(self.kind, f"{self.estimator.__name__} takes no weights", hint="leave 'weight' out")
            )
        with asking(self.kind, "scikit-learn", TypeError, ValueError):
            estimator.fit(training.matrix, training.target, **weights)
        method = "predict_proba" if self.task == "classification" else "predict"
        return step_of_estimator(self.kind, estimator, training, self.outputs(training), method)


class sklearn_classifier(_Sklearn):
    """Any classifier of scikit-learn that gives probabilities.

    Args:
        features: numeric columns.
        estimator: the class, such as `sklearn.ensemble.RandomForestClassifier`.
        params: its parameters, over ours (one seed, where it takes one).
        target: the outcome: two values, or several.
        weight: a column of weights, where the estimator takes them.
        into: the prediction's column.

    Example:
        >>> import polars as pl
        >>> from sklearn.tree import DecisionTreeClassifier
        >>> table = pl.DataFrame({"x": [0.0, 1.0, 2.0, 3.0], "y": [0, 0, 1, 1]})
        >>> step, scored, log = sklearn_classifier(["x"], target="y", estimator=DecisionTreeClassifier)(table)
        >>> scored["prediction"].to_list()
        [0.0, 0.0, 1.0, 1.0]
    """

    task = "classification"


class sklearn_regressor(_Sklearn):
    """Any regressor of scikit-learn.

    Args:
        features: numeric columns.
        estimator: the class, such as `sklearn.ensemble.RandomForestRegressor`.
        params: its parameters, over ours (one seed, where it takes one).
        target: the number.
        weight: a column of weights, where the estimator takes them.
        into: the prediction's column.

    Example:
        >>> import polars as pl
        >>> from sklearn.tree import DecisionTreeRegressor
        >>> table = pl.DataFrame({"x": [0.0, 1.0, 2.0], "y": [5.0, 6.0, 9.0]})
        >>> step, scored, log = sklearn_regressor(["x"], target="y", estimator=DecisionTreeRegressor)(table)
        >>> scored["prediction"].to_list()
        [5.0, 6.0, 9.0]
    """

    task = "regression"
