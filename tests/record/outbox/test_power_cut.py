"""The power goes: what was acknowledged is there when it comes back, and once in the table."""

import asyncio
import random
from collections import Counter

import pyarrow.parquet as pq
import pytest
from tests.record.conftest import LAYOUT, make_record, make_settings
from tests.record.faults import PowerCutDisk

from veredito.record import Recorder, tools


async def cut_under_load(recorder, cut, rounds=6):
    """Append in overlapping batches and cut now and then; returns each cut's folder and what was acknowledged."""
    acknowledged, cuts = set(), []

    async def append(record):
        await recorder.append(record)
        acknowledged.add(record.decision_id)

    for _ in range(rounds):
        under_way = [asyncio.create_task(append(make_record(i))) for i in range(25)]
        for task in under_way[:10]:
            await task
        before = set(acknowledged)  # more may be acknowledged while the cut is taken, never less
        cuts.append((cut(), before))
        await asyncio.gather(*under_way)
    return cuts


@pytest.mark.parametrize("torn", [False, True])
@pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.torture)])
def test_what_was_acknowledged_survives_a_power_cut(tmp_path, torn, times):
    """In the outbox at once, in the table after the next start; the accounts go on from there."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for time in range(times):
        root, disk = tmp_path / f"record-{time}", PowerCutDisk()
        root.mkdir()
        targets = iter(tmp_path / f"cut-{time}-{i}" for i in range(100))

        def cut(disk=disk, root=root, targets=targets):
            target = next(targets)
            target.mkdir()
            disk.cut(root, target, chance if torn else None)
            return target

        with Recorder.open(make_settings(root, segment_bytes=8192), LAYOUT, disk=disk) as recorder:
            cuts = asyncio.run(cut_under_load(recorder, cut))
        for folder, acknowledged in cuts:
            assert acknowledged - {record.decision_id for record in tools.read(folder)} == set()
            settings = make_settings(folder, segment_bytes=8192)
            with Recorder.open(settings, LAYOUT) as recorder:
                asyncio.run(recorder.append(make_record()))
                assert recorder.drain(20)
                accounts = recorder.accounts()
            ids = pq.read_table(folder / "parquet", columns=["decision_id"])["decision_id"].to_pylist()
            assert [i for i, count in Counter(ids).items() if count > 1] == []
            assert acknowledged - set(ids) == set()
            assert accounts.balanced
            assert (accounts.sinks["parquet"].waiting, accounts.sinks["parquet"].damaged) == (0, 0)
