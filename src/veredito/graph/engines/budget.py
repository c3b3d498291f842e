"""When an effect has to be done, and what becomes of it when it is not."""

from __future__ import annotations

import time
from typing import Any

from veredito.graph.run import State, TimedOutError


def budget_end(state: State, at: int, now: float) -> float:
    """The moment at which the engine stops waiting for an effect that starts now, in monotonic seconds."""
    timeout, remaining = state.plan.budgets[at]
    own, last = now + timeout, state.until - remaining
    return min(last, own)


def late(state: State, at: int, attempts: int = 1) -> None:
    """An effect's budget is over: its default stands in, or it fails with a `TimedOutError`."""
    node: Any = state.plan.shape.nodes[at]
    started = state.started[at] or time.monotonic()
    took_ms = (time.monotonic() - started) * 1e3
    timeout, _ = state.plan.budgets[at]
    if took_ms >= timeout * 1e3:
        state.fail(
            at,
            TimedOutError(f"'{node.name}' took longer than its {timeout * 1e3:g} ms"),
            reason="timeout",
            attempts=attempts,
        )
    else:
        state.fail(
            at,
            TimedOutError(f"the deadline left '{node.name}' no more time"),
            reason="deadline",
            attempts=attempts,
        )
