"""A sink's cursor: how far it has delivered, with the counts that make up that number."""

from __future__ import annotations

from pathlib import Path

import google_crc32c
import msgspec

from veredito.errors import RecordError
from veredito.record.outbox.disk import Disk

SUFFIX = ".cursor"


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """Where a sink stands. `sequence` is always the sum of the counts below it.

    Args:
        sink: its name.
        sequence: the next record to deliver.
        before: records that had left the outbox when the sink was added; it was never asked for them.
        delivered: records that the sink has made durable at its end.
        duplicates: those of the delivered that carried an id already delivered with them.
        rejected: records that the sink can never take; they lie in the folder ``rejected``.
        damaged: records that the disk lost.
    """

    sink: str
    sequence: int = 0
    before: int = 0
    delivered: int = 0
    duplicates: int = 0
    rejected: int = 0
    damaged: int = 0

    def advance(self, *, delivered: int, duplicates: int, rejected: int, damaged: int) -> Cursor:
        """The cursor after a batch."""
        return Cursor(
            sink=self.sink,
            sequence=self.sequence + delivered + rejected + damaged,
            before=self.before,
            delivered=self.delivered + delivered,
            duplicates=self.duplicates + duplicates,
            rejected=self.rejected + rejected,
            damaged=self.damaged + damaged,
        )


def save(cursor: Cursor, folder: Path, disk: Disk) -> None:
    """Write the cursor, durably and in one step."""
    body = msgspec.json.encode(cursor)
    disk.save(folder / f"{cursor.sink}{SUFFIX}", body + f"\n{google_crc32c.value(body):08x}\n".encode())


def load(sink: str, folder: Path) -> Cursor | None:
    """The cursor of a sink; `None` if it never delivered.

    Raises:
        RecordError: the file is damaged. To go on from a guess would lose or repeat records in silence.
    """
    path = folder / f"{sink}{SUFFIX}"
    if not path.exists():
        return None
    body, _, crc = path.read_bytes().partition(b"\n")
    try:
        if int(crc.strip(), 16) != google_crc32c.value(body):
            raise ValueError
        return msgspec.json.decode(body, type=Cursor)
    except (ValueError, msgspec.DecodeError):
        message = f"cursor {path} is damaged: stop the service and run `veredito record repair`, which delivers again what is still in the outbox"
        raise RecordError(message) from None


def furthest(folder: Path) -> int:
    """The furthest sequence number that any sound cursor of the folder names."""
    names = [path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}")]
    cursors = [load(name, folder) for name in names]
    return max((cursor.sequence for cursor in cursors if cursor), default=0)
