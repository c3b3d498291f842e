"""Trees in ONNX Runtime: one row in some twenty microseconds, whatever library grew them.

The trees are written as one `TreeEnsembleRegressor` straight from the library's own format, so that no converter
has to keep up with the library. It adds in float32: parity decides whether that is near enough.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veredito.errors import MissingExtraError
from veredito.learn.block import Matrix

_ROWS_ONE_THREAD = 4_096  # a request's rows stay on one core: its siblings have requests of their own
_OPSET, _ML_OPSET = 17, 3  # the oldest that have what is written here

Integers = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Trees:
    """Binary trees as arrays, one entry a node; the root of a tree comes first.

    Args:
        tree: which tree a node belongs to.
        node: its number in the tree.
        feature: what it compares; 0 in a leaf.
        threshold: float32, with what.
        left: the number of the node that follows where the comparison holds; -1 in a leaf.
        right: the one where it does not.
        missing_left: whether a missing value goes left.
        values: shape (nodes, outputs), what a leaf adds; 0 elsewhere.
        strict: whether the comparison is ``<``, or ``<=``.
    """

    tree: Integers
    node: Integers
    feature: Integers
    threshold: NDArray[np.float32]
    left: Integers
    right: Integers
    missing_left: NDArray[np.bool_]
    values: NDArray[np.float32]
    strict: bool

    @property
    def leaf(self) -> NDArray[np.bool_]:
        """Which nodes are leaves."""
        return self.left < 0


def scorer(trees: Trees, width: int) -> Callable[[Matrix], NDArray[np.float32]]:
    """The sum of the trees' leaves as a function of features: float32, shape (rows, outputs).

    Args:
        trees: the trees.
        width: how many features a row has.

    Raises:
        MissingExtraError: ONNX or ONNX Runtime is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtraError("onnxruntime", "onnx", purpose="the engine 'onnx'") from None
    model = _model(trees, width)

    @cache
    def run(threads: int) -> Any:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting burns no core
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]).run

    run(1)

    def score(features: Matrix) -> NDArray[np.float32]:
        with np.errstate(over="ignore"):  # what is beyond float32 is infinite there
            rows = features.astype(np.float32, order="C")
        found: NDArray[np.float32] = run(1 if len(rows) <= _ROWS_ONE_THREAD else 0)(None, {"x": rows})[0]
        return found

    return score


def _model(trees: Trees, width: int) -> bytes:
    try:
        from onnx import TensorProto, helper
    except ImportError:
        raise MissingExtraError("onnx", "onnx", purpose="the engine 'onnx'") from None
    outputs = trees.values.shape[1]
    leaf = np.repeat(np.flatnonzero(trees.leaf), outputs)
    branch = "BRANCH_LT" if trees.strict else "BRANCH_LEQ"
    ensemble = helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        n_targets=outputs,
        nodes_treeids=trees.tree.tolist(),
        nodes_nodeids=trees.node.tolist(),
        nodes_featureids=trees.feature.tolist(),
        nodes_modes=["LEAF" if leaf else branch for leaf in trees.leaf.tolist()],
        nodes_values=trees.threshold.tolist(),
        nodes_truenodeids=np.maximum(trees.left, 0).tolist(),
        nodes_falsenodeids=np.maximum(trees.right, 0).tolist(),
        nodes_missing_value_tracks_true=trees.missing_left.astype(int).tolist(),
        target_treeids=trees.tree[leaf].tolist(),
        target_nodeids=trees.node[leaf].tolist(),
        target_ids=np.tile(np.arange(outputs), len(leaf) // outputs).tolist(),
        target_weights=trees.values[trees.leaf].ravel().tolist(),
    )
    graph = helper.make_graph(
        [ensemble],
        "trees",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, outputs])],
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("ai.onnx.ml", _ML_OPSET)]
    model: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    return model
