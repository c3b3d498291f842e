"""Neural networks by Keras on TensorFlow. The step holds the architecture as JSON and the weights as arrays.

A layer that holds code (a Lambda, a class of one's own) is refused: reading a model must run none.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from veredito.errors import ArtifactError, LearnerError, Problem
from veredito.learn.block import Matrix
from veredito.learn.engines.network import dense_network
from veredito.learn.learner import settle
from veredito.learn.step import fitted

from .libraries import asking, library
from .model_learner import ModelLearner, Training
from .model_step import FLOAT32_MAX, ModelStep, Predict


def _library() -> Any:
    os.environ.setdefault(
        "TF_CPP_MIN_LOG_LEVEL", "2"
    )  # or TensorFlow tells stderr about every instruction set
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what its imports deprecate is its own affair
        library("tensorflow", "tensorflow", "keras")
        return library("keras", "keras", "keras")


class Keras(ModelStep, kind="keras"):
    """A fitted network.

    Args:
        architecture: Keras' JSON.
        weights: Keras' list of arrays.
    """

    architecture: str = fitted()
    weights: tuple[NDArray[Any], ...] = fitted()

    library: ClassVar[str] = "keras"
    tolerance: ClassVar[float] = 1e-5  # it computes in float32, and sums one row in another order than many

    @cached_property
    def network(self) -> Any:
        """Keras' own model."""
        try:
            return _read(self.architecture, self.weights)
        except (ValueError, TypeError, KeyError) as error:
            what = f"the network cannot be read ({type(error).__name__}: {error})"
            raise ArtifactError(Problem("Keras model", what, hint="save the model again")) from error

    @property
    def log_state(self) -> dict[str, Any]:
        """The architecture and how many weights there are; the weights themselves stay in the step."""
        count = sum(int(array.size) for array in self.weights)
        return self.params() | {"architecture": self.architecture, "weights": count}

    def engines(self) -> dict[str, Callable[[], Predict]]:
        """Keras' own call; and plain numpy where all layers are dense, which needs no TensorFlow at all."""
        found: dict[str, Callable[[], Predict]] = {"native": self._native}
        network = dense_network(self.architecture, self.weights)
        if network is not None:
            found["numpy"] = lambda: _of_finite_rows(network, len(self.outputs))
        return found

    def _native(self) -> Predict:
        return _of_finite_rows(self.network.predict_on_batch, len(self.outputs))


def _of_finite_rows(network: Callable[[NDArray[np.float32]], NDArray[Any]], width: int) -> Predict:
    """A network on the rows that are numbers throughout: a layer may turn what is missing into an answer."""

    def predict(features: Matrix) -> Matrix:
        known = (np.abs(features) <= FLOAT32_MAX).all(axis=1)  # false for NaN too
        if known.all():
            return network(features.astype(np.float32)).astype(np.float64)
        out = np.full((len(features), width), np.nan)
        if known.any():
            out[known] = network(features[known].astype(np.float32))
        return out

    return predict


def _read(architecture: str, weights: Sequence[NDArray[Any]]) -> Any:
    model = _library().models.model_from_json(architecture)  # in safe mode, as Keras is unless told otherwise
    model.set_weights([np.array(array) for array in weights])
    return model


