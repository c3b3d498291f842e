"""Group commit by one thread: batches, waiting callers, and what a failing disk does to them."""

import asyncio
import errno
import threading

import pytest
from tests.record.faults import FaultyDisk

from veredito.errors import OverloadedError, RecordError
from veredito.record.outbox.recovery import walks
from veredito.record.outbox.segments import Segments, list_segments
from veredito.record.outbox.writer import Writer


@pytest.fixture
def disk():
    return FaultyDisk()


@pytest.fixture
def open_writer(tmp_path, disk):
    writers = []

    def opened(on_full="refuse", disk=disk):
        segments = Segments(tmp_path, disk, [], 0, segment_bytes=8192, bytes_max=2**22)
        writers.append(Writer(segments, on_full=on_full, queue_bytes_max=2**20))
        writers[-1].start()
        return writers[-1]

    yield opened
    for writer in writers:
        writer.close(10)


def put(writer, payloads):
    """Give payloads to the writer and wait for all; their results, or what was raised."""

    async def run():
        futures = [asyncio.get_running_loop().create_future() for _ in payloads]
        for payload, future in zip(payloads, futures, strict=True):
            assert writer.put(payload, future)
        return await asyncio.gather(*futures, return_exceptions=True)

    return asyncio.run(run())


def committed(folder):
    return [item.payload for walk in walks(list_segments(folder)) for item in walk]


def test_a_batch_gathers_while_another_is_committed(open_writer, disk):
    """A hundred records given at once take a few syncs, not a hundred."""
    held = threading.Event()
    disk.before_sync = held.wait
    writer = open_writer()
    writer.put(b"first", None)
    threading.Timer(0.05, held.set).start()

    assert put(writer, [b"%d" % i for i in range(100)]) == [True] * 100
    assert writer.commits <= 3


def test_what_is_put_is_committed_in_order(open_writer, tmp_path):
    """Over many segments, and whether or not anybody waits."""
    payloads = [b"%d " % i + b"x" * (i % 300) for i in range(400)]
    writer = open_writer()
    for payload in payloads[:200]:
        writer.put(payload, None)
    put(writer, payloads[200:])
    writer.close(10)

    assert committed(tmp_path) == payloads


@pytest.mark.parametrize(
    ("error", "refusal"),
    [(errno.EIO, RecordError), (errno.ENOSPC, OverloadedError), (errno.EDQUOT, OverloadedError)],
)
def test_a_failing_disk_refuses_at_once(open_writer, disk, error, refusal):
    """Callers do not queue up for a disk that does not take anything, whatever else waits for it."""
    disk.fail("create", times=10**9, error=error)
    writer = open_writer()
    for i in range(600):
        writer.put(b"answered %d" % i, None)
    results = [put(writer, [b"waited for"])[0] for _ in range(50)]

    assert [result for result in results if not isinstance(result, refusal)] == []
    assert writer.disk_errors < 50  # most were told without asking the disk again
    assert (writer.refused, writer.queued) == (50, 600)


def test_what_was_answered_is_committed_when_the_disk_is_well_again(open_writer, disk, tmp_path):
    """In its order, and before what comes later."""
    disk.fail("sync", times=5)
    writer = open_writer()
    answered = [b"answered %d" % i for i in range(700)]
    for payload in answered:
        writer.put(payload, None)
    while isinstance(put(writer, [b"later"])[0], Exception):
        pass
    writer.close(10)

    assert committed(tmp_path) == [*answered, b"later"]
    assert writer.unrecorded == 0


def test_a_stop_tries_once_more(open_writer, disk, tmp_path):
    """What the disk takes in the end is not given up."""
    disk.fail("create", times=1, error=errno.ENOSPC)
    writer = open_writer()
    assert isinstance(put(writer, [b"refused"])[0], OverloadedError)
    writer.put(b"answered", None)
    writer.close(10)

    assert committed(tmp_path) == [b"answered"]
    assert (writer.queued, writer.unrecorded) == (0, 0)


def test_a_stop_gives_up_on_a_disk_that_takes_nothing(open_writer, disk):
    """It is counted, and the stop does not hang."""
    disk.fail("create", times=10**9)
    writer = open_writer()
    for i in range(600):
        writer.put(b"answered %d" % i, None)

    assert writer.close(10)
    assert (writer.queued, writer.unrecorded, writer.queued_bytes) == (0, 600, 0)


def test_counting_answers_although_the_disk_fails(open_writer, disk):
    """With `count` a caller is told that the record is missing, and goes on."""
    disk.fail("write", times=10**9)
    writer = open_writer("count")

    assert put(writer, [b"a", b"b"]) == [False, False]
    assert writer.unrecorded == 2
