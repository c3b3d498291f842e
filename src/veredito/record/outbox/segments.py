"""The segment files of an outbox, and how a batch becomes durable in them.

A segment holds the records from its first sequence number up to the next segment's. That bound makes a
failed write harmless: the writer leaves the failed segment behind and opens another whose first number is
that of the batch, so whatever the failed write did leave lies beyond the bound and is never read. After an
`fsync` has failed the kernel may have dropped the pages, hence nothing is ever written to that file again.
"""

from __future__ import annotations

import dataclasses
import errno
import logging
import threading
from collections.abc import Sequence
from pathlib import Path

from veredito.record.outbox import frames
from veredito.record.outbox.disk import Disk

SUFFIX = ".segment"
log = logging.getLogger("veredito.record")


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Segment:
    """A segment file: where its records begin, and which attempt at that beginning it is."""

    first: int
    attempt: int
    path: Path = dataclasses.field(compare=False)

    @classmethod
    def at(cls, path: Path) -> Segment:
        """The segment that a file name describes."""
        first, _, attempt = path.stem.partition("-")
        return cls(int(first), int(attempt), path)


def list_segments(folder: Path) -> list[Segment]:
    """The segments of a folder in order, one for each beginning: a later attempt replaces an earlier."""
    found = {segment.first: segment for segment in sorted(map(Segment.at, folder.glob(f"*{SUFFIX}")))}
    return [found[first] for first in sorted(found)]


class Segments:
    """The files of one outbox: committed to by one thread, read by any.

    Args:
        folder: where the files lie; it exists.
        disk: the file operations.
        segments: those found by recovery, in order.
        committed: how many records were ever committed: the next sequence number.
        segment_bytes: size of a new segment.
        bytes_max: no new segment is opened beyond this sum of file sizes.
    """

    def __init__(
        self,
        folder: Path,
        disk: Disk,
        segments: Sequence[Segment],
        committed: int,
        *,
        segment_bytes: int,
        bytes_max: int,
    ) -> None:
        self.folder = folder
        self.disk = disk
        self.committed = committed
        self._segment_bytes, self._bytes_max = segment_bytes, bytes_max
        self._segments = list(segments)
        self._sizes = {segment: segment.path.stat().st_size for segment in segments}
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._offset = 0

    @property
    def size_bytes(self) -> int:
        """The space that the files take."""
        with self._lock:
            return sum(self._sizes.values())

    @property
    def count(self) -> int:
        """How many files there are."""
        return len(self._segments)

    @property
    def oldest(self) -> int:
        """The lowest sequence number that is still here."""
        with self._lock:
            return self._segments[0].first if self._segments else self.committed

    def holding(self, sequence: int) -> tuple[Segment, int] | None:
        """The segment for a sequence number and the number at which the next begins; `None` if not here."""
        with self._lock:
            bounds = [segment.first for segment in self._segments[1:]] + [self.committed]
            for segment, bound in zip(self._segments, bounds, strict=False):
                if segment.first <= sequence < bound:
                    return segment, bound
        return None

    def commit(self, payloads: Sequence[bytes]) -> None:
        """Make a batch durable.

        Raises:
            OSError: it is not durable, and will not be read; the segment it went to is left behind.
        """
        data = frames.encode(self.committed, payloads)
        if self._descriptor is None or self._offset + len(data) > self._segment_bytes:
            self._roll()
        assert self._descriptor is not None  # noqa: S101 - _roll() opened it, or raised
        try:
            self.disk.write(self._descriptor, data, self._offset)
            self.disk.sync(self._descriptor)
        except OSError:
            self._abandon()
            raise
        self._offset += len(data)
        self.committed += len(payloads)

    def fits(self, payload: bytes) -> bool:
        """Whether a payload can be in a segment at all."""
        return frames.size(payload) <= min(self._segment_bytes - frames.HEADER.size, frames.PAYLOAD_BYTES_MAX)

    def batch_bytes_max(self) -> int:
        """What a batch may take, frames included."""
        return self._segment_bytes - frames.HEADER.size

    def _roll(self) -> None:
        self.seal()
        if self.size_bytes + self._segment_bytes > self._bytes_max:
            raise OSError(errno.ENOSPC, "the outbox has reached outbox_bytes_max")
        attempt = 0
        while (path := self.folder / f"{self.committed:020d}-{attempt:04d}{SUFFIX}").exists():
            attempt += 1
        descriptor = self.disk.create(path, self._segment_bytes)
        try:
            self.disk.write(descriptor, frames.header(self.committed), 0)
            self.disk.sync_folder(self.folder)
        except OSError:
            self.disk.close(descriptor)
            self._remove(path)
            raise
        self._descriptor, self._offset = descriptor, frames.HEADER.size
        with self._lock:
            self._drop_from(self.committed)
            segment = Segment(self.committed, attempt, path)
            self._segments.append(segment)
            self._sizes[segment] = self._segment_bytes

    def seal(self) -> None:
        """Close the open segment, giving back the space it did not use."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        self.disk.close(descriptor)
        segment = self._segments[-1]
        self.disk.truncate(segment.path, self._offset)
        with self._lock:
            self._sizes[segment] = self._offset

    def _abandon(self) -> None:
        try:
            self.seal()
        except OSError as error:  # the disk is failing: the next segment's number keeps the leftover unread
            log.warning("a failed segment could not be cut to its committed length: %s", error)

    def _drop_from(self, first: int) -> None:
        """Forget failed attempts at the same beginning: nothing was committed to them."""
        while self._segments and self._segments[-1].first >= first:
            failed = self._segments.pop()
            del self._sizes[failed]
            self._remove(failed.path)

    def _remove(self, path: Path) -> None:
        try:
            self.disk.remove(path)
        except OSError as error:
            log.warning("a failed segment could not be removed: %s", error)

    def release(self, sequence: int) -> None:
        """Delete the segments whose records all lie below `sequence`. The last one always stays.

        The last one carries the numbering from one run to the next.
        """
        with self._lock:
            done = [
                segment
                for segment, after in zip(self._segments, self._segments[1:], strict=False)
                if after.first <= sequence
            ]
            self._segments = self._segments[len(done) :]
            for segment in done:
                del self._sizes[segment]
        for segment in done:
            self.disk.remove(segment.path)
        if done:
            self.disk.sync_folder(self.folder)
