"""Idempotency keys: the same request twice is decided once.

The rules are those that callers know from payment interfaces: the first answer to a key is kept for 24 hours
and given again to the same body, whatever its status; another body under the same key is a conflict, and so is
a second request while the first is being decided; a request that failed validation leaves no trace.

A decision is made once, over crashes too: its record carries the key. What was recorded and not yet kept here
when the process ended is found in the outbox at the next start.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import hmac
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, Self, TypeAlias

import msgspec

from veredito.errors import OverloadedError
from veredito.record.outbox.disk import Disk
from veredito.record.outbox.lock import lock_folder
from veredito.record.outbox.recovery import Damage, recover, walks
from veredito.record.outbox.segments import Segments, list_segments
from veredito.record.outbox.writer import Writer
from veredito.record.record import DecisionRecord, RecordedKey, decode
from veredito.record.recorder import outbox_folder
from veredito.types import Clock, SystemClock

KEY_LENGTH_MAX = 255
_SEGMENT_BYTES = 16 * 2**20
_QUEUE_BYTES_MAX = 16 * 2**20
_MARK = b'"idempotency":{'  # as the record's encoder writes it
log = logging.getLogger("veredito.record")


@dataclasses.dataclass(frozen=True, slots=True)
class New:
    """The key is the caller's first: decide, then `finish()` or `abandon()`."""


@dataclasses.dataclass(frozen=True, slots=True)
class Replay:
    """The key was answered: give this answer again."""

    status: int
    body: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Conflict:
    """The key belongs to another body, or its first request is still being decided."""

    reason: Literal["other_body", "in_progress"]


Beginning: TypeAlias = New | Replay | Conflict


class _Answer(msgspec.Struct, frozen=True, array_like=True):
    key: str
    body_hash: str
    status: int
    body: bytes
    at: float


@dataclasses.dataclass(slots=True)
class _Kept:
    answer: _Answer
    sequence: int  # at or below the number of its frame
    until: float  # on the monotonic clock


def recorded_key(secret: bytes, body: bytes) -> RecordedKey:
    """What is written of a key and a request's body: neither can be found by trying without the caller's key.

    Args:
        secret: the caller's key, with whatever tells callers apart.
        body: the request's.

    Example:
        >>> recorded_key(b"k", b"{}") == recorded_key(b"k", b"{}"), recorded_key(b"k", b"{}").body == recorded_key(b"j", b"{}").body
        (True, False)
    """
    digest = hmac.new(secret, body, hashlib.sha256).hexdigest()
    return RecordedKey(key=hashlib.sha256(secret).hexdigest(), body=digest)


