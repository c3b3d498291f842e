"""What a crash and a bad disk leave of an outbox: cut at the end, reported in the middle, never silent."""

import shutil

import pytest

from veredito.record.outbox import frames
from veredito.record.outbox.disk import Disk
from veredito.record.outbox.reader import Reader
from veredito.record.outbox.recovery import Damage, Walk, recover, walks
from veredito.record.outbox.segments import Segments, list_segments

PAYLOADS = [b"%d" % i + b"x" * i for i in range(7)]
SEGMENT_BYTES = frames.HEADER.size + len(frames.encode(0, PAYLOADS[-3:]))  # three or so in each


@pytest.fixture
def outbox(tmp_path):
    """A folder with seven records in three segments, as a crash leaves it: the last one is not sealed."""
    folder = tmp_path / "outbox"
    folder.mkdir()
    segments = Segments(folder, Disk(), [], 0, segment_bytes=SEGMENT_BYTES, bytes_max=2**20)
    for payload in PAYLOADS:
        segments.commit([payload])
    yield folder
    segments.seal()


def variants(outbox, tmp_path, segment, change):
    """A copy of the folder for each position in a segment's written part, changed at that position."""
    data = segment.path.read_bytes()
    for position in range(len(data.rstrip(b"\0"))):
        folder = tmp_path / "copy"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(outbox, folder)
        (folder / segment.path.name).write_bytes(change(data, position))
        yield position, folder


def continued(folder):
    """The outbox after recovery and one more record."""
    recovered = recover(folder, Disk())
    segments = Segments(
        folder, Disk(), recovered.segments, recovered.committed, segment_bytes=4096, bytes_max=2**20
    )
    segments.commit([b"one more"])
    segments.seal()
    return recovered, segments


def read_all(segments):
    reader, found, damaged = Reader(segments, 0), [], 0
    while (batch := reader.read(100, 2**20)) is not None:
        found += batch.entries
        damaged += batch.damaged
    reader.close()
    return found, damaged


def test_a_torn_end_is_cut_and_the_outbox_goes_on(outbox, tmp_path):
    """Wherever the last write was torn, the records before it are there, and the next one follows them."""
    last = list_segments(outbox)[-1]
    for position, folder in variants(outbox, tmp_path, last, lambda data, i: data[:i]):
        recovered, segments = continued(folder)
        found, damaged = read_all(segments)

        payloads = [entry.payload for entry in found]
        assert payloads == [*PAYLOADS[: recovered.committed], b"one more"], position
        assert recovered.committed >= last.first
        assert damaged == 0


@pytest.mark.parametrize("which", [0, 1, -1])
def test_a_flipped_byte_is_noticed_and_counted(outbox, tmp_path, which):
    """Wherever a byte went bad: every other record is read, none is wrong, and the count is complete."""
    segment = list_segments(outbox)[which]
    flip = lambda data, i: data[:i] + bytes([data[i] ^ 0xFF]) + data[i + 1 :]  # noqa: E731 - one use
    for position, folder in variants(outbox, tmp_path, segment, flip):
        walked = [item for walk in walks(list_segments(folder)) for item in walk]
        recovered, segments = continued(folder)
        found, damaged = read_all(segments)

        payloads = [entry.payload for entry in found]
        assert [p for p in payloads if p not in {*PAYLOADS, b"one more"}] == [], position
        assert len(set(payloads)) == len(payloads)
        assert len(found) + damaged == segments.committed, position
        assert len(payloads) >= len(PAYLOADS), position  # one lost at most, and "one more"
        if position >= frames.HEADER.size:
            noticed = any(isinstance(item, Damage) for item in walked) or recovered.cut
            assert noticed, position


def test_a_damaged_frame_is_reported_with_its_place(outbox):
    """The report names the file, the offset and the records that are missing."""
    first = list_segments(outbox)[0]
    data = bytearray(first.path.read_bytes())
    begin = frames.HEADER.size + len(frames.encode(0, PAYLOADS[:1]))
    data[begin + frames.FRAME.size] ^= 1
    first.path.write_bytes(data)

    (damage,) = [item for item in Walk(first) if isinstance(item, Damage)]
    assert (damage.offset, damage.sequence, damage.records) == (begin, 1, 1)
    assert first.path.name in str(damage)
