"""What a sink is. Implement it to deliver records anywhere."""

from __future__ import annotations

import dataclasses
import threading
from typing import Protocol

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


class Sink(Protocol):
    """A place that records are delivered to. Its methods are called by one thread.

    A batch is delivered again, unchanged, when `deliver()` raised, and in other portions after a crash:
    delivering the same record twice must do no harm.
    """

    @property
    def name(self) -> str:
        """The sink's name: of its cursor and in the accounts."""

    @property
    def gathering(self) -> Gathering:
        """How much it wants at once."""

    def open(self, sequence: int, stopping: threading.Event) -> None:
        """Get ready. What the sink holds from `sequence` on was never confirmed and will come again.

        Args:
            sequence: the first record that will come.
            stopping: set when the time to close is over: leave waits.
        """

    def deliver(self, batch: Batch) -> Delivery:
        """Make the batch durable at the other end; return only when it is. Raise to have it again later."""

    def tidy(self) -> None:
        """Called after each batch and while there is none: the time for a bounded piece of housekeeping."""

    def close(self) -> None:
        """Release what `open()` took."""
