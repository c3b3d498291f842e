"""Every operation of the disk fails once, at each place in turn, and for good: nothing is lost or invented."""

import asyncio
import errno
from collections import Counter

import pyarrow.parquet as pq
import pytest
from tests.record.conftest import LAYOUT, make_record, make_settings
from tests.record.faults import FaultyDisk

from veredito.errors import VereditoError
from veredito.record import Recorder

OPERATIONS = ["create", "write", "sync", "truncate", "publish", "sync_folder"]


async def append_some(recorder, rounds):
    """Rounds of four appends; returns the ids that were acknowledged and those that were refused."""
    acknowledged, refused = set(), set()
    for _ in range(rounds):
        records = [make_record(i) for i in range(4)]
        results = await asyncio.gather(*map(recorder.append, records), return_exceptions=True)
        for record, result in zip(records, results, strict=True):
            if isinstance(result, VereditoError):
                refused.add(record.decision_id)
            else:
                assert result is True
                acknowledged.add(record.decision_id)
    return acknowledged, refused


def run_with(folder, operation, after, times, error):
    """A recorder on a disk that fails there; returns whether the failing place was reached."""
    settings, disk = make_settings(folder, segment_bytes=8192), FaultyDisk()
    disk.fail(operation, after=after, times=times, error=error)
    try:
        recorder = Recorder.open(settings, LAYOUT, disk=disk)
    except OSError:  # said at start; a person mends the disk and starts again
        disk.heal()
        recorder = Recorder.open(settings, LAYOUT, disk=disk)
    acknowledged, refused = asyncio.run(append_some(recorder, rounds=3))
    assert recorder.accounts().balanced
    assert recorder.accounts().refused == len(refused)
    recorder.close(timeout_seconds=0.2)
    with Recorder.open(settings, LAYOUT) as recorder:
        acknowledged |= asyncio.run(append_some(recorder, rounds=1))[0]
        assert recorder.drain(20)
        accounts = recorder.accounts()
    ids = pq.read_table(folder / "parquet", columns=["decision_id"])["decision_id"].to_pylist()

    assert [i for i, count in Counter(ids).items() if count > 1] == []
    assert acknowledged - set(ids) == set()
    assert refused & set(ids) == set()
    assert accounts.balanced
    assert (accounts.sinks["parquet"].waiting, accounts.sinks["parquet"].damaged) == (0, 0)
    return disk.met(operation)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("error", "times"),
    [
        (errno.EIO, 1),
        pytest.param(errno.EIO, 2, marks=pytest.mark.torture),
        pytest.param(errno.EIO, 10**6, marks=pytest.mark.torture),
        pytest.param(errno.ENOSPC, 1, marks=pytest.mark.torture),
        (errno.ENOSPC, 10**6),
    ],
)
def test_an_error_at_any_place_loses_nothing(tmp_path, operation, error, times):
    """The n-th operation fails, for each n there is: acknowledged is recorded once, refused is not."""
    place = 0
    while run_with(tmp_path / f"{place}", operation, place, times, error):
        place += 1
    assert place >= 1
