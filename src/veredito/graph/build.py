"""A graph: nodes that were checked together. A value that can be printed, drawn, overridden and planned.

Everything that is wrong is said when the graph is built, all of it at once. A cycle is an error even where
it runs through arms that exclude each other: whether it closes would depend on the values of a run.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from veredito.errors import GraphError, Problem, did_you_mean
from veredito.graph.checks import edges, problems_of
from veredito.graph.nodes import NODES, Node, Value

if TYPE_CHECKING:
    from veredito.graph.plan import Plan


class Graph:
    """A checked set of nodes.

    Args:
        nodes: the nodes, in any order. Nodes inside branches come along.
        sources: names that functions may ask for and that a run is given: connections, tables.

    Raises:
        GraphError: missing keys, cycles, duplicates, incomplete clauses, unreadable signatures: all at once.

    Example:
        >>> from veredito import graph as vg
        >>> g = vg.Graph([vg.value("a", 2), vg.Pure("double", lambda a: 2 * a)])
        >>> g.plan("double").run({}).value
        4
    """

    def __init__(self, nodes: Iterable[Node], sources: Iterable[str] = ()) -> None:
        given: Any = nodes
        if isinstance(given, NODES) or not isinstance(given, Iterable):
            raise GraphError(
                Problem("graph", f"a {type(given).__name__} is no list of nodes", hint="Graph([...])")
            )
        listed, problems = _flatten(nodes)
        self.sources = (sources,) if isinstance(sources, str) else tuple(sources)
        self.nodes: Mapping[str, Node] = types.MappingProxyType({node.name: node for node in listed})
        problems += problems_of(listed, self.nodes, self.sources)
        if problems:
            raise GraphError(problems)

    @classmethod
    def of(cls, module: Any, sources: Iterable[str] = ()) -> Graph:
        """The graph of every node among a module's attributes.

        Args:
            module: a module, or anything with attributes.
            sources: as for `Graph`.
        """
        found = {id(item): item for item in vars(module).values() if isinstance(item, NODES)}
        return cls(found.values(), sources)

    def override(self, **values: Any) -> Graph:
        """The same graph with these nodes as constants: their functions never run, nor what only they needed.

        Args:
            **values: node name to value.

        Raises:
            GraphError: there is no such node.
        """
        unknown = [
            Problem(f"override '{name}'", "no such node", tuple(self.nodes), did_you_mean(name, self.nodes))
            for name in values
            if name not in self.nodes
        ]
        if unknown:
            raise GraphError(unknown)
        return self.replace(*(Value(name, value) for name, value in values.items()))

    def replace(self, *nodes: Node) -> Graph:
        """The same graph with these nodes instead of those of the same name, or beside them.

        Args:
            *nodes: the nodes that take the place.
        """
        taken = {getattr(node, "name", None) for node in nodes}
        return Graph(
            [*(_bare(node) for node in self.nodes.values() if node.name not in taken), *nodes], self.sources
        )

    def plan(self, targets: str | Sequence[str], deadline_ms: float | None = None) -> Plan:
        """Compile what is needed for the targets, once; the plan is immutable and serves any number of runs.

        Args:
            targets: the node asked for, or several.
            deadline_ms: the time a run has from its start, unless it is told otherwise.

        Raises:
            GraphError: unknown targets, or a chain of timeouts that is longer than the deadline.
        """
        from veredito.graph.plan import Plan

        return Plan(self, targets, deadline_ms)

    def __str__(self) -> str:
        width = max((len(name) for name in self.nodes), default=0)
        head = f"graph of {len(self.nodes)} nodes"
        head += f", sources: {', '.join(self.sources)}" if self.sources else ""
        return "\n".join([head, *(_line(node, width) for node in self.nodes.values())])

    def __repr__(self) -> str:
        return f"<Graph of {len(self.nodes)} nodes>"

    def __len__(self) -> int:
        return len(self.nodes)


def _flatten(nodes: Iterable[Node]) -> tuple[list[Node], list[Problem]]:
    """The nodes and those inside them, each once; and what is no node, or has a name that is taken."""
    listed: list[Node] = []
    problems: list[Problem] = []
    by_name: dict[str, Node] = {}
    waiting: list[Any] = list(nodes)[::-1]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, NODES):
            problems.append(
                Problem(
                    "graph",
                    f"{type(node).__name__} is not a node",
                    hint="decorate functions with @pure or @effect",
                )
            )
        elif not _is_name(node.name):
            problems.append(
                Problem(
                    "graph",
                    f"a node of kind {node.kind} has no name",
                    hint="a name is a text that is not empty",
                )
            )
        elif node.name not in by_name:
            by_name[node.name] = node
            listed.append(node)
            waiting.extend(reversed(getattr(node, "inner", ())))
        elif by_name[node.name] is not node:
            problems.append(
                Problem(
                    f"node '{node.name}'", "two nodes have this name", hint="rename one, or use graph.replace"
                )
            )
    return listed, problems


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and bool(name)


def _bare(node: Node) -> Node:
    """The node without the nodes inside it: the graph lists those already."""
    return dataclasses.replace(node) if getattr(node, "inner", ()) else node


def _line(node: Node, width: int) -> str:
    asked = ", ".join(str(name) if place is None else f"{place}: {name}" for name, place in edges(node))
    shown = f" <- {asked}" if asked else ""
    return f"  {node.name:<{width}}  {node.kind}{shown}"
