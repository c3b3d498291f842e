"""Feeds one sink from the outbox, in a thread of its own: batch, deliver, move the cursor, again."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from veredito.record.outbox import cursor as cursors
from veredito.record.outbox.cursor import Cursor
from veredito.record.outbox.reader import Batch, Reader
from veredito.record.outbox.segments import Segments
from veredito.record.sinks.sink import Delivery, Gathering, Sink

_POLL_SECONDS = (
    0.05  # a commit wakes no sink: looking twenty times a second costs less than being woken 2,000
)
_BACKOFF_SECONDS, _BACKOFF_SECONDS_MAX = 0.1, 15.0
log = logging.getLogger("veredito.record")


def backoff_seconds(failures: int, uniform: Callable[[float, float], float] = random.uniform) -> float:
    """How long to wait after so many failures in a row: doubling, bounded, jittered.

    Example:
        >>> backoff_seconds(3, uniform=lambda low, high: high)
        0.4
    """
    top = min(_BACKOFF_SECONDS * 2.0 ** min(failures - 1, 20), _BACKOFF_SECONDS_MAX)
    return uniform(top / 2, top)


class Runner:
    """One sink at work.

    Args:
        sink: where to.
        segments: where from.
        folder: of the outbox: cursors lie here, and rejected records in a folder inside.
        released: called after the cursor moved, to let the outbox delete what nobody needs.
    """

    def __init__(self, sink: Sink, segments: Segments, folder: Path, released: Callable[[], None]) -> None:
        self.sink, self._segments, self._folder, self._released = sink, segments, folder, released
        found = cursors.load(sink.name, folder)
        oldest = segments.oldest
        self.cursor = found or Cursor(sink=sink.name, sequence=oldest, before=oldest)
        self.failures = self._streak = 0
        self.last_error = ""
        self._reader = Reader(segments, self.cursor.sequence)
        self._stopping, self._hurry = threading.Event(), threading.Event()
        self._moved = threading.Condition()
        self._opened = False
        self._thread = threading.Thread(target=self._run, name=f"veredito-sink-{sink.name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def hurry(self) -> None:
        """Stop waiting for full batches, until the next `drain()` has ended."""
        self._hurry.set()

    def drain(self, until_monotonic: float) -> bool:
        """Deliver all that is committed now, without waiting for full batches; returns whether it was."""
        target = self._segments.committed
        self.hurry()
        with self._moved:
            done = self._moved.wait_for(
                lambda: self.cursor.sequence >= target, max(0.0, until_monotonic - time.monotonic())
            )
        self._hurry.clear()
        return done

    def stop(self, timeout_seconds: float) -> bool:
        """Stop after the batch in hand; returns whether the thread ended in time."""
        self._stopping.set()
        self._hurry.set()
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                batch = self._gather(self.sink.gathering)
                if batch is not None:
                    self._deliver(batch)
                if self._opened and not self._stopping.is_set():
                    self._attempt(self.sink.tidy)
        finally:
            self._reader.close()
            if self._opened:
                self._attempt(self.sink.close)

    def _gather(self, wanted: Gathering) -> Batch | None:
        """A batch once there is a full one, or one that has waited long enough; `None` after a quiet while."""
        since = time.monotonic()
        while self._reader.waiting < wanted.records_max and not self._stopping.is_set():
            waited = time.monotonic() - since
            if self._reader.waiting and (self._hurry.is_set() or waited >= wanted.seconds):
                break
            if not self._reader.waiting and waited >= 1.0:
                return None
            self._stopping.wait(_POLL_SECONDS)
        if self._stopping.is_set():
            return None
        batches: list[Batch | None] = []
        read = self._attempt(lambda: batches.append(self._reader.read(wanted.records_max, wanted.bytes_max)))
        return batches[0] if read else None

    def _deliver(self, batch: Batch) -> None:
        """Deliver a batch, however often that takes, and move the cursor."""
        deliveries: list[Delivery] = []
        while not deliveries and not self._stopping.is_set():
            self._attempt(lambda: deliveries.append(self._deliver_once(batch)))
        while deliveries and not self._attempt(lambda: self._move(batch, deliveries[0])):
            if self._stopping.is_set():
                return
        self._attempt(self._released)
        with self._moved:
            self._moved.notify_all()

    def _deliver_once(self, batch: Batch) -> Delivery:
        if not self._opened:
            self.sink.open(self.cursor.sequence, self._stopping)
            self._opened = True
        delivery = self.sink.deliver(batch) if batch.entries else Delivery()
        for entry, reason in delivery.rejected:
            self._keep_rejected(entry.sequence, entry.payload, reason)
        return delivery

    def _move(self, batch: Batch, delivery: Delivery) -> None:
        rejected = len(delivery.rejected)
        cursor = self.cursor.advance(
            delivered=len(batch.entries) - rejected,
            duplicates=delivery.duplicates,
            rejected=rejected,
            damaged=batch.damaged,
        )
        cursors.save(cursor, self._folder, self._segments.disk)
        self.cursor = cursor

    def _keep_rejected(self, sequence: int, payload: bytes, reason: str) -> None:
        folder = self._folder / "rejected"
        self._segments.disk.make_folder(folder)
        body = msgspec.json.encode({"reason": reason}) + b"\n" + payload + b"\n"
        self._segments.disk.save(folder / f"{self.sink.name}-{sequence:020d}.jsonl", body)
        log.error("sink %s can never take record %d: %s", self.sink.name, sequence, reason)

    def _attempt(self, work: Callable[[], object]) -> bool:
        """Run a part of the work; after a failure say so, wait, and return False."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - a sink may raise anything; it is shown in the accounts and tried again
            self.failures += 1
            self._streak += 1
            self.last_error = f"{type(error).__name__}: {error}"
            log.warning("sink %s failed, time %d in a row: %s", self.sink.name, self._streak, self.last_error)
            self._stopping.wait(backoff_seconds(self._streak))
            return False
        self._streak = 0
        return True
