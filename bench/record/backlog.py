"""A backlog: written while no sink takes anything, then drained by one. Each part is a process of its own.

python -m bench.record.backlog fill FOLDER RECORDS
python -m bench.record.backlog drain FOLDER parquet
python -m bench.record.backlog drain FOLDER kafka SERVERS TOPIC
"""

import json
import os
import sys
import threading
import time
from pathlib import Path

import msgspec

from bench.record.records import LAYOUT, make_record
from veredito.errors import OverloadedError
from veredito.record import (
    KafkaSettings,
    ParquetSettings,
    Recorder,
    RecordSettings,
    new_decision_id,
)
from veredito.record.sinks.sink import Gathering

DISTINCT = 5_000  # records that differ in more than their id
OFF = ParquetSettings(enabled=False)


class NoSink:
    """A sink that cannot be reached."""

    name = "none"
    gathering = Gathering(1)

    def open(self, _, stopping):
        self.stopping = stopping

    def deliver(self, _):
        self.stopping.wait()
        raise ConnectionError

    def tidy(self):
        """Nothing to do."""

    def close(self):
        """Nothing is open."""


def settings(folder, **sinks):
    return RecordSettings(
        folder=folder,
        acknowledge="queued",
        outbox_bytes_max=2**34,
        parquet=sinks.pop("parquet", OFF),
        **sinks,
    )


def fill(folder, count):
    """Write the backlog."""
    some = [make_record(number) for number in range(min(count, DISTINCT))]
    begun = time.monotonic()
    with Recorder.open(settings(folder), LAYOUT, sinks=[NoSink()]) as recorder:
        for number in range(count):
            record = msgspec.structs.replace(some[number % len(some)], decision_id=new_decision_id())
            while not put(recorder, record):
                time.sleep(0.005)  # the writer's queue is full
        while recorder.accounts().queued:
            time.sleep(0.005)
        seconds = time.monotonic() - begun
        recorder.close(0.1)
        accounts = recorder.accounts()
    size = sum(path.stat().st_size for path in Path(folder).rglob("*.segment"))
    return {"records": accounts.recorded, "bytes": size, "seconds": seconds}


def put(recorder, record):
    try:
        return recorder.append_nowait(record)
    except OverloadedError:
        return False


def drain(folder, sink, *where):
    """Open the outbox, and deliver all of it on one core."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    sinks = {"parquet": ParquetSettings()} if sink == "parquet" else {}
    if sink == "kafka":
        sinks["kafka"] = KafkaSettings(servers=where[0], topic=where[1])
    before = resident_mb()
    memory = Memory()
    begun, used = time.monotonic(), time.process_time()
    recorder = Recorder.open(settings(folder, **sinks), LAYOUT)
    opened = time.monotonic() - begun
    with recorder, memory:
        done = recorder.drain(3_600)
        seconds, used = time.monotonic() - begun, time.process_time() - used
        accounts = recorder.accounts().sinks[sink]
    assert done, accounts
    assert accounts.waiting == accounts.rejected == accounts.damaged == 0, accounts
    return {
        "open_seconds": opened,
        "records": accounts.delivered,
        "per_second": accounts.delivered / seconds,
        "cpu_us_per_record": used / accounts.delivered * 1e6,
        "mb_before": before,
        "mb_first_tenth": memory.peak_until(0.1),
        "mb_peak": memory.peak_until(1.0),
    }


def resident_mb():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Memory:
    """Looks at this process's memory twenty times a second."""

    def __init__(self):
        self._samples, self._stop = [], threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self):
        while not self._stop.wait(0.05):
            self._samples.append(resident_mb())

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def peak_until(self, share):
        """The most that was resident in the first part of the time."""
        return max(self._samples[: max(1, int(len(self._samples) * share))], default=resident_mb())


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["fill", folder, count]:
            print(json.dumps(fill(folder, int(count))))
        case ["drain", folder, *sink]:
            print(json.dumps(drain(folder, *sink)))
        case _:
            sys.exit(__doc__)
