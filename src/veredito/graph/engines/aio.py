"""The production engine: one asyncio task an effect, plain calls for everything else.

A run waits for one future. Effects report by callback; one timer a run serves all budgets. When a budget
ends, the default stands in and the task is detached: nothing ever waits for a cancelled task, because a
client may take any time to honour a cancellation, and `asyncio.wait_for` would wait for it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import functools
import math
from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeAlias

from veredito.graph.engines.budget import budget_end, late
from veredito.graph.engines.scheduling import Scheduling
from veredito.graph.engines.stepper import Stepper, leave_current, return_to
from veredito.graph.reaper import LATE, reaper
from veredito.graph.run import Run
from veredito.graph.workers import workers
from veredito.types import Outcome

if TYPE_CHECKING:
    from veredito.graph.plan import Plan

Running: TypeAlias = Stepper | concurrent.futures.Future[Any]
"""An effect in flight: on the loop, or on a thread."""


class AsyncRun(Scheduling):
    """One run on the running loop."""

    __slots__ = ("context", "loop", "running", "timer", "timer_at", "waiter")

    def __init__(
        self, plan: Plan, inputs: Mapping[str, Any], sources: Mapping[str, Any], deadline: float | None
    ) -> None:
        super().__init__(plan, inputs, sources, deadline)
        self.loop = asyncio.get_running_loop()
        self.context = contextvars.copy_context()  # the caller's: what one effect sets, no other sees
        self.running: dict[int, tuple[Running, float]] = {}  # by unit, with the end of its budget
        self.timer: asyncio.TimerHandle | None = None
        self.timer_at = math.inf
        self.waiter: asyncio.Future[None] | None = None

    async def finish(self) -> Run:
        """Run to the end. Cancelling the caller detaches what is in flight."""
        caller = leave_current(self.loop)
        try:
            self.drain()
        finally:
            return_to(self.loop, caller)
        if self.pending:
            self.waiter = self.loop.create_future()
            try:
                await self.waiter
            finally:
                self._release()
        self.ended = monotonic()
        return Run(self)

    def launch(self, unit: int, at: int) -> None:
        """Start an effect on the loop, or on a worker thread where it blocks."""
        self.started[at] = now = monotonic()
        end = budget_end(self, at, now)
        if end <= now:
            late(self, at)
            self.settle(unit)
            return
        program = self.program
        try:
            if reaper.full:
                reaper.admit()
            if at in program.coroutines:
                call = program.code[unit](self.values, self)
                stepper = Stepper(call, self.loop, self.context.copy(), unit)
                if stepper.start(self._done):
                    self.take(unit, at, stepper, stepper.veredito_outcome)
                    return
                task: Running = stepper
            else:
                task = self._on_thread(unit, program.code[unit])
        except Exception as error:  # noqa: BLE001 - it becomes the node's outcome
            self.fail(at, error)
            self.settle(unit)
            return
        self.running[unit] = (task, end)
        if end < self.timer_at:
            self._arm(end, now)

    def _on_thread(self, unit: int, call: Callable[..., Any]) -> Running:
        future = workers.start(call, self.values, self)
        future.add_done_callback(functools.partial(self._back_from_thread, unit))
        return future

    def _back_from_thread(self, unit: int, future: concurrent.futures.Future[Any]) -> None:
        """Called on the thread; a loop that was closed meanwhile has nobody left who waits."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._done, unit, future, context=self.context)

    def _done(self, unit: int, task: Running, note: Outcome | None = None) -> None:
        if self.running.pop(unit, None) is None:
            return  # it was given up, and its default stands in already
        try:
            self.take(unit, self.program.members[unit][0], task, note)
            if self.ready:
                self.drain()
            if not self.pending:
                self._conclude()
        except BaseException as error:  # noqa: BLE001 - else the caller would wait for ever
            self._abort(error)

    def _conclude(self) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def _abort(self, error: BaseException) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_exception(error)

    def _arm(self, end: float, now: float) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.timer_at = end
        self.timer = self.loop.call_later(end - now, self._expire)

    def _expire(self) -> None:
        """Give up what is over its budget, and look again when the next one ends."""
        self.timer, self.timer_at = None, math.inf
        now = monotonic()
        for unit, (task, end) in list(self.running.items()):
            if end <= now:
                del self.running[unit]
                reaper.detach(task, LATE)
                late(self, self.program.members[unit][0])
                self.settle(unit)
        try:
            self.drain()
            if not self.pending:
                self._conclude()
        except BaseException as error:  # noqa: BLE001 - else the caller would wait for ever
            self._abort(error)
        following = min((end for _, end in self.running.values()), default=math.inf)
        if following < self.timer_at:
            self._arm(following, monotonic())

    def _release(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        for task, _ in self.running.values():
            reaper.detach(task)
        self.running.clear()
