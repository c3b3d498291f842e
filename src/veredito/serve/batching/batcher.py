"""A model in a thread of its own, fed by a queue.

For models that are slow enough to be worth a thread: while one batch is computed, the loop goes on answering
and the next batch gathers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

from veredito.errors import DeadlineError, OutputError
from veredito.serve.batching.queue import Queue, Statistics, Ticket

Predict: TypeAlias = Callable[[list[Any]], Sequence[Any]]
Result: TypeAlias = list[Any] | BaseException


class Batcher:
    """Joins the rows of concurrent callers into batches.

    A caller that leaves, or whose deadline passes, takes nothing from the others. When a batch fails, each
    caller's rows are tried alone, so that only those fail that fail alone.

    Args:
        predict: rows to as many results, in order; runs in the batcher's thread.
        batch_rows_max: most rows in one call of `predict`.
        waiting_rows_max: most rows that may wait for it.
    """

    def __init__(self, predict: Predict, *, batch_rows_max: int = 256, waiting_rows_max: int = 4096) -> None:
        self._predict = predict
        self._queue: Queue[asyncio.Future[list[Any]]] = Queue(
            batch_rows_max=batch_rows_max, waiting_rows_max=waiting_rows_max
        )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="veredito-model")
        self._busy = False

    async def submit(self, rows: Sequence[Any], deadline: float) -> list[Any]:
        """The results for rows.

        Args:
            rows: at least one.
            deadline: when the caller stops waiting, in seconds of the running loop's `time()`.

        Raises:
            OverloadedError: too many rows wait.
            DeadlineError: the deadline passed first.
            Exception: what the model raised for these very rows.
        """
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[list[Any]] = loop.create_future()
        ticket = Ticket(rows, deadline, waiter)
        self._queue.offer(ticket)
        timer = loop.call_at(deadline, _expire, ticket)
        self._next(loop)
        try:
            return await waiter
        finally:
            ticket.gone = True
            timer.cancel()

    def statistics(self) -> Statistics:
        """How the queue is doing."""
        return self._queue.statistics()

    def close(self) -> None:
        """Finish the batch that is being computed and stop the thread."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._busy:
            return
        batch = self._queue.take(loop.time())
        if not batch:
            return
        self._busy = True
        computed = loop.run_in_executor(self._thread, self._compute, [ticket.rows for ticket in batch])
        computed.add_done_callback(lambda done: self._deliver(loop, batch, done))

    def _deliver(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: list[Ticket[asyncio.Future[list[Any]]]],
        done: asyncio.Future[list[Result]],
    ) -> None:
        self._busy = False
        failure = asyncio.CancelledError() if done.cancelled() else done.exception()
        results: list[Result] = [failure] * len(batch) if failure is not None else done.result()
        for ticket, result in zip(batch, results, strict=True):
            if ticket.waiter.done():
                continue
            if isinstance(result, BaseException):
                ticket.waiter.set_exception(_raisable(result))
            else:
                ticket.waiter.set_result(result)
        self._next(loop)

    def _compute(self, groups: list[Sequence[Any]]) -> list[Result]:
        """In the thread: the results of each group of rows, or what went wrong with it."""
        if len(groups) > 1:
            together = self._attempt([row for group in groups for row in group])
            if not isinstance(together, BaseException):
                results = iter(together)
                return [[next(results) for _ in group] for group in groups]
        return [self._attempt(list(group)) for group in groups]

    def _attempt(self, rows: list[Any]) -> Result:
        try:
            results = list(self._predict(rows))
        except BaseException as error:  # noqa: BLE001 - it belongs to a caller, and must not end the thread
            return error
        if len(results) != len(rows):
            return OutputError(f"the model answered {len(results)} rows for {len(rows)}")
        return results


def _expire(ticket: Ticket[asyncio.Future[list[Any]]]) -> None:
    if not ticket.waiter.done():
        ticket.waiter.set_exception(DeadlineError("the model was not done by the deadline"))


def _raisable(error: BaseException) -> BaseException:
    """An error that a future can carry: what would stop a thread or a loop becomes an `OutputError`."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    wrapped = OutputError(f"the model stopped with {type(error).__name__}")
    wrapped.__cause__ = error
    return wrapped
