"""Which rows go into the next batch: a decision without I/O, without a clock and without a loop.

Work-conserving: there is no timer. A batch is whatever waits when the model becomes free, up to a limit of
rows; a lone request on an idle model is a batch of one at once.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

from veredito.errors import OverloadedError

T = TypeVar("T")


@dataclasses.dataclass(slots=True, eq=False)
class Ticket(Generic[T]):
    """Rows that one caller waits for.

    Attributes:
        rows: in order; at least one.
        deadline: when the caller stops waiting, on the same clock as `take()`'s now.
        waiter: what the caller waits on; the queue carries it and does not look at it.
        gone: whether the caller has left; its rows are then not computed.
    """

    rows: Sequence[object]
    deadline: float
    waiter: T
    gone: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Statistics:
    """How a queue is doing: rows waiting now, and what it has seen so far."""

    rows_waiting: int
    batches: int
    rows: int
    expired: int
    refused: int


class Queue(Generic[T]):
    """Tickets that wait for a model.

    Args:
        batch_rows_max: most rows in a batch; a ticket larger than this is a batch of its own.
        waiting_rows_max: most rows that may wait. Rows beyond it would wait longer than anyone's deadline.

    Example:
        >>> queue = Queue(batch_rows_max=2, waiting_rows_max=10)
        >>> for name in "abc":
        ...     queue.offer(Ticket([name], deadline=1.0, waiter=None))
        >>> [ticket.rows for ticket in queue.take(now=0.0)]
        [['a'], ['b']]
    """

    def __init__(self, *, batch_rows_max: int, waiting_rows_max: int) -> None:
        self.batch_rows_max, self.waiting_rows_max = batch_rows_max, waiting_rows_max
        self._waiting: deque[Ticket[T]] = deque()
        self._rows_waiting = self._batches = self._rows = self._expired = self._refused = 0

    def offer(self, ticket: Ticket[T]) -> None:
        """Let a ticket wait.

        Raises:
            OverloadedError: too many rows wait already.
        """
        if self._rows_waiting + len(ticket.rows) > self.waiting_rows_max:
            self._refused += 1
            raise OverloadedError(f"{self._rows_waiting} rows wait for the model", retry_after_seconds=1)
        self._waiting.append(ticket)
        self._rows_waiting += len(ticket.rows)

    def take(self, now: float) -> list[Ticket[T]]:
        """The next batch, oldest first; empty when nothing waits. Who has left or is late is passed over."""
        batch: list[Ticket[T]] = []
        rows = 0
        while self._waiting and (not batch or rows + len(self._waiting[0].rows) <= self.batch_rows_max):
            ticket = self._waiting.popleft()
            self._rows_waiting -= len(ticket.rows)
            if ticket.gone or ticket.deadline <= now:
                self._expired += 1
                continue
            batch.append(ticket)
            rows += len(ticket.rows)
        self._batches += bool(batch)
        self._rows += rows
        return batch

    def statistics(self) -> Statistics:
        """Counts so far."""
        return Statistics(self._rows_waiting, self._batches, self._rows, self._expired, self._refused)
