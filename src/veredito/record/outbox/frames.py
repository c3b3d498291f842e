"""The bytes of a segment: a header, then frames, then zeros. Pure: no file is touched here.

::

    header   8 magic | 4 version | 8 first sequence | 4 CRC32C | 8 zero
    frame    4 marker | 4 length | 8 sequence | 4 CRC32C of all that precedes and the payload | payload

The marker begins with a byte that UTF-8 never contains, so it cannot occur inside a JSON payload, and after
a damaged frame the next sound one is found by looking for it. A frame carries its sequence number, so what a
damage swallowed can be counted.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterable
from typing import Literal, TypeAlias

import google_crc32c

MAGIC = b"vrdtlog\n"
VERSION = 1
MARKER = b"\xf7vr\xf8"
HEADER = struct.Struct("<8sIQI8x")
FRAME = struct.Struct("<4sIQI")
_UNSIGNED = struct.Struct("<4sIQ")
PAYLOAD_BYTES_MAX = 16 * 2**20  # a length above this is damage, not data

Stop: TypeAlias = Literal["more", "end", "damage"]


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A payload as it lies in the outbox, with its place in the order of commits, counted from 0."""

    sequence: int
    payload: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Scan:
    """What a stretch of bytes held.

    `consumed` is where the scan stopped; `stop` says why: ``more`` bytes are needed to tell, the ``end`` of
    the data (zeros, or what was not asked for) is reached, or the next frame is ``damage``.
    """

    entries: list[Entry]
    consumed: int
    stop: Stop


def header(first: int) -> bytes:
    """The header of a segment whose first frame has this sequence number."""
    crc = google_crc32c.value(_first_part(first))
    return HEADER.pack(MAGIC, VERSION, first, crc)


def header_fault(data: bytes, first: int) -> str | None:
    """What is wrong with a segment's first bytes; `None` if nothing is."""
    if len(data) < HEADER.size:
        return "shorter than its header"
    magic, version, found, crc = HEADER.unpack_from(data)
    if magic != MAGIC or crc != google_crc32c.value(data[: HEADER.size - 12]):
        return "damaged header"
    if version != VERSION:
        return f"format version {version}, and this program reads {VERSION}"
    return None if found == first else f"header says it begins at {found}"


def _first_part(first: int) -> bytes:
    return HEADER.pack(MAGIC, VERSION, first, 0)[: HEADER.size - 12]


def encode(first: int, payloads: Iterable[bytes]) -> bytes:
    """Frames for payloads, numbered from `first`.

    Example:
        >>> scan(encode(7, [b"a", b"b"]) + bytes(64)).entries
        [Entry(sequence=7, payload=b'a'), Entry(sequence=8, payload=b'b')]
    """
    parts: list[bytes] = []
    for sequence, payload in enumerate(payloads, start=first):
        crc = google_crc32c.extend(
            google_crc32c.value(_UNSIGNED.pack(MARKER, len(payload), sequence)), payload
        )
        parts += (FRAME.pack(MARKER, len(payload), sequence, crc), payload)
    return b"".join(parts)


def size(payload: bytes) -> int:
    """How many bytes a payload takes in a segment."""
    return FRAME.size + len(payload)


def scan(data: bytes, offset: int = 0, *, entries_max: int | None = None, before: int | None = None) -> Scan:
    """Read frames from `offset` on, until data, patience or soundness ends.

    Args:
        data: bytes of a segment.
        offset: where a frame begins.
        entries_max: stop after so many.
        before: stop in front of a frame with this sequence number or a higher one.
    """
    entries: list[Entry] = []
    total = len(data)
    while entries_max is None or len(entries) < entries_max:
        if total - offset < FRAME.size:
            zeros = total > offset and not any(data[offset:])
            return Scan(entries, offset, "end" if zeros else "more")
        marker, length, sequence, crc = FRAME.unpack_from(data, offset)
        if marker != MARKER or length > PAYLOAD_BYTES_MAX:
            zeros = not any(data[offset : offset + FRAME.size])
            return Scan(entries, offset, "end" if zeros else "damage")
        begin, finish = offset + FRAME.size, offset + FRAME.size + length
        if finish > total:
            return Scan(entries, offset, "more")
        payload = data[begin:finish]
        if google_crc32c.extend(google_crc32c.value(data[offset : offset + _UNSIGNED.size]), payload) != crc:
            return Scan(entries, offset, "damage")
        if before is not None and sequence >= before:
            return Scan(entries, offset, "end")
        entries.append(Entry(sequence, payload))
        offset = finish
    return Scan(entries, offset, "more")


def resume(data: bytes, offset: int) -> int | None:
    """Where the next sound frame begins after `offset`; `None` if there is none."""
    position = data.find(MARKER, offset + 1)
    while position != -1:
        if scan(data, position, entries_max=1).entries:
            return position
        position = data.find(MARKER, position + 1)
    return None
