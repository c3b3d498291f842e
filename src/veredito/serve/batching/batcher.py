"""A model fed by a queue: what arrives while it works is its next batch.

It works in one of two places. On the loop, a batch is what arrived in one turn of it: nothing is handed over,
and nobody waits longer than that turn. In a thread of its own, the loop goes on reading and answering, and
keeps the callers' deadlines, while a slow model works.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any, Protocol, TypeAlias

from veredito.errors import DeadlineError, OutputError
from veredito.serve.batching.computing import Computed, Predict, compute
from veredito.serve.batching.queue import Limits, Queue, Ticket

Waiting: TypeAlias = Ticket[asyncio.Future[Computed]]
Observe: TypeAlias = Callable[[int], None]
"""Is told the number of rows of every batch."""


class Batcher(Protocol):
    """Joins the rows of concurrent callers into batches.

    A caller that leaves, or whose deadline passes, takes nothing from the others.
    """

    async def submit(self, rows: Sequence[Any], deadline: float) -> Computed:
        """The results for rows.

        Args:
            rows: at least one.
            deadline: when the caller stops waiting, on `time.monotonic()`.

        Raises:
            OverloadedError: too many rows wait.
            DeadlineError: the deadline passed first.
            Exception: what the model raised for these very rows.
        """
        ...

    def close(self) -> None:
        """Finish the batch that is being computed, and start no more."""
        ...


class LoopBatcher:
    """Works on the loop: the first caller of a turn at once, who comes in the same turn together after it.

    Args:
        predict: rows to results.
        limits: of batches and of waiting.
        observe: counts batches.
    """

    def __init__(self, predict: Predict, limits: Limits, observe: Observe) -> None:
        self._predict, self._observe = predict, observe
        self._queue: Queue[asyncio.Future[Computed]] = Queue(limits)
        self._in_turn = False

    async def submit(self, rows: Sequence[Any], deadline: float) -> Computed:
        """As `Batcher.submit`."""
        loop = asyncio.get_running_loop()
        if not self._in_turn:
            self._in_turn = True
            loop.call_soon(self._turn, loop)
            return _result(self._work([rows])[0])
        ticket: Waiting = Ticket(rows, deadline, loop.create_future())
        self._queue.offer(ticket)
        try:
            return await ticket.waiter
        finally:
            ticket.gone = True

    def close(self) -> None:
        """Nothing is left running between two turns."""

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        batch, late = self._queue.take(monotonic())
        for ticket in late:
            _expire(ticket)
        if batch:
            _deliver(batch, self._work([ticket.rows for ticket in batch]))
        self._in_turn = self._queue.rows_waiting > 0
        if self._in_turn:
            loop.call_soon(self._turn, loop)

    def _work(self, groups: Sequence[Sequence[Any]]) -> list[Computed | Exception]:
        results = compute(self._predict, groups)
        _learn(self._queue, self._observe, results)
        return results


class ThreadBatcher:
    """Works in a thread of its own.

    Args:
        predict: rows to results; runs in the thread.
        limits: of batches and of waiting.
        observe: counts batches; runs on the loop.
    """

    def __init__(self, predict: Predict, limits: Limits, observe: Observe) -> None:
        self._predict, self._observe = predict, observe
        self._queue: Queue[asyncio.Future[Computed]] = Queue(limits)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="veredito-model")
        self._busy = False

    async def submit(self, rows: Sequence[Any], deadline: float) -> Computed:
        """As `Batcher.submit`."""
        loop = asyncio.get_running_loop()
        ticket: Waiting = Ticket(rows, deadline, loop.create_future())
        self._queue.offer(ticket)
        # The model may be busy for longer than this caller waits, so the deadline has a timer of its own.
        timer = loop.call_later(max(0.0, deadline - monotonic()), _expire, ticket)
        self._next(loop)
        try:
            return await ticket.waiter
        finally:
            ticket.gone = True
            timer.cancel()

    def close(self) -> None:
        """Finish the batch that is being computed and stop the thread."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._busy:
            return
        batch, late = self._queue.take(monotonic())
        for ticket in late:
            _expire(ticket)
        if not batch:
            return
        self._busy = True
        groups = [ticket.rows for ticket in batch]
        computing = loop.run_in_executor(self._thread, compute, self._predict, groups)
        computing.add_done_callback(lambda done: self._computed(loop, batch, done))

    def _computed(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: list[Waiting],
        done: asyncio.Future[list[Computed | Exception]],
    ) -> None:
        self._busy = False
        if done.cancelled():
            results: list[Computed | Exception] = [OutputError("the model was stopped")] * len(batch)
        else:
            results = done.result()
        _learn(self._queue, self._observe, results)
        _deliver(batch, results)
        self._next(loop)


def _learn(queue: Queue[Any], observe: Observe, results: Sequence[Computed | Exception]) -> None:
    """How long a row takes, from the newest batch; groups of one batch share its figures."""
    newest = results[-1]
    if isinstance(newest, Computed):
        queue.took(newest.batch_rows, newest.seconds)
        observe(newest.batch_rows)


def _result(result: Computed | Exception) -> Computed:
    if isinstance(result, Exception):
        raise result
    return result


def _deliver(batch: Sequence[Waiting], results: Sequence[Computed | Exception]) -> None:
    for ticket, result in zip(batch, results, strict=True):
        if ticket.waiter.done():
            continue
        if isinstance(result, Exception):
            ticket.waiter.set_exception(result)
        else:
            ticket.waiter.set_result(result)


def _expire(ticket: Waiting) -> None:
    if not ticket.waiter.done():
        ticket.waiter.set_exception(DeadlineError("the model was not done by the deadline"))
