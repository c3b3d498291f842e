"""What a sink is. Inherit from `Sink` to deliver records anywhere."""

from __future__ import annotations

import dataclasses
import threading
from typing import Protocol, runtime_checkable

from veredito.record.outbox.frames import Entry
from veredito.record.outbox.reader import Batch


@dataclasses.dataclass(frozen=True, slots=True)
class Gathering:
    """How much a sink wants at once.

    Args:
        records_max: at most so many records.
        bytes_max: stop gathering once so many payload bytes are held.
        seconds: how long to wait for a full batch; 0 takes what is there.
    """

    records_max: int
    bytes_max: int = 16 * 2**20
    seconds: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Delivery:
    """How a batch went.

    Args:
        duplicates: records that carried an id delivered with them already.
        rejected: records that can never be taken, with the reason; they are kept in a folder of their own.
    """

    duplicates: int = 0
    rejected: tuple[tuple[Entry, str], ...] = ()


@runtime_checkable
class Sink(Protocol):
    """A place that records are delivered to. Its methods are called by one thread.

    A class that inherits from it writes `deliver()`, sets `name` and `gathering`, and the rest where it is
    needed. The cursor, the back-off and the accounts are its runner's. A batch is delivered again, unchanged,
    when `deliver()` raised, and in other portions after a crash: delivering the same record twice must do no
    harm.

    Attributes:
        name: of its cursor and in the accounts; letters, digits, ``_`` and ``-``.
        gathering: how much it wants at once.

    Example:
        >>> class Counting(Sink):
        ...     def __init__(self, name):
        ...         self.name, self.gathering, self.count = name, Gathering(1_000), 0
        ...
        ...     def deliver(self, batch):
        ...         self.count += len(batch.entries)
        ...         return Delivery()
        >>> isinstance(Counting("counting"), Sink)
        True
    """

    name: str
    gathering: Gathering

    def open(self, sequence: int, stopping: threading.Event) -> None:
        """Get ready. What the sink holds from `sequence` on was never confirmed and will come again.

        Args:
            sequence: the first record that will come.
            stopping: set when the time to close is over: leave waits.
        """

    def deliver(self, batch: Batch) -> Delivery:
        """Make the batch durable at the other end; return only when it is. Raise to have it again later."""
        raise NotImplementedError

    def tidy(self) -> None:
        """Called after each batch and while there is none: the time for a bounded piece of housekeeping."""

    def close(self) -> None:
        """Release what `open()` took."""
