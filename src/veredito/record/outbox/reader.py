"""Reading an outbox in order while it is being written: what feeds a sink."""

from __future__ import annotations

import dataclasses
import logging
import os
from typing import BinaryIO

from veredito.record.outbox import frames
from veredito.record.outbox.frames import Entry
from veredito.record.outbox.segments import Segment, Segments

_CHUNK_BYTES = 2**19  # one read: a few hundred records, and little to zero where the segment is still empty

log = logging.getLogger("veredito.record")


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """Records on their way to a sink.

    Args:
        first: the sequence number it begins with.
        next: the number after its last.
        entries: the records that could be read, in order.
        damaged: how many between `first` and `next` could not.
    """

    first: int
    next: int
    entries: list[Entry]
    damaged: int


class Reader:
    """Reads committed records from a sequence number on. Belongs to one thread.

    Args:
        segments: the outbox.
        sequence: where to begin.
    """

    def __init__(self, segments: Segments, sequence: int) -> None:
        self._segments = segments
        self.sequence = sequence
        self._segment: Segment | None = None
        self._file: BinaryIO | None = None
        self._offset = 0

    @property
    def waiting(self) -> int:
        """How many committed records were not read yet."""
        return max(0, self._segments.committed - self.sequence)

    def read(self, records_max: int, bytes_max: int) -> Batch | None:
        """The next batch; `None` if there is nothing to read.

        Args:
            records_max: at most so many records.
            bytes_max: stop reading once so many payload bytes are held.

        Raises:
            OSError: a segment cannot be read.
        """
        first, damaged, size = self.sequence, 0, 0
        entries: list[Entry] = []
        while self.waiting and len(entries) < records_max and size < bytes_max:
            found, lost = self._some(records_max - len(entries))
            entries += found
            size += sum(len(entry.payload) for entry in found)
            damaged += lost
        return Batch(first, self.sequence, entries, damaged) if self.sequence > first else None

    def close(self) -> None:
        """Close the segment that is being read."""
        if self._file is not None:
            self._file.close()
            self._file, self._segment = None, None

    def _some(self, records_max: int) -> tuple[list[Entry], int]:
        """Records that follow, from one read of one segment, and how many before them are lost."""
        held = self._segments.holding(self.sequence)
        if held is None:
            return [], self._skip_to(max(self._segments.oldest, self.sequence + 1))
        segment, bound = held
        found = self._scan(self._open(segment), records_max, bound)
        self._offset += found.consumed
        entries = [entry for entry in found.entries if self.sequence <= entry.sequence]
        if not entries:
            return [], 0 if found.entries else self._pass_damage(self._open(segment), bound)
        lost = entries[-1].sequence + 1 - self.sequence - len(entries)
        self.sequence = entries[-1].sequence + 1
        return entries, lost

    def _open(self, segment: Segment) -> BinaryIO:
        if self._file is None or segment != self._segment:
            self.close()
            self._file, self._segment = segment.path.open("rb", buffering=0), segment
            self._offset = frames.HEADER.size
        return self._file

    def _scan(self, file: BinaryIO, records_max: int, bound: int) -> frames.Scan:
        """Frames below the bound. Those of a commit under way can be seen already, and are not passed by."""
        chunk = _CHUNK_BYTES
        while True:
            data = os.pread(file.fileno(), chunk, self._offset)
            found = frames.scan(data, entries_max=records_max, before=bound)
            if found.entries or found.stop != "more" or len(data) < chunk:
                return found
            chunk *= 4  # one frame larger than the chunk

    def _pass_damage(self, file: BinaryIO, bound: int) -> int:
        """Go to the next sound frame of the segment, or past it; returns how many records that skips."""
        data = os.pread(file.fileno(), os.fstat(file.fileno()).st_size, self._offset)
        position = frames.resume(data, 0)
        if position is None:
            return self._skip_to(bound)
        self._offset += position
        return self._skip_to(min(frames.scan(data, position, entries_max=1).entries[0].sequence, bound))

    def _skip_to(self, sequence: int) -> int:
        lost = max(0, sequence - self.sequence)
        self.sequence = max(sequence, self.sequence)
        if lost:
            log.error("records %d to %d are damaged and lost", sequence - lost, sequence - 1)
        return lost
