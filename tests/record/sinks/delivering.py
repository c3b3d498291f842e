"""Records on their way to a topic, and what a reader of the topic makes of them."""

import asyncio
import contextlib
import random
import threading
import time
from collections import defaultdict

from tests.record.conftest import LAYOUT, make_record, make_settings

from veredito.record import KafkaSettings, ParquetSettings, Recorder
from veredito.record.sinks.kafka import KafkaSink

# A test's broker comes back soon: it is looked for as often.
_QUICK = {"reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 500}


@contextlib.contextmanager
def recording(folder, servers, topic, properties=None, patience_seconds=10.0, **kafka):
    """A recorder whose only sink is the topic."""
    kafka = KafkaSettings(servers=servers, topic=topic, properties=_QUICK | (properties or {}), **kafka)
    settings = make_settings(
        folder, outbox_bytes_max=2**26, segment_bytes=2**20, parquet=ParquetSettings(enabled=False)
    )
    sink = KafkaSink(kafka, patience_seconds=patience_seconds)
    recorder = Recorder.open(settings, LAYOUT, sinks=[sink])
    try:
        yield recorder
    finally:
        recorder.close(2)


def append(recorder, records):
    async def all_of_them():
        await asyncio.gather(*(recorder.append(record) for record in records))

    asyncio.run(all_of_them())
    return [record.decision_id for record in records]


def random_text(length):
    """Text that does not compress to nothing."""
    return random.Random(length).randbytes(length // 2).hex()


def ids(messages):
    return [message.headers["id"] for message in messages]


def once(messages):
    """What a reader has who takes each id once, its first message."""
    return list({message.headers["id"]: message for message in reversed(messages)}.values())[::-1]


def orders(messages):
    """For each key the ids in the order of the log."""
    by_key = defaultdict(list)
    for message in once(messages):
        by_key[message.key].append(message.headers["id"])
    return by_key


def expected_orders(records):
    by_key = defaultdict(list)
    for record in records:
        by_key[record.key].append(record.decision_id)
    return by_key


def kafka_of(recorder):
    return recorder.accounts().sinks["kafka"]


def wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.02)


class Load:
    """Decisions being recorded in a thread of their own, until `stop()`; `records` are those acknowledged."""

    def __init__(self, recorder, per_second=1_000):
        self._recorder, self._per_second = recorder, per_second
        self._stop = threading.Event()
        self.records = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        portion = self._per_second // 50
        while not self._stop.wait(0.02):
            records = [make_record(len(self.records) + i) for i in range(portion)]
            append(self._recorder, records)
            self.records += records

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(60)
