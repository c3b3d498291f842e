"""CatBoost's symmetric trees in numpy, for few rows: all splits of all trees at once, and one sum.

Its own call prepares a pool for every row. For many rows it is the faster, and both give the same bits.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veredito.errors import ArtifactError, Problem
from veredito.learn.block import Matrix


class SymmetricTrees:
    """The sum of the leaves that a row falls into.

    Args:
        text: the model in CatBoost's JSON, of numeric features.

    Raises:
        ArtifactError: the model is not of a sort that this engine knows.
    """

    def __init__(self, text: bytes) -> None:
        model = json.loads(text)
        trees = model.get("oblivious_trees", [])
        if not trees or any(
            not tree["splits"] or any(split["split_type"] != "FloatFeature" for split in tree["splits"])
            for tree in trees
        ):
            hint = "use 'native'"
            raise ArtifactError(Problem("CatBoost model", "is not of symmetric trees of numbers", hint=hint))
        splits = [split for tree in trees for split in tree["splits"]]
        flat = [feature["flat_feature_index"] for feature in model["features_info"]["float_features"]]
        self._features = np.array([flat[split["float_feature_index"]] for split in splits])
        self._borders = np.array([split["border"] for split in splits], dtype=np.float32)
        self._bits = np.array([1 << i for tree in trees for i in range(len(tree["splits"]))])
        self._starts = np.cumsum([0, *(len(tree["splits"]) for tree in trees)])[:-1]
        self._scale, bias = model["scale_and_bias"]
        self._bias = np.asarray(bias, dtype=float)
        outputs = len(self._bias)
        self._leaves: NDArray[np.float64] = np.concatenate([tree["leaf_values"] for tree in trees])
        self._leaves = self._leaves.reshape(-1, outputs)
        self._offsets = np.cumsum([0, *(1 << len(tree["splits"]) for tree in trees)])[:-1]

    def score(self, row: Matrix) -> list[float]:
        """The scores of one row, shape (features,)."""
        with np.errstate(over="ignore"):  # what is beyond float32 is infinite there
            above = row.astype(np.float32)[self._features] > self._borders
        places = np.add.reduceat(above * self._bits, self._starts)
        # Added one after another, as CatBoost does, and not in pairs, as numpy's sum does.
        total = np.add.accumulate(self._leaves[places + self._offsets])[-1]
        found: list[float] = (total * self._scale + self._bias).tolist()
        return found


def for_few_rows(text: bytes, answer: str, many: Callable[[Matrix], Matrix], rows_max: int = 4) -> Any:
    """Predictions in numpy up to `rows_max` rows, and by another function above.

    Args:
        text: the model in CatBoost's JSON.
        answer: CatBoost's name for the kind of prediction: ``Probability`` or ``RawFormulaVal``.
        many: CatBoost's own call.
        rows_max: up to how many rows.

    Raises:
        ArtifactError: the model is not of a sort that this engine knows.
    """
    trees = SymmetricTrees(text)

    def predict(features: Matrix) -> Matrix:
        if len(features) > rows_max:
            return many(features)
        return np.array([_answer(trees.score(row), answer) for row in features])

    return predict


def _answer(scores: list[float], answer: str) -> list[float]:
    if answer == "RawFormulaVal":
        return scores
    if len(scores) == 1:
        return [1.0 / (1.0 + math.exp(-min(max(scores[0], -700.0), 700.0)))]
    top = max(scores)
    powers = [math.exp(score - top) for score in scores]
    total = sum(powers)
    return [power / total for power in powers]
