"""Which rows go into the next batch: a decision without I/O, without a clock and without a loop.

Work-conserving: there is no timer. A batch is whatever waits when the model becomes free, up to a limit of
rows and of time; a lone request on an idle model is a batch of one at once.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

from veredito.errors import OverloadedError

T = TypeVar("T")

_WEIGHT = (
    0.2  # of the newest batch in the estimate of a row's time: a few batches, and an outlier is forgotten
)


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """What a queue holds its batches to.

    Args:
        batch_rows_max: most rows in a batch; a ticket larger than this is a batch of its own.
        batch_seconds_max: how long a batch may take, by what rows have taken lately.
        waiting_rows_max: most rows that may wait. Rows beyond it would wait longer than anyone's deadline.
    """

    batch_rows_max: int = 256
    batch_seconds_max: float = 0.02
    waiting_rows_max: int = 4096


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


class Queue(Generic[T]):
    """Tickets that wait for a model.

    Args:
        limits: of batches and of waiting.

    Example:
        >>> queue = Queue(Limits(batch_rows_max=2))
        >>> for name in "abc":
        ...     queue.offer(Ticket([name], deadline=1.0, waiter=None))
        >>> batch, late = queue.take(now=0.0)
        >>> [ticket.rows for ticket in batch], late
        ([['a'], ['b']], [])
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: deque[Ticket[T]] = deque()
        self._rows_waiting = 0
        self._row_seconds = 0.0

    @property
    def rows_waiting(self) -> int:
        """How many rows wait now."""
        return self._rows_waiting

    def offer(self, ticket: Ticket[T]) -> None:
        """Let a ticket wait.

        Raises:
            OverloadedError: too many rows wait already.
        """
        if self._rows_waiting + len(ticket.rows) > self._limits.waiting_rows_max:
            message = f"{self._rows_waiting} rows wait for the model (waiting_rows_max)"
            raise OverloadedError(message, retry_after_seconds=1)
        self._waiting.append(ticket)
        self._rows_waiting += len(ticket.rows)

    def take(self, now: float) -> tuple[list[Ticket[T]], list[Ticket[T]]]:
        """The next batch, oldest first, and those passed over because they are late.

        The batch is empty when nothing waits. Who has left is forgotten.
        """
        batch: list[Ticket[T]] = []
        late: list[Ticket[T]] = []
        rows, rows_max = 0, self._rows_max()
        while self._waiting and (not batch or rows + len(self._waiting[0].rows) <= rows_max):
            ticket = self._waiting.popleft()
            self._rows_waiting -= len(ticket.rows)
            if ticket.gone:
                continue
            if ticket.deadline <= now:
                late.append(ticket)
                continue
            batch.append(ticket)
            rows += len(ticket.rows)
        return batch, late

    def took(self, rows: int, seconds: float) -> None:
        """Learn from a batch how long a row takes."""
        row_seconds = seconds / rows
        known = self._row_seconds
        self._row_seconds = row_seconds if known == 0.0 else known + _WEIGHT * (row_seconds - known)

    def _rows_max(self) -> int:
        limits = self._limits
        if self._row_seconds * limits.batch_rows_max <= limits.batch_seconds_max:
            return limits.batch_rows_max
        return max(1, int(limits.batch_seconds_max / self._row_seconds))
