"""A plan: what a graph compiles to for its targets. Immutable, shared by any number of runs at a time."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from veredito.errors import GraphError, InputError, Problem, did_you_mean
from veredito.graph.advice import advice
from veredito.graph.checks import is_duration
from veredito.graph.engines import ENGINES
from veredito.graph.engines.aio import AsyncRun
from veredito.graph.nodes import Input, Value
from veredito.graph.program import program_of
from veredito.graph.run import Run, State
from veredito.graph.shape import shape_of
from veredito.graph.timing import check_chain, remaining_seconds, timeout_seconds

if TYPE_CHECKING:
    from veredito.graph.build import Graph


class Plan:
    """What a graph compiles to; made by `Graph.plan`.

    Args:
        graph: the checked nodes.
        targets: the node asked for, or several.
        deadline_ms: the time a run has from its start, unless it is told otherwise.

    Raises:
        GraphError: unknown targets, or a chain of timeouts that is longer than the deadline.
    """

    def __init__(self, graph: Graph, targets: str | Sequence[str], deadline_ms: float | None = None) -> None:
        self.graph = graph
        if not isinstance(targets, str | Sequence):
            raise GraphError(Problem("plan", f"a {type(targets).__name__} is no target", tuple(graph.nodes)))
        self.several = not isinstance(targets, str)
        self.targets = (targets,) if isinstance(targets, str) else tuple(targets)
        self.deadline_ms = deadline_ms
        _check(graph, self.targets, deadline_ms)
        self.shape = shape_of(graph.nodes, self.targets)
        check_chain(self.shape, deadline_ms)
        self.program = program_of(self.shape)
        self.remaining = remaining_seconds(self.shape)
        self.budgets = tuple(
            (timeout_seconds(self.shape, at) or math.inf, self.remaining[at]) for at in self.shape.order
        )
        number = {name: at for at, name in enumerate(self.shape.names)}
        self.target_numbers = tuple(number[name] for name in self.targets)
        self._inputs = tuple(
            (node.name, at, node.type) for at, node in enumerate(self.shape.nodes) if isinstance(node, Input)
        )
        self._sources = tuple((name, number[name]) for name in graph.sources if name in number)

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of the nodes that this plan may run or read, needs first."""
        return tuple(name for name, node in zip(self.shape.names, self.shape.nodes, strict=True) if node)

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the sources that a run has to be given."""
        return tuple(name for name, _ in self._sources)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs that a run has to be given."""
        return tuple(name for name, _, _ in self._inputs)

    @functools.cached_property
    def warnings(self) -> tuple[Problem, ...]:
        """What is allowed and still looks wrong: nodes that nobody uses, waiting for what is not read, no timeout."""
        return advice(self.graph.nodes, self.shape)

    async def arun(
        self,
        inputs: Mapping[str, Any],
        sources: Mapping[str, Any] | None = None,
        deadline: float | None = None,
    ) -> Run:
        """Run on the asyncio loop. A failing node never raises here; only cancellation of the caller does.

        Args:
            inputs: by name.
            sources: by name; more than the plan asks for are allowed.
            deadline: seconds on the monotonic clock; by default the plan's own from now.

        Raises:
            InputError: an input has the wrong type.
            GraphError: an input or a source is not given, or the graph knows no such input.
        """
        return await AsyncRun(self, inputs, sources or {}, deadline).finish()

    def run(
        self,
        inputs: Mapping[str, Any] | None = None,
        sources: Mapping[str, Any] | None = None,
        engine: str = "serial",
        deadline: float | None = None,
    ) -> Run:
        """Run, and block until the targets are there. A failing node never raises here.

        Args:
            inputs: by name.
            sources: by name; more than the plan asks for are allowed.
            engine: ``serial``, one node after the other, or ``threads``, blocking effects at a time.
            deadline: seconds on the monotonic clock; by default the plan's own from now.

        Raises:
            InputError: an input has the wrong type.
            GraphError: an input, a source or the engine is not known or not given.
        """
        return _engine(engine)(self, inputs or {}, sources or {}, deadline)

    def function(self, at: int) -> Callable[..., Any]:
        """What is called for a node, by number: its function, or that over its elements."""
        return self.program.functions[at]

    def is_async(self, at: int) -> bool:
        """Whether that gives a coroutine."""
        return at in self.program.coroutines

    def fill(self, state: State, inputs: Mapping[str, Any], sources: Mapping[str, Any]) -> None:
        """Put what a run was given into its slots. Engines call it before anything runs."""
        values = state.values
        try:
            for name, at, _ in self._inputs:
                values[at] = inputs[name]
            for name, at in self._sources:
                values[at] = sources[name]
        except KeyError:
            raise GraphError(self._not_given(inputs, sources)) from None
        except (TypeError, IndexError):
            raise GraphError(_no_mappings(inputs=inputs, sources=sources)) from None
        if len(inputs) != len(self._inputs) and (unknown := self._unknown(inputs)):
            raise GraphError(unknown)
        for name, at, kind in self._inputs:
            if kind is not None and not isinstance(values[at], kind):
                raise InputError(
                    Problem(
                        f"input '{name}'",
                        f"is a {type(values[at]).__name__}, not a {getattr(kind, '__name__', kind)}",
                    )
                )

    def _not_given(self, inputs: Mapping[str, Any], sources: Mapping[str, Any]) -> list[Problem]:
        missing = [("input", name, inputs) for name, _, _ in self._inputs if name not in inputs]
        missing += [("source", name, sources) for name, _ in self._sources if name not in sources]
        return [
            Problem(f"{kind} '{name}'", "is not given to the run", tuple(given), did_you_mean(name, given))
            for kind, name, given in missing
        ]

    def _unknown(self, inputs: Mapping[str, Any]) -> list[Problem]:
        nodes = self.graph.nodes
        known = [name for name, node in nodes.items() if isinstance(node, Input)]
        problems = []
        for name in inputs:
            if name not in nodes:
                hint = did_you_mean(str(name), known)
                problems.append(Problem(f"input '{name}'", "the graph has no such input", tuple(known), hint))
            elif not isinstance(nodes[name], Input | Value):  # an input that was overridden is a constant
                hint = f"graph.override({name}=...) gives it a value"
                problems.append(Problem(f"input '{name}'", "is a node that is computed", tuple(known), hint))
        return problems

    def __repr__(self) -> str:
        return (
            f"<Plan for {', '.join(self.targets)}: {len(self.nodes)} nodes, {len(self.program.kinds)} units>"
        )


def _check(graph: Graph, targets: Sequence[str], deadline_ms: float | None) -> None:
    problems = [
        Problem(f"target '{name}'", "no such node", tuple(graph.nodes), did_you_mean(str(name), graph.nodes))
        for name in targets
        if name not in graph.nodes
    ]
    if not targets:
        problems.append(Problem("plan", "has no target", tuple(graph.nodes)))
    if deadline_ms is not None and not is_duration(deadline_ms):
        problems.append(Problem("plan", "deadline_ms must be a number above 0"))
    if problems:
        raise GraphError(problems)


def _no_mappings(**given: Any) -> list[Problem]:
    return [
        Problem(what, f"a {type(value).__name__} is no mapping of names to values")
        for what, value in given.items()
        if not isinstance(value, Mapping)
    ]


def _engine(name: str) -> Callable[..., Run]:
    if name not in ENGINES:
        raise GraphError(
            Problem(
                f"engine '{name}'",
                "no such engine",
                tuple(ENGINES),
                did_you_mean(str(name), ENGINES) or "asyncio runs by `await plan.arun(...)`",
            )
        )
    return ENGINES[name]
