"""What recording adds to a decision: from the call of the recorder to its return, arrivals as Poisson wrote them."""

import asyncio
import random
import statistics
import time

from bench.record.records import LAYOUT, make_record
from veredito.record import Recorder, RecordSettings

RATE = 2_000  # decisions a second


def measure(folder, acknowledge, seconds):
    """Milliseconds added at the median and the 99th percentile, and decisions a record was committed with."""
    records = [make_record(number) for number in range(int(RATE * seconds))]
    settings = RecordSettings(folder=str(folder), acknowledge=acknowledge)
    with Recorder.open(settings, LAYOUT) as recorder:
        added = asyncio.run(_open_loop(recorder, records, acknowledge))
    added = sorted(added[len(added) // 10 :])  # the first tenth warms up
    percentiles = statistics.quantiles(added, n=100)
    return {"p50_ms": percentiles[49] * 1e3, "p99_ms": percentiles[98] * 1e3, "decisions": len(added)}


async def _open_loop(recorder, records, acknowledge):
    added, tasks = [], set()

    async def durable(record):
        begun = time.perf_counter()
        await recorder.append(record)
        added.append(time.perf_counter() - begun)

    def queued(record):
        begun = time.perf_counter()
        recorder.append_nowait(record)
        added.append(time.perf_counter() - begun)

    due = time.perf_counter()
    for record in records:
        due += random.expovariate(RATE)
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        if acknowledge == "durable":
            task = asyncio.ensure_future(durable(record))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        else:
            queued(record)
    await asyncio.gather(*tasks)
    return added
