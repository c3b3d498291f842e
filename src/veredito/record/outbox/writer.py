"""The one thread that writes: group commit.

While a commit is being synced the next batch gathers by itself, so the batch grows with the load and a lone
record waits for nothing. Those who wait are woken once a batch.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import errno
import logging
import queue
import threading
import time
from collections.abc import Sequence
from typing import Literal, TypeAlias

from veredito.errors import OverloadedError, RecordError, VereditoError
from veredito.record.outbox import frames
from veredito.record.outbox.segments import Segments

OnFull: TypeAlias = Literal["refuse", "count"]
_Result: TypeAlias = bool | VereditoError

_RETRY_SECONDS = 0.2  # a failing disk is left alone for so long; callers are refused meanwhile
_BATCH_RECORDS_MAX = 512  # a greater batch adds latency without saving syncs
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
log = logging.getLogger("veredito.record")


@dataclasses.dataclass(slots=True)
class _Waiting:
    payload: bytes
    done: asyncio.Future[bool] | None  # None: answered already


class Writer:
    """Commits payloads in the order in which they are given.

    Args:
        segments: where to.
        on_full: what a caller who waits is told when the disk is full or failing.
        queue_bytes_max: payload bytes that may wait for the thread.
    """

    def __init__(self, segments: Segments, *, on_full: OnFull, queue_bytes_max: int) -> None:
        self._segments, self._on_full, self._queue_bytes_max = segments, on_full, queue_bytes_max
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="veredito-outbox", daemon=True)
        self._closing = threading.Event()
        # Each number is changed by one thread only: what was put by the caller's, the rest by the writer's.
        self._bytes_in = self._bytes_out = 0
        self._put, self._committed = 0, 0
        self.unrecorded = self.refused = 0
        self._broken: Exception | None = None
        self._pending: collections.deque[_Waiting] = collections.deque()  # to be committed before the queue
        self._fault: OSError | None = None  # why the last commit failed, until it is time to try again
        self._retry_at = 0.0
        self.disk_errors = 0
        self.commits = 0

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def queued(self) -> int:
        """How many payloads wait to be committed."""
        return self._put - self._committed - self.unrecorded - self.refused

    @property
    def queued_bytes(self) -> int:
        """How many bytes wait to be committed."""
        return self._bytes_in - self._bytes_out

    def put(self, payload: bytes, done: asyncio.Future[bool] | None) -> bool:
        """Hand a payload to the thread.

        Args:
            payload: what to commit.
            done: completed with whether it was committed, or with the error; `None` where nobody waits.

        Returns:
            Whether there was room in the queue.

        Raises:
            RecordError: the thread has broken.
        """
        if self._broken is not None:
            raise RecordError(f"the outbox's writer broke: {self._broken}")
        if self.queued_bytes + len(payload) > self._queue_bytes_max:
            return False
        self._put += 1
        self._bytes_in += len(payload)
        self._queue.put(_Waiting(payload, done))
        return True

    def close(self, timeout_seconds: float) -> bool:
        """Commit what is queued, and stop; returns whether the thread ended in time."""
        self._closing.set()
        self._queue.put(None)
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:
            log.exception("the outbox's writer broke; nothing is recorded from here on")
            self._broken = error
            refusal = RecordError(f"the outbox's writer broke: {error}")
            while self._pending or not self._queue.empty():
                item = self._pending.popleft() if self._pending else self._take(wait=False)
                if item is not None:
                    self._refuse([item], refusal)

    def _work(self) -> None:
        while self._pending or not self._closing.is_set() or not self._queue.empty():
            if self._fault is not None:
                self._bide(self._fault)
            batch = self._gather()
            if batch:
                self._commit(batch)
        try:
            self._segments.seal()
        except OSError as error:
            log.warning("the last segment could not be closed cleanly: %s", error)

    def _gather(self) -> list[_Waiting]:
        """The next batch: what is left from before, and what is queued. Waits if there is neither."""
        batch: list[_Waiting] = []
        room = self._segments.batch_bytes_max()
        while len(batch) < _BATCH_RECORDS_MAX:
            item = self._pending.popleft() if self._pending else self._take(wait=not batch)
            if item is None:
                break
            room -= frames.size(item.payload)
            if room < 0:
                self._pending.appendleft(item)
                break
            batch.append(item)
        return batch

    def _take(self, *, wait: bool) -> _Waiting | None:
        try:
            return self._queue.get(block=wait and not self._closing.is_set())
        except queue.Empty:
            return None

    def _bide(self, fault: OSError) -> None:
        """Leave the failing disk alone for a while; who comes meanwhile is told at once."""
        while (left := self._retry_at - time.monotonic()) > 0 and not self._closing.is_set():
            try:
                item = self._queue.get(timeout=left)
            except queue.Empty:
                break
            if item is not None:
                self._pending.extend(self._turn_away([item], fault))
        self._fault = None

    def _commit(self, batch: list[_Waiting]) -> None:
        fault = self._try_commit([item.payload for item in batch])
        if fault is None:
            self._committed += len(batch)
            self.commits += 1
            self._bytes_out += sum(len(item.payload) for item in batch)
            _wake(batch, True)
            return
        self._fault, self._retry_at = fault, time.monotonic() + _RETRY_SECONDS
        answered = self._turn_away([*batch, *self._pending], fault)
        self._pending.clear()
        if self._closing.is_set():
            self._give_up(answered)
        else:  # answered already, not durable yet: tried until the end
            self._pending.extend(answered)

    def _turn_away(self, items: Sequence[_Waiting], fault: OSError) -> list[_Waiting]:
        """Tell those who wait that the disk does not take their records; returns the others."""
        waited_for = [item for item in items if item.done is not None]
        if self._on_full == "refuse":
            self._refuse(waited_for, _refusal(fault))
        else:
            self._give_up(waited_for)
            _wake(waited_for, False)
        return [item for item in items if item.done is None]

    def _try_commit(self, payloads: list[bytes]) -> OSError | None:
        """Commit, with a second attempt in a fresh segment unless there is no space for one."""
        error: OSError | None = None
        for _ in range(2):
            try:
                self._segments.commit(payloads)
            except OSError as caught:
                self.disk_errors += 1
                log.error("the outbox cannot be written: %s", caught)  # noqa: TRY400 - the place is known, the errno tells
                error = caught
                if caught.errno in _NO_SPACE:
                    break
            else:
                return None
        return error

    def _refuse(self, items: Sequence[_Waiting], error: VereditoError) -> None:
        self.refused += len(items)
        self._bytes_out += sum(len(item.payload) for item in items)
        _wake(items, error)

    def _give_up(self, items: Sequence[_Waiting]) -> None:
        if not items:
            return
        log.error("%d answered decisions are not recorded: the disk did not take them", len(items))
        self.unrecorded += len(items)
        self._bytes_out += sum(len(item.payload) for item in items)


def _refusal(error: OSError) -> VereditoError:
    if error.errno in _NO_SPACE:
        return OverloadedError(f"the decision cannot be recorded: {error.strerror}", retry_after_seconds=5.0)
    return RecordError(f"the decision cannot be recorded: {error.strerror}")


def _wake(items: Sequence[_Waiting], result: _Result) -> None:
    """Complete the futures, with one call into each event loop."""
    futures = [item.done for item in items if item.done is not None]
    for loop in {future.get_loop() for future in futures}:
        mine = [future for future in futures if future.get_loop() is loop]
        try:
            loop.call_soon_threadsafe(_complete, mine, result)
        except RuntimeError:  # the loop is closed: nobody waits any more
            log.info("%d callers were gone before their decisions were committed", len(mine))


def _complete(futures: list[asyncio.Future[bool]], result: _Result) -> None:
    for future in futures:
        if future.done():  # the caller was cancelled; the record stays
            continue
        if isinstance(result, VereditoError):
            future.set_exception(result)
        else:
            future.set_result(result)