class IdempotencyStore:
    """Answers by key. Belongs to one event loop's thread; to be opened before the recorder of the same folder.

    Args:
        folder: the record's folder.
        answer: gives the answer that a recorded decision had: what the outbox has and this store lacks is kept.
        worker: which of several processes this is: a caller's keys must always come to the same one.
        keep_seconds: how long an answer is kept.
        answers_max: how many are kept at once; beyond it new keys are refused, because forgetting an answer
            early would break the promise.
        bytes_max: likewise for the memory of their bodies, and for the files.
        clock: tells the age of an answer.
        disk: the file operations.

    Raises:
        RecordError: another process has the store open.
        OSError: the folder cannot be used.
    """

    def __init__(
        self,
        folder: str | Path,
        answer: Callable[[DecisionRecord], bytes],
        *,
        worker: str = "0",
        keep_seconds: float = 86_400.0,
        answers_max: int = 200_000,
        bytes_max: int = 256 * 2**20,
        clock: Clock | None = None,
        disk: Disk | None = None,
    ) -> None:
        self._keep_seconds, self._answers_max, self._bytes_max = keep_seconds, answers_max, bytes_max
        self._clock = clock or SystemClock()
        self._kept: collections.OrderedDict[str, _Kept] = collections.OrderedDict()
        self._deciding: dict[str, str] = {}
        self._bytes = 0
        disk = disk or Disk()
        own = Path(folder) / "idempotency" / worker
        disk.make_folder(own)
        self._lock = lock_folder(own)
        self._segments = self._recover(own, disk)
        self._adopt(outbox_folder(folder, worker), answer)
        self._expire()
        self._writer = Writer(self._segments, on_full="refuse", queue_bytes_max=_QUEUE_BYTES_MAX)
        self._writer.start()
        self._open = True

    def _recover(self, folder: Path, disk: Disk) -> Segments:
        recovered = recover(folder, disk)
        for walk in walks(recovered.segments):
            for item in walk:
                if not isinstance(item, Damage):
                    self._keep(msgspec.msgpack.decode(item.payload, type=_Answer), item.sequence)
        # The files hold what the memory holds, plus the frames and at most one segment of expired answers.
        room = 2 * self._bytes_max + 4 * _SEGMENT_BYTES
        return Segments(
            folder,
            disk,
            recovered.segments,
            recovered.committed,
            segment_bytes=_SEGMENT_BYTES,
            bytes_max=room,
        )

    def _adopt(self, outbox: Path, answer: Callable[[DecisionRecord], bytes]) -> None:
        """Keep what was recorded, and not kept when the process ended."""
        since = self._clock.time() - self._keep_seconds
        for record, given in _keyed(outbox):
            at = record.answered_at.timestamp()
            if given.key not in self._kept and at > since:
                kept = _Answer(given.key, given.body, 200, answer(record), at)
                self._segments.commit([msgspec.msgpack.encode(kept)])
                self._keep(kept, self._segments.committed - 1)

    def __len__(self) -> int:
        return len(self._kept)

    def begin(self, given: RecordedKey) -> Beginning:
        """Ask what to do with a request.

        Raises:
            OverloadedError: the store is full, or its disk does not take what waits for it.
        """
        self._expire()
        if kept := self._kept.get(given.key):
            same = kept.answer.body_hash == given.body
            return Replay(kept.answer.status, kept.answer.body) if same else Conflict("other_body")
        if given.key in self._deciding:
            return Conflict("in_progress" if self._deciding[given.key] == given.body else "other_body")
        if len(self._kept) + len(self._deciding) >= self._answers_max or self._bytes >= self._bytes_max:
            raise OverloadedError("the idempotency store is full", retry_after_seconds=60.0)
        if self._writer.queued_bytes > _QUEUE_BYTES_MAX // 2:  # the rest is for those being decided
            raise OverloadedError("the idempotency store's disk does not keep up", retry_after_seconds=5.0)
        self._deciding[given.key] = given.body
        return New()

    def finish(self, given: RecordedKey, status: int, body: bytes) -> None:
        """Keep the answer to a key that was `New`.

        Its decision is recorded under the key, so nobody waits for this disk: an answer that a crash keeps
        from it is found in the outbox, and one that it does not take now is tried again.
        """
        self._deciding.pop(given.key, None)
        answer = _Answer(given.key, given.body, status, body, self._clock.time())
        self._keep(answer, self._segments.committed)
        if not self._writer.put(msgspec.msgpack.encode(answer), None):
            log.error("the answer to an idempotency key is not on the disk: its queue is full")

    def abandon(self, given: RecordedKey) -> None:
        """Free a key that was `New`: the request was not decided (it failed validation, or was refused)."""
        self._deciding.pop(given.key, None)

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Commit what is queued, and close. Safe to call twice."""
        if self._open:
            self._open = False
            self._writer.close(timeout_seconds)
            os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _keep(self, answer: _Answer, sequence: int) -> None:
        if (old := self._kept.pop(answer.key, None)) is not None:  # expired, and used again since
            self._bytes -= len(old.answer.body)
        # The wall clock tells how long ago an earlier process answered, and nothing else: it may jump.
        age = min(max(0.0, self._clock.time() - answer.at), self._keep_seconds)
        self._kept[answer.key] = _Kept(answer, sequence, self._clock.monotonic() + self._keep_seconds - age)
        self._bytes += len(answer.body)

    def _expire(self) -> None:
        """Forget answers that are too old, and the files that hold no others."""
        now = self._clock.monotonic()
        expired = False
        while self._kept and (oldest := next(iter(self._kept.values()))).until <= now:
            self._kept.popitem(last=False)
            self._bytes -= len(oldest.answer.body)
            expired = True
        if expired:
            live = next(iter(self._kept.values())).sequence if self._kept else self._segments.committed
            self._segments.release(live)


def _keyed(outbox: Path) -> Iterator[tuple[DecisionRecord, RecordedKey]]:
    """The decisions in an outbox that were asked for under a key."""
    for walk in walks(list_segments(outbox)):
        for item in walk:
            if isinstance(item, Damage) or _MARK not in item.payload:
                continue
            record = decode(item.payload)
            if record.idempotency is not None:
                yield record, record.idempotency
