"""What an outbox holds after a crash: the torn end is cut, damage in the middle is reported."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from veredito.record.outbox import frames
from veredito.record.outbox.disk import Disk
from veredito.record.outbox.frames import Entry
from veredito.record.outbox.segments import Segment, list_segments


@dataclasses.dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that are not a sound frame.

    Args:
        path: the segment.
        offset: where the damage begins.
        length: how many bytes were passed over.
        sequence: the first record that is missing.
        records: how many are.
    """

    path: Path
    offset: int
    length: int
    sequence: int
    records: int

    def __str__(self) -> str:
        return f"{self.path.name}: {self.length} damaged bytes at {self.offset}, {self.records} records lost from {self.sequence}"


@dataclasses.dataclass(frozen=True, slots=True)
class Content:
    """What one segment file holds.

    `end` is the offset after its last sound frame, `next` the sequence number after it, and `torn` how many
    bytes of an unfinished write follow; only the last segment can have some.
    """

    segment: Segment
    records: int
    next: int
    end: int
    torn: int
    damages: tuple[Damage, ...]


class Walk:
    """Reads a segment file from end to end: iterate for its sound frames and the damages between them.

    After the iteration `end` is the offset after the last sound frame, `next` the sequence number after it.

    Args:
        segment: the file.
        bound: where the next segment begins: what is missing before it is damage, and what lies from there on
            was left by a commit that failed. `None` for the last segment, whose end nothing else tells.
    """

    def __init__(self, segment: Segment, bound: int | None = None) -> None:
        self.segment, self.bound = segment, bound
        self.data = b""
        self.end = 0
        self.next = segment.first

    def __iter__(self) -> Iterator[Entry | Damage]:
        self.data, self.next = self.segment.path.read_bytes(), self.segment.first
        self.end = min(frames.HEADER.size, len(self.data))
        if frames.header_fault(self.data, self.segment.first):
            yield self._damage(0, frames.HEADER.size, self.next)
        offset: int | None = frames.HEADER.size
        while offset is not None:
            found = frames.scan(self.data, offset, before=self.bound)
            yield from self._sound(found.entries, offset)
            if found.entries:
                self.end = found.consumed
            offset = None if found.stop == "end" else frames.resume(self.data, found.consumed)
            if offset is not None:
                sequence = frames.scan(self.data, offset, entries_max=1).entries[0].sequence
                if self.bound is not None:
                    sequence = min(sequence, self.bound)
                yield self._damage(found.consumed, offset - found.consumed, sequence)
        if self.bound is not None and self.next < self.bound:
            yield self._damage(self.end, len(self.data) - self.end, self.bound)

    def _sound(self, entries: list[Entry], offset: int) -> Iterator[Entry | Damage]:
        for entry in entries:
            if entry.sequence != self.next:
                yield self._damage(offset, 0, entry.sequence)
            self.next = entry.sequence + 1
            yield entry

    def _damage(self, offset: int, length: int, sequence: int) -> Damage:
        damage = Damage(self.segment.path, offset, length, self.next, max(0, sequence - self.next))
        self.next = max(self.next, sequence)
        return damage


def walks(segments: Sequence[Segment]) -> Iterator[Walk]:
    """A walk through each of an outbox's segments, in order."""
    bounds = [*(segment.first for segment in segments[1:]), None]
    return map(Walk, segments, bounds)


def inspect(walk: Walk) -> Content:
    """Read a whole segment file."""
    items = list(walk)
    damages = tuple(item for item in items if isinstance(item, Damage))
    torn = len(walk.data[walk.end :].rstrip(b"\0")) if walk.bound is None else 0
    return Content(walk.segment, len(items) - len(damages), walk.next, walk.end, torn, damages)


@dataclasses.dataclass(frozen=True, slots=True)
class Recovered:
    """An outbox that is ready to be continued.

    Args:
        segments: in order.
        committed: the next sequence number.
        cut: bytes of an unfinished write that were cut off the end.
        damages: found in the last segment; those of earlier ones are met by their readers.
    """

    segments: list[Segment]
    committed: int
    cut: int = 0
    damages: tuple[Damage, ...] = ()


def recover(folder: Path, disk: Disk, *, at_least: int = 0) -> Recovered:
    """Make an outbox's folder sound.

    Only the last segment can have an unfinished write: the writer leaves a segment after its last commit.

    Args:
        folder: the segments' folder.
        disk: the file operations.
        at_least: the numbering continues from here or above: the furthest cursor.

    Raises:
        OSError: the folder cannot be read or the torn end cannot be cut.
    """
    segments = list_segments(folder)
    _remove_replaced(folder, segments, disk)
    if not segments:
        return Recovered([], at_least)
    last = inspect(Walk(segments[-1]))
    if last.torn or last.end < last.segment.path.stat().st_size:
        disk.truncate(last.segment.path, last.end)
    return Recovered(segments, max(last.next, at_least), last.torn, last.damages)


def _remove_replaced(folder: Path, segments: list[Segment], disk: Disk) -> None:
    kept = {segment.path for segment in segments}
    for path in folder.glob("*.segment"):
        if path not in kept:
            disk.remove(path)
