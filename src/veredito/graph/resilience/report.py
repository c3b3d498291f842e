"""How a guarded call tells the engine what became of it: cached, how many attempts.

A source's method may be guarded far below the effect that calls it. The guard leaves a note on the current
task, and the engine looks for one when the effect ends. A call with nothing to tell costs nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any

from veredito.types import Outcome

_PLACE = "veredito_outcome"


def tell(outcome: Outcome) -> None:
    """Note how the current effect's value came to be; of several notes the last one counts, attempts add up."""
    task = asyncio.current_task()
    if task is not None:
        before = getattr(task, _PLACE, None)
        extra = before.attempts - 1 if before is not None else 0
        setattr(task, _PLACE, Outcome(outcome.kind, outcome.reason, outcome.attempts + extra))


def told(task: Any) -> Outcome | None:
    """What was noted for a task."""
    return getattr(task, _PLACE, None)
