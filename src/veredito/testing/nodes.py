"""Any node, run by itself from given values."""

from __future__ import annotations

from typing import Any

from veredito.errors import GraphError, Problem, did_you_mean
from veredito.graph import Graph, Node, Outcome, Value
from veredito.graph.checks import edges
from veredito.testing.recorded import answering

_SUFFIX = "_outcome"


def run_node(node: Node, /, **given: Any) -> Any:
    """The value of one node, with everything it needs given; sources are given like any other need.

    Args:
        node: any node: pure, effect, branch, each.
        **given: need to value; ``<need>_outcome`` says how a need came to be, where the node asks for it.

    Raises:
        GraphError: a need is not given, or something is given that the node does not need.
        BaseException: what the node itself raises.

    Example:
        >>> from veredito import graph as vg
        >>> @vg.pure
        ... def ratio(amount, customer):
        ...     return amount / customer["usual"]
        >>> run_node(ratio, amount=50.0, customer={"usual": 25.0})
        2.0
    """
    needs = tuple(dict.fromkeys(name for name, _ in edges(node)))
    allowed = {*needs, *(need + _SUFFIX for need in needs)}
    unknown = [name for name in given if name not in allowed]
    if unknown:
        place = f"node '{node.name}'"
        raise GraphError(
            [Problem(place, f"does not need '{name}'", needs, did_you_mean(name, needs)) for name in unknown]
        )
    stand_ins = [_given(need, given) for need in needs if need in given or need + _SUFFIX in given]
    return Graph([node, *stand_ins]).plan(node.name).run({}).value


def _given(need: str, given: dict[str, Any]) -> Node:
    outcome = given.get(need + _SUFFIX)
    return Value(need, given[need]) if outcome is None else answering(need, given, _checked(need, outcome))


def _checked(need: str, outcome: Any) -> Outcome:
    if not isinstance(outcome, Outcome):
        raise GraphError(
            Problem(f"given '{need}{_SUFFIX}'", f"is a {type(outcome).__name__}, not an Outcome")
        )
    return outcome
