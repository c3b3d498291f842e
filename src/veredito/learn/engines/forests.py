"""Scikit-learn's trees and forests in ONNX Runtime: its own call takes milliseconds for a row."""

from __future__ import annotations

from typing import Any

import numpy as np

from veredito.learn.block import Matrix

from .onnx import Integers, Trees, scorer

_AVERAGING = (
    "RandomForestClassifier",
    "RandomForestRegressor",
    "ExtraTreesClassifier",
    "ExtraTreesRegressor",
)
_ISOLATION = "IsolationForest"
_SPLITS_MAX = 200  # scikit-learn takes milliseconds for each row that is compared there
_SINGLE = ("DecisionTreeClassifier", "DecisionTreeRegressor")


def known(estimator: Any) -> bool:
    """Whether this is a tree or a forest whose answer is a sum of leaves."""
    return type(estimator).__name__ in (*_AVERAGING, *_SINGLE, _ISOLATION)


def thresholds(estimator: Any) -> list[tuple[int, float]]:
    """Where trees that are `known` split: (feature, threshold), some of each tree."""
    members = _members(estimator)
    features = getattr(
        estimator, "estimators_features_", [np.arange(estimator.n_features_in_)] * len(members)
    )
    found = [
        (int(mine[feature]), float(threshold))
        for mine, member in zip(features, members, strict=True)
        for feature, threshold in zip(member.tree_.feature, member.tree_.threshold, strict=True)
        if feature >= 0
    ]
    return found[:: max(1, len(found) // _SPLITS_MAX)]


def _members(estimator: Any) -> list[Any]:
    return [estimator] if type(estimator).__name__ in _SINGLE else list(estimator.estimators_)


def in_onnx(estimator: Any) -> Any:
    """What the estimator's own method gives, by ONNX Runtime.

    Args:
        estimator: a fitted tree, forest, or isolation forest of scikit-learn, that is `known`.

    Raises:
        MissingExtraError: ONNX or ONNX Runtime is not installed.
    """
    if type(estimator).__name__ == _ISOLATION:
        return _isolation(estimator)
    members = _members(estimator)
    values = [member.tree_.value[:, 0, :] / len(members) for member in members]
    return scorer(_trees(members, values, None), estimator.n_features_in_)


def _isolation(forest: Any) -> Any:
    members = list(forest.estimators_)
    values = [_lengths(member.tree_)[:, None] for member in members]
    score = scorer(_trees(members, values, forest.estimators_features_), forest.n_features_in_)
    ordinary = len(members) * float(_expected_length(np.array([forest.max_samples_]))[0])

    def score_samples(features: Matrix) -> Matrix:
        return -np.exp2(-score(features)[:, 0].astype(float) / ordinary)

    return score_samples


def _lengths(tree: Any) -> Matrix:
    """How many splits lead to each leaf, and how many more would set its rows apart (Liu et al., 2008)."""
    depth = np.zeros(tree.node_count)
    for parent in range(tree.node_count):  # children come after their parents
        for child in (tree.children_left[parent], tree.children_right[parent]):
            if child >= 0:
                depth[child] = depth[parent] + 1
    return depth + _expected_length(tree.n_node_samples)


def _expected_length(rows: Any) -> Matrix:
    many = np.maximum(rows, 3).astype(float)
    expected = 2 * (np.log(many - 1) + np.euler_gamma) - 2 * (many - 1) / many
    return np.where(rows <= 1, 0.0, np.where(rows == 2, 1.0, expected))


def _trees(members: Any, values: list[Matrix], features: Any) -> Trees:
    trees = [member.tree_ for member in members]
    sizes = [tree.node_count for tree in trees]
    left: Integers = np.concatenate([tree.children_left for tree in trees])
    leaf = left < 0
    read = [
        np.maximum(tree.feature, 0) if features is None else features[i][np.maximum(tree.feature, 0)]
        for i, tree in enumerate(trees)
    ]
    return Trees(
        tree=np.repeat(np.arange(len(trees)), sizes),
        node=np.concatenate([np.arange(size) for size in sizes]),
        feature=np.where(leaf, 0, np.concatenate(read)),
        threshold=np.where(leaf, 0, _rounded_down(np.concatenate([tree.threshold for tree in trees]))),
        left=left,
        right=np.concatenate([tree.children_right for tree in trees]),
        missing_left=np.concatenate([tree.missing_go_to_left for tree in trees]).astype(bool) & ~leaf,
        values=np.where(leaf[:, None], np.concatenate(values), 0).astype(np.float32),
        strict=False,
    )


def _rounded_down(thresholds: Matrix) -> Any:
    """The greatest float32 at or below: the same float32 values lie on the same sides of it."""
    short = thresholds.astype(np.float32)
    return np.where(short > thresholds, np.nextafter(short, np.float32(-np.inf)), short)
