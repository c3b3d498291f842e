"""What is no longer waited for: cancelled tasks and late threads, held until they end, bounded and counted."""

from __future__ import annotations

import asyncio
import concurrent.futures
from typing import Any, TypeAlias

from veredito.errors import OverloadedError

Detachable: TypeAlias = asyncio.Future[Any] | concurrent.futures.Future[Any]

LATE = "over its budget"
DETACHED_MAX = 1_000  # a dependency that ignores cancellation holds a connection each: more would hide a leak


class Reaper:
    """Holds detached tasks until they end.

    Args:
        detached_max: how many may be held; above it effects fail at once instead of starting.

    Attributes:
        detached_total: how many were ever given up.
        refused_total: how many effects did not start because it was full.
        full: whether no more may be detached.
    """

    def __init__(self, detached_max: int = DETACHED_MAX) -> None:
        self.detached_max = detached_max
        self.detached_total = 0
        self.refused_total = 0
        self.full = detached_max < 1
        self._held: set[Detachable] = set()

    @property
    def detached(self) -> int:
        """How many are held now."""
        return len(self._held)

    def admit(self) -> None:
        """Refuse an effect where no more could be detached.

        Raises:
            OverloadedError: as many abandoned effects as may be have not ended yet.
        """
        if self.full:
            self.refused_total += 1
            raise OverloadedError(
                f"{self.detached} abandoned effects have not ended yet (limit {self.detached_max})"
            )

    def detach(self, task: Detachable, *why: str) -> None:
        """Cancel it and never wait for it; its end, also a failing one, is taken note of.

        Args:
            task: a task, or the future of a thread's call.
            *why: the cancellation's message: `LATE` where it was over its budget.
        """
        if task.done():
            _take_note(task)
            return
        self.detached_total += 1
        self._held.add(task)
        self.full = len(self._held) >= self.detached_max
        task.add_done_callback(self._ended)
        if why and not isinstance(task, concurrent.futures.Future):
            task.cancel(msg=why[0])
        else:
            task.cancel()

    def _ended(self, task: Any) -> None:
        self._held.discard(task)
        self.full = len(self._held) >= self.detached_max
        _take_note(task)


def _take_note(task: Any) -> None:
    if not task.cancelled():
        task.exception()  # such a failure has no reader: asking for it keeps the loop from reporting it


reaper = Reaper()
"""The process's reaper."""
