"""Reading while somebody writes: nothing is passed by, nothing is told before it is durable."""

import pytest

from veredito.record.outbox.disk import Disk
from veredito.record.outbox.reader import Reader
from veredito.record.outbox.segments import Segments


class PeekedDisk(Disk):
    """Lets somebody look at the file after a write and before its sync."""

    def __init__(self):
        self.peek = lambda: None

    def sync(self, descriptor):
        self.peek()
        super().sync(descriptor)


@pytest.fixture
def disk():
    return PeekedDisk()


@pytest.fixture
def segments(disk, tmp_path):
    segments = Segments(tmp_path, disk, [], 0, segment_bytes=2**16, bytes_max=2**20)
    yield segments
    segments.seal()


def test_a_commit_under_way_is_neither_read_nor_passed_by(disk, segments):
    """Frames that are written and not yet synced lie in the same read as those before them."""
    segments.commit([b"first"])
    reader, batches = Reader(segments, 0), []
    disk.peek = lambda: batches.append(reader.read(100, 2**20))

    segments.commit([b"second"])
    batches.append(reader.read(100, 2**20))
    reader.close()

    assert [[entry.payload for entry in batch.entries] for batch in batches] == [[b"first"], [b"second"]]
    assert [batch.damaged for batch in batches] == [0, 0]
