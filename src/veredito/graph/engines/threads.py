"""Blocking clients side by side: effects on bounded worker threads, everything else in the caller's thread.

A thread cannot be stopped. An effect over its budget is given up: its default stands in, and the thread is
held by the reaper until the call returns. `async def` effects run on the background loop.
"""

from __future__ import annotations

import concurrent.futures
import functools
import heapq
import math
import queue
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from veredito.graph.engines import background
from veredito.graph.engines.budget import budget_end, late
from veredito.graph.engines.scheduling import Scheduling
from veredito.graph.reaper import LATE, reaper
from veredito.graph.run import Run
from veredito.graph.workers import workers
from veredito.types import Outcome

if TYPE_CHECKING:
    from veredito.graph.plan import Plan


def run(plan: Plan, inputs: Mapping[str, Any], sources: Mapping[str, Any], deadline: float | None) -> Run:
    """Run a plan; blocks until its targets are there."""
    return _ThreadsRun(plan, inputs, sources, deadline).finish()


class _ThreadsRun(Scheduling):
    __slots__ = ("done", "ends", "running", "told")

    def __init__(
        self, plan: Plan, inputs: Mapping[str, Any], sources: Mapping[str, Any], deadline: float | None
    ) -> None:
        super().__init__(plan, inputs, sources, deadline)
        self.done: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.running: dict[int, concurrent.futures.Future[Any]] = {}
        self.ends: list[tuple[float, int]] = []  # a heap; what has ended meanwhile is passed over
        self.told: dict[int, Outcome] = {}

    def finish(self) -> Run:
        try:
            self.drain()
            while self.pending:
                self._await_one()
                self.drain()
        finally:
            for unit in list(self.running):
                self._give_up(unit)
        self.ended = time.monotonic()
        return Run(self)

    def launch(self, unit: int, at: int) -> None:
        self.started[at] = now = time.monotonic()
        end = budget_end(self, at, now)
        if end <= now:
            late(self, at)
            self.settle(unit)
            return
        try:
            reaper.admit()
            future = self._start(unit, at)
        except Exception as error:  # noqa: BLE001 - it becomes the node's outcome
            self.fail(at, error)
            self.settle(unit)
            return
        self.running[unit] = future
        if end < math.inf:
            heapq.heappush(self.ends, (end, unit))
        future.add_done_callback(lambda _: self.done.put(unit))

    def _start(self, unit: int, at: int) -> concurrent.futures.Future[Any]:
        call = self.program.code[unit]
        if at in self.program.coroutines:
            return background.start(call, functools.partial(self.told.__setitem__, at), self.values, self)
        return workers.start(call, self.values, self)

    def _await_one(self) -> None:
        """Take the next effect that ends, or give up those whose budget does."""
        while self.ends and self.ends[0][1] not in self.running:
            heapq.heappop(self.ends)
        left = self.ends[0][0] - time.monotonic() if self.ends else None
        if left is not None and left <= 0:
            self._expire()
            return
        try:
            unit = self.done.get(timeout=left)
        except queue.Empty:
            self._expire()
            return
        future = self.running.pop(unit, None)
        if future is not None:
            at = self.program.members[unit][0]
            self.take(unit, at, future, self.told.get(at))

    def _expire(self) -> None:
        now = time.monotonic()
        while self.ends and self.ends[0][0] <= now:
            _, unit = heapq.heappop(self.ends)
            if unit in self.running:
                self._give_up(unit)
                late(self, self.program.members[unit][0])
                self.settle(unit)

    def _give_up(self, unit: int) -> None:
        """Wait no longer. A coroutine is cancelled and held on its own loop; a thread is left alone, and held here."""
        future = self.running.pop(unit)
        if self.program.members[unit][0] in self.program.coroutines:
            future.cancel()
        else:
            reaper.detach(future, LATE)
