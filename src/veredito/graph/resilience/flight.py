"""Single flight: concurrent calls with one key share one call.

The call runs in a task of its own, so it lives as long as its most patient caller; when the last one has
left, it is given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from veredito.graph.reaper import reaper
from veredito.graph.resilience.report import tell, told


class Flights:
    """The calls in flight by key, each with the number of those who wait for it."""

    def __init__(self) -> None:
        self.shared_total = 0
        self._flights: dict[Hashable, asyncio.Task[Any]] = {}
        self._waiting: dict[Hashable, int] = {}

    def __len__(self) -> int:
        return len(self._flights)

    async def share(self, key: Hashable, start: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """The result of the call in flight under this key, or of a new one.

        Args:
            key: what makes two calls the same.
            start: makes the call.
        """
        task = self._flights.get(key)
        if task is None:
            task = self._flights[key] = asyncio.ensure_future(start())
            self._waiting[key] = 0
            task.add_done_callback(lambda task: self._landed(key, task))
        else:
            self.shared_total += 1
        self._waiting[key] += 1
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as gone:
            self._leave(key, task, *gone.args)
            raise
        if note := told(task):
            tell(note)
        return task.result()

    def _leave(self, key: Hashable, task: asyncio.Task[Any], *why: str) -> None:
        if self._flights.get(key) is task:
            self._waiting[key] -= 1
            if not self._waiting[key]:
                self._landed(key, task)
                reaper.detach(task, *why)

    def _landed(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        if self._flights.get(key) is task:
            del self._flights[key], self._waiting[key]
