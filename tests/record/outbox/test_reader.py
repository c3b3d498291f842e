"""Reading an outbox while it is being written: only what is committed, all of it, in order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veredito.record.outbox.disk import Disk
from veredito.record.outbox.reader import Reader
from veredito.record.outbox.segments import Segments


class LookingDisk(Disk):
    """Calls somebody between the write and the sync: the moment at which bytes are there and not committed."""

    def __init__(self):
        self.look = lambda: None

    def sync(self, descriptor):
        self.look()
        super().sync(descriptor)


@pytest.fixture
def disk():
    return LookingDisk()


def make_segments(folder, disk=None, segment_bytes=4096):
    return Segments(folder, disk or Disk(), [], 0, segment_bytes=segment_bytes, bytes_max=2**22)


def read_all(reader, records_max=1000):
    found, damaged = [], 0
    while (batch := reader.read(records_max, 2**20)) is not None:
        found += batch.entries
        damaged += batch.damaged
    return found, damaged


def test_a_read_during_a_commit_skips_nothing(tmp_path, disk):
    """Bytes that are written and not yet committed are left for the next read, not passed over."""
    segments = make_segments(tmp_path, disk)
    reader = Reader(segments, 0)
    seen, lost = [], 0

    def look():
        nonlocal lost
        entries, damaged = read_all(reader)
        seen.extend(entry.payload for entry in entries)
        lost += damaged

    disk.look = look
    for i in range(10):
        segments.commit([b"%d" % i, b"+%d" % i])
    look()
    reader.close()
    segments.seal()

    assert lost == 0
    assert seen == [part for i in range(10) for part in (b"%d" % i, b"+%d" % i)]


@given(
    batches=st.lists(st.lists(st.binary(max_size=900), min_size=1, max_size=4), max_size=12),
    records_max=st.integers(1, 7),
    bytes_max=st.integers(1, 4000),
    begin=st.integers(0, 10),
)
def test_every_record_is_read_once_in_order(tmp_path_factory, batches, records_max, bytes_max, begin):
    """However the records lie in segments and however they are asked for."""
    segments = make_segments(tmp_path_factory.mktemp("outbox"))
    for batch in batches:
        segments.commit(batch)
    segments.seal()
    payloads = [payload for batch in batches for payload in batch]
    reader = Reader(segments, begin)
    found = []
    while (batch := reader.read(records_max, bytes_max)) is not None:
        assert batch.first == begin + len(found)
        assert batch.next == batch.first + len(batch.entries)
        assert batch.damaged == 0
        found += batch.entries
    reader.close()

    assert [entry.payload for entry in found] == payloads[begin:]
    assert [entry.sequence for entry in found] == list(range(begin, len(payloads)))
