"""Time before a run: how long what comes after an effect may take, so that its budget ends in time.

An effect's budget ends at the deadline less the longest declared path behind it, and never later than its
own timeout after its start. What earlier effects did not use is thereby given on.
"""

from __future__ import annotations

from veredito.errors import GraphError, Problem
from veredito.graph.shape import Shape


def timeout_seconds(shape: Shape, at: int) -> float:
    """A node's declared timeout; 0 where it has none, since then nothing is declared."""
    return (getattr(shape.nodes[at], "timeout_ms", None) or 0.0) / 1e3


def remaining_seconds(shape: Shape) -> tuple[float, ...]:
    """By node, the longest declared time of any path behind it, in seconds."""
    behind = [0.0] * len(shape.names)
    for at in reversed(shape.order):
        whole = behind[at] + timeout_seconds(shape, at)
        for need in shape.edges[at]:
            behind[need] = max(behind[need], whole)
    return tuple(behind)


def check_chain(shape: Shape, deadline_ms: float | None) -> None:
    """Refuse a chain of timeouts that is longer than the deadline.

    Raises:
        GraphError: with the chain, its length and the deadline.
    """
    if deadline_ms is None:
        return
    behind = remaining_seconds(shape)
    at = max(shape.order, key=lambda at: behind[at] + timeout_seconds(shape, at), default=None)
    if at is None:
        return
    whole_ms = (behind[at] + timeout_seconds(shape, at)) * 1e3
    if whole_ms > deadline_ms:
        chain = " -> ".join(
            f"{shape.names[step]} ({timeout_seconds(shape, step) * 1e3:g} ms)"
            for step in _chain(shape, at, behind)
        )
        raise GraphError(
            Problem(
                "plan",
                f"timeouts of {whole_ms:g} ms in a row exceed the deadline of {deadline_ms:g} ms: {chain}",
                hint="shorten them, or let some run side by side",
            )
        )


def _chain(shape: Shape, at: int, behind: tuple[float, ...]) -> list[int]:
    """The effects of the longest chain that starts here."""
    consumers: dict[int, list[int]] = {}
    for consumer, needs in enumerate(shape.edges):
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
