"""Recorded effects: the same graph, with what its effects gave before instead of the effects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from veredito.errors import GraphError, Problem, SourceError, did_you_mean
from veredito.graph import Effect, Graph, Run
from veredito.graph.nodes import Node, waits
from veredito.graph.resilience.report import tell
from veredito.types import Outcome

_FRESH = Outcome("fresh")


def recorded(graph: Graph, values: Mapping[str, Any], outcomes: Mapping[str, Outcome] | None = None) -> Graph:
    """The graph with every effect answering from a recording. What was not recorded fails, and says so.

    Args:
        graph: the graph whose effects are replaced; pure nodes and branches run as ever.
        values: by effect, what it gave. Values of other nodes are left aside.
        outcomes: by effect, how that came to be; fresh where not given. A failed one fails again.

    Raises:
        GraphError: a recorded name is no node of the graph.

    Example:
        >>> from veredito import graph as vg
        >>> g = vg.Graph([vg.Effect("customer", lambda: 1 / 0), vg.Pure("known", lambda customer: customer is not None)])
        >>> recorded(g, {"customer": {"age": 40}}).plan("known").run().value
        True
    """
    outcomes = outcomes or {}
    unknown = [name for name in {**values, **outcomes} if name not in graph.nodes]
    if unknown:
        raise GraphError(
            [
                Problem(
                    f"recorded '{name}'", "no such node", tuple(graph.nodes), did_you_mean(name, graph.nodes)
                )
                for name in unknown
            ]
        )
    effects = [name for name, node in graph.nodes.items() if waits(node)]
    return graph.replace(*(answering(name, values, outcomes.get(name, _FRESH)) for name in effects))


def recorded_run(run: Run) -> Graph:
    """The graph of a run, with its effects answering as they did in that run.

    Args:
        run: the recording.
    """
    return recorded(run.plan.graph, run.values, run.outcomes)


def answering(name: str, values: Mapping[str, Any], outcome: Outcome) -> Node:
    """An effect that gives a recorded value with its recorded outcome.

    Args:
        name: the effect's name.
        values: where its value is.
        outcome: how it came to be; failed and skipped ones fail.
    """
    return Effect(name, _answer(name, values, outcome), needs=())


def _answer(name: str, values: Mapping[str, Any], outcome: Outcome) -> Callable[[], Any]:
    async def answer() -> Any:
        tell(outcome)
        if name not in values:
            raise SourceError(f"'{name}' has no recorded value ({outcome})")
        return values[name]

    return answer
