"""Small networks in plain numpy: a chain of dense layers is a product and a sum each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Layer: TypeAlias = Callable[[NDArray[Any]], NDArray[Any]]


def dense_network(architecture: str, weights: Sequence[NDArray[Any]]) -> Layer | None:
    """A Keras network as a function, or none where a layer of it is not known here.

    Args:
        architecture: Keras' JSON of a `Sequential` model.
        weights: Keras' list of arrays: a kernel and a bias for each dense layer.
    """
    try:
        layers = _layers(json.loads(architecture), iter(weights))
    except (ValueError, KeyError, TypeError, StopIteration):
        return None  # not as Keras writes it today: Keras itself says what is wrong with it, if anything is
    return None if layers is None else _chain(layers)


def _layers(model: Any, weights: Iterator[NDArray[Any]]) -> list[Layer] | None:
    if model["class_name"] != "Sequential":
        return None
    layers: list[Layer] = []
    for layer in model["config"]["layers"]:
        settings = layer["config"]
        if layer["class_name"] in {"InputLayer", "Dropout"}:  # dropout is for training
            continue
        if layer["class_name"] != "Dense" or settings["activation"] not in _ACTIVATIONS:
            return None
        kernel = next(weights)
        layers.append(_dense(kernel, next(weights) if settings["use_bias"] else None, settings["activation"]))
    return layers


def _dense(kernel: NDArray[Any], bias: NDArray[Any] | None, activation: str) -> Layer:
    activate = _ACTIVATIONS[activation]
    offset = np.zeros(kernel.shape[1], kernel.dtype) if bias is None else bias

    def layer(rows: NDArray[Any]) -> NDArray[Any]:
        return activate(rows @ kernel + offset)

    return layer


def _chain(layers: Sequence[Layer]) -> Layer:
    def network(rows: NDArray[Any]) -> NDArray[Any]:
        with np.errstate(over="ignore"):  # an extreme score is a probability of 0
            for layer in layers:
                rows = layer(rows)
        return rows

    return network


def _relu(rows: NDArray[Any]) -> NDArray[Any]:
    positive: NDArray[Any] = np.maximum(rows, rows.dtype.type(0))
    return positive


def _sigmoid(rows: NDArray[Any]) -> NDArray[Any]:
    shares: NDArray[Any] = 1 / (1 + np.exp(-rows))
    return shares


def _softmax(rows: NDArray[Any]) -> NDArray[Any]:
    powers = np.exp(rows - rows.max(axis=1, keepdims=True))
    shares: NDArray[Any] = powers / powers.sum(axis=1, keepdims=True)
    return shares


_ACTIVATIONS: dict[str, Layer] = {
    "linear": lambda rows: rows,
    "relu": _relu,
    "sigmoid": _sigmoid,
    "softmax": _softmax,
    "tanh": np.tanh,
}
