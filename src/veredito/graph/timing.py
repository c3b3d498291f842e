"""Time before a run: how long what comes after an effect may take, so that its budget ends in time.

An effect's budget ends at the deadline less the longest declared path behind it, and never later than its
own timeout after its start. What earlier effects did not use is thereby given on.

What comes after a node is whoever needs it, and what only the answer to a question about it sets going: the
nodes that one arm alone commits cannot start before its question is answered. Nodes that several arms commit
may have been started by another of them; their time is not held back for.
"""

from __future__ import annotations

import graphlib
from collections.abc import Sequence

from veredito.errors import GraphError, Problem
from veredito.graph.shape import Shape


def timeout_seconds(shape: Shape, at: int) -> float:
    """A node's declared timeout; 0 where it has none, since then nothing is declared."""
    return (getattr(shape.nodes[at], "timeout_ms", None) or 0.0) / 1e3


def remaining_seconds(shape: Shape) -> tuple[float, ...]:
    """By node, the longest declared time of any path behind it, in seconds."""
    return _remaining(shape, _predecessors(shape))


def _remaining(shape: Shape, before: Sequence[Sequence[int]]) -> tuple[float, ...]:
    behind = [0.0] * len(shape.names)
    for at in reversed(_in_order(shape, before)):
        whole = behind[at] + timeout_seconds(shape, at)
        for earlier in before[at]:
            behind[earlier] = max(behind[earlier], whole)
    return tuple(behind)


def _predecessors(shape: Shape) -> Sequence[Sequence[int]]:
    """By node, what has to have settled before it can start."""
    if not shape.branches:
        return shape.edges
    asked = {}
    for branch in shape.branches.values():
        for question in branch.asked:
            asked[1 << question.yes] = asked[1 << question.no] = question.node
    only = (asked.get(owners) for owners in shape.owners)  # a set of one arm, or none of these
    return [
        edges if node is None or node in edges else (*edges, node)
        for edges, node in zip(shape.edges, only, strict=True)
    ]


def _in_order(shape: Shape, before: Sequence[Sequence[int]]) -> Sequence[int]:
    if before is shape.edges:
        return shape.order
    return tuple(graphlib.TopologicalSorter(dict(enumerate(before))).static_order())


def check_chain(shape: Shape, deadline_ms: float | None) -> None:
    """Refuse a chain of timeouts that is longer than the deadline.

    Raises:
        GraphError: with the chain, its length and the deadline.
    """
    if deadline_ms is None:
        return
    before = _predecessors(shape)
    behind = _remaining(shape, before)
    at = max(shape.order, key=lambda at: behind[at] + timeout_seconds(shape, at), default=None)
    if at is None:
        return
    whole_ms = (behind[at] + timeout_seconds(shape, at)) * 1e3
    if whole_ms > deadline_ms:
        chain = " -> ".join(
            f"{shape.names[step]} ({timeout_seconds(shape, step) * 1e3:g} ms)"
            for step in _chain(shape, before, at, behind)
        )
        raise GraphError(
            Problem(
                "plan",
                f"timeouts of {whole_ms:g} ms in a row exceed the deadline of {deadline_ms:g} ms: {chain}",
                hint="shorten them, or let some run side by side",
            )
        )


def _chain(shape: Shape, before: Sequence[Sequence[int]], at: int, behind: tuple[float, ...]) -> list[int]:
    """The effects of the longest chain that starts here."""
    consumers: dict[int, list[int]] = {}
    for consumer, needs in enumerate(before):
        for need in needs:
            consumers.setdefault(need, []).append(consumer)
    chain = []
    following: int | None = at
    while following is not None:
        here = following
        if timeout_seconds(shape, here):
            chain.append(here)
        following = max(
            consumers.get(here, ()), key=lambda one: behind[one] + timeout_seconds(shape, one), default=None
        )
    return chain
