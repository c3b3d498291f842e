"""XGBoost's trees, read from its JSON, in ONNX Runtime: its own call prepares a thread team for every row."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from veredito.errors import ArtifactError, Problem
from veredito.learn.block import Matrix

from .onnx import Trees, scorer

_LINKS = {"reg:squarederror": "identity", "binary:logistic": "logistic", "multi:softprob": "softmax"}


def in_onnx(text: str) -> Any:
    """Predictions by ONNX Runtime.

    Args:
        text: the model in XGBoost's JSON.

    Raises:
        ArtifactError: the model is not of a sort that this engine knows.
        MissingExtraError: ONNX or ONNX Runtime is not installed.
    """
    try:
        link, score, start = _read(json.loads(text)["learner"])
    except (ValueError, KeyError, IndexError, TypeError) as error:
        what = f"its JSON cannot be read ({type(error).__name__}: {error})"
        raise ArtifactError(Problem("XGBoost model", what, hint="save the model again")) from error

    def predict(features: Matrix) -> Any:
        scores = score(features) + start
        if link == "identity":
            return scores[:, 0]
        with np.errstate(over="ignore"):
            if link == "logistic":
                return 1 / (1 + np.exp(-scores[:, 0]))
            powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    return predict


def _read(learner: Any) -> tuple[str, Any, Any]:
    """What becomes of the score, the trees' sum as a function, and what it is added to."""
    link = _LINKS.get(learner["objective"]["name"])
    if learner["gradient_booster"]["name"] != "gbtree" or link is None:
        what = "is not of trees for a plain objective"
        raise ArtifactError(Problem("XGBoost model", what, hint="use the engine 'native'"))
    settings = learner["learner_model_param"]
    score = scorer(_trees(learner), int(settings["num_feature"]))
    return link, score, _start(settings["base_score"], link)


def _start(written: str, link: str) -> Any:
    base = np.array(json.loads(written), dtype=np.float32)
    return np.log(base / (1 - base)) if link == "logistic" else base


def _trees(learner: Any) -> Trees:
    model = learner["gradient_booster"]["model"]
    trees, groups = model["trees"], model["tree_info"]
    if any(any(tree["split_type"]) for tree in trees):
        raise ArtifactError(Problem("XGBoost model", "splits by sets of categories", hint="use 'native'"))
    sizes = [len(tree["left_children"]) for tree in trees]
    left = _joined(trees, "left_children", np.int64)
    condition = _joined(trees, "split_conditions", np.float32)
    leaf = left < 0
    values = np.zeros((len(left), max(groups) + 1), dtype=np.float32)
    values[np.arange(len(left)), np.repeat(groups, sizes)] = np.where(leaf, condition, 0)
    return Trees(
        tree=np.repeat(np.arange(len(trees)), sizes),
        node=np.concatenate([np.arange(size) for size in sizes]),
        feature=np.where(leaf, 0, _joined(trees, "split_indices", np.int64)),
        threshold=np.where(leaf, np.float32(0), condition),
        left=left,
        right=_joined(trees, "right_children", np.int64),
        missing_left=_joined(trees, "default_left", np.bool_) & ~leaf,
        values=values,
        strict=True,
    )


def _joined(trees: Any, key: str, dtype: Any) -> Any:
    return np.concatenate([np.asarray(tree[key], dtype=dtype) for tree in trees])