class _Keras(ModelLearner):
    """What the classifier and the regressor share.

    Args:
        network: the widths of hidden layers, or a function of (features, outputs) to a Keras model.
        epochs: how often it goes through the rows at most.
        batch_size: rows a step.
        learning_rate: of Adam.
        seed: of the first weights, the order of rows, and dropout.
        early_stopping: stop when the watched rows gain nothing for so many epochs, and keep the best weights.
    """

    _: dataclasses.KW_ONLY
    network: Sequence[int] | Callable[[int, int], Any] = (32, 16)
    epochs: int = 20
    batch_size: int = 256
    learning_rate: float = 1e-3
    seed: int = 0
    early_stopping: int | None = None

    takes_text: ClassVar[bool] = False
    takes_missing: ClassVar[bool] = False
    takes_validation: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not callable(self.network):
            settle(self, network=tuple(self.network))
        problems = [
            Problem(self.kind, f"{name} is {getattr(self, name)}, and must be above 0")
            for name in ("epochs", "batch_size", "learning_rate")
            if not getattr(self, name) > 0
        ]
        if self.early_stopping is not None and self.validation is None:
            hint = "validation=learn.on(fraction=0.1, name='validation')"
            problems.append(Problem(self.kind, "early_stopping needs rows to watch", hint=hint))
        if problems:
            raise LearnerError(problems)

    def fit_model(self, training: Training, validation: Training | None) -> Keras:
        """Train with Keras' own `fit`."""
        keras = _library()
        outputs = self.outputs(training)
        with asking(self.kind, "Keras", TypeError, ValueError), _seeded(keras, self.seed):
            model = self._made(keras, len(training.features), len(outputs))
            model.compile(keras.optimizers.Adam(self.learning_rate), loss=self._loss(len(outputs)))
            model.fit(
                *_rows(training)[:2],
                sample_weight=training.weights,
                batch_size=self.batch_size,
                epochs=self.epochs,
                validation_data=_rows(validation) if validation else None,
                callbacks=self._callbacks(keras),
                verbose=0,
            )
            weights = tuple(np.asarray(array) for array in model.get_weights())
            architecture = model.to_json()
            _read(architecture, weights)  # what cannot be read back is said now, and not at the next start
        return Keras(training.features, outputs, "native", {}, architecture, weights)

    def _made(self, keras: Any, width: int, outputs: int) -> Any:
        if callable(self.network):
            return self.network(width, outputs)
        ending = "linear" if self.task == "regression" else "sigmoid" if outputs == 1 else "softmax"
        hidden = [keras.layers.Dense(units, activation="relu") for units in self.network]
        return keras.Sequential(
            [keras.Input((width,)), *hidden, keras.layers.Dense(outputs, activation=ending)]
        )

    def _loss(self, outputs: int) -> str:
        if self.task == "regression":
            return "mean_squared_error"
        return "binary_crossentropy" if outputs == 1 else "sparse_categorical_crossentropy"

    def _callbacks(self, keras: Any) -> list[Any]:
        if self.early_stopping is None:
            return []
        stop = keras.callbacks.EarlyStopping
        return [stop(monitor="val_loss", patience=self.early_stopping, restore_best_weights=True)]


def _rows(training: Training) -> tuple[Any, ...]:
    rows = (training.matrix.astype(np.float32), training.target.astype(np.float32))
    return rows if training.weights is None else (*rows, training.weights)


@contextlib.contextmanager
def _seeded(keras: Any, seed: int) -> Iterator[None]:
    """Keras seeds Python and numpy too: both are given back as they were."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - it is the state that Keras changes
    keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


class keras_classifier(_Keras):
    """A neural network for two or more classes, by Keras.

    Features are numbers without missing values: impute and scale them first.

    Args:
        features: numeric columns.
        target: the outcome: two values, or several.
        network: the widths of hidden layers, or a function of (features, outputs) to a Keras model that ends in
            probabilities; it is compiled here.
        epochs: how often it goes through the rows at most.
        batch_size: rows a step.
        learning_rate: of Adam.
        seed: of the first weights, the order of rows, and dropout.
        weight: a column of weights.
        validation: held-out rows to watch, `learn.on(...)`.
        early_stopping: stop when they gain nothing for so many epochs, and keep the best weights.
        into: the prediction's column.
    """

    task = "classification"


class keras_regressor(_Keras):
    """A neural network for a number, by Keras.

    Features are numbers without missing values: impute and scale them first.

    Args:
        features: numeric columns.
        target: the number.
        network: the widths of hidden layers, or a function of (features, outputs) to a Keras model; it is
            compiled here.
        epochs: how often it goes through the rows at most.
        batch_size: rows a step.
        learning_rate: of Adam.
        seed: of the first weights, the order of rows, and dropout.
        weight: a column of weights.
        validation: held-out rows to watch, `learn.on(...)`.
        early_stopping: stop when they gain nothing for so many epochs, and keep the best weights.
        into: the prediction's column.
    """

    task = "regression"
