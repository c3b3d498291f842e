"""Idempotency keys: the same request twice is decided once.

The rules are those that callers know from payment interfaces: the first answer to a key is kept for 24 hours
and given again to the same body, whatever its status; another body under the same key is a conflict, and so is
a second request while the first is being decided; a request that failed validation leaves no trace.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import hashlib
import os
from pathlib import Path
from typing import Literal, Self, TypeAlias

import msgspec

from veredito.errors import InputError, OverloadedError, Problem
from veredito.record.outbox.disk import Disk
from veredito.record.outbox.lock import lock_folder
from veredito.record.outbox.recovery import Damage, recover, walks
from veredito.record.outbox.segments import Segments
from veredito.record.outbox.writer import Writer
from veredito.types import Clock, SystemClock

KEY_LENGTH_MAX = 255
_SEGMENT_BYTES = 16 * 2**20
_QUEUE_BYTES_MAX = 16 * 2**20


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


def body_hash(body: bytes) -> str:
    """What tells one request body from another.

    Example:
        >>> body_hash(b"{}")[:8]
        '44136fa3'
    """
    return hashlib.sha256(body).hexdigest()


class IdempotencyStore:
    """Answers by key, on the disk before they are given. Belongs to one event loop's thread.

    Args:
        folder: the record's folder.
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
        self._expire()
        self._writer = Writer(self._segments, on_full="refuse", queue_bytes_max=_QUEUE_BYTES_MAX)
        self._writer.start()
        self._open = True

    def _recover(self, folder: Path, disk: Disk) -> Segments:
        recovered = recover(folder, disk)
        for walk in walks(recovered.segments):
            for item in walk:
                if not isinstance(item, Damage):
                    self._keep(_Kept(msgspec.msgpack.decode(item.payload, type=_Answer), item.sequence))
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

    def __len__(self) -> int:
        return len(self._kept)

    def begin(self, key: str, body_hash: str) -> Beginning:
        """Ask what to do with a request.

        Args:
            key: the caller's key, with whatever tells callers apart.
            body_hash: of the request's body.

        Raises:
            InputError: the key is empty or longer than 255 characters.
            OverloadedError: the store is full.
        """
        if not 0 < len(key) <= KEY_LENGTH_MAX:
            raise InputError(Problem("Idempotency-Key", f"must have 1 to {KEY_LENGTH_MAX} characters"))
        self._expire()
        if kept := self._kept.get(key):
            same = kept.answer.body_hash == body_hash
            return Replay(kept.answer.status, kept.answer.body) if same else Conflict("other_body")
        if key in self._deciding:
            return Conflict("in_progress" if self._deciding[key] == body_hash else "other_body")
        if len(self._kept) + len(self._deciding) >= self._answers_max or self._bytes >= self._bytes_max:
            raise OverloadedError("the idempotency store is full", retry_after_seconds=60.0)
        self._deciding[key] = body_hash
        return New()

    async def finish(self, key: str, status: int, body: bytes) -> None:
        """Keep the answer to a key that was `New`; returns when it is on the disk.

        Raises:
            RecordError: the disk does not take it; the key is free again.
            OverloadedError: there is no room; likewise.
        """
        answer = _Answer(key, self._deciding[key], status, body, self._clock.time())
        kept = _Kept(answer, self._segments.committed)
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        try:
            if not self._writer.put(msgspec.msgpack.encode(answer), done):
                raise OverloadedError("the idempotency store's queue is full", retry_after_seconds=1.0)
            await done
            self._keep(kept)
        finally:
            self._deciding.pop(key, None)

    def abandon(self, key: str) -> None:
        """Free a key that was `New`: the request was not decided (it failed validation, or was refused)."""
        self._deciding.pop(key, None)

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

    def _keep(self, kept: _Kept) -> None:
        if (old := self._kept.pop(kept.answer.key, None)) is not None:  # expired, and used again since
            self._bytes -= len(old.answer.body)
        self._kept[kept.answer.key] = kept
        self._bytes += len(kept.answer.body)

    def _expire(self) -> None:
        """Forget answers that are too old, and the files that hold no others."""
        before = self._clock.time() - self._keep_seconds
        expired = False
        while self._kept and (oldest := next(iter(self._kept.values()))).answer.at < before:
            self._kept.popitem(last=False)
            self._bytes -= len(oldest.answer.body)
            expired = True
        if expired:
            live = next(iter(self._kept.values())).sequence if self._kept else self._segments.committed
            self._segments.release(live)
