"""The topic: at least once, each entity's records in order.

The producer is idempotent and its messages never time out inside the library, so within the life of a
producer nothing is lost, doubled or overtaken. Across producers (a restart, a fatal error) a stretch may be
sent again: readers take each id once.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec

from veredito.errors import MissingExtraError, SourceError
from veredito.record.outbox.frames import Entry
from veredito.record.outbox.reader import Batch
from veredito.record.settings import FIXED_PROPERTIES, KafkaSettings
from veredito.record.sinks.sink import Delivery, Gathering

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message, Producer

_PURGE_SECONDS = 2.0  # for the library to report what was purged
log = logging.getLogger("veredito.record")


class _Head(msgspec.Struct):
    """What a message needs to know about a record."""

    decision_id: str
    format: int = 1
    key: str | None = None


_HEAD = msgspec.json.Decoder(_Head)


class KafkaSink:
    """Sends each record as a message: key the entity, headers ``id``, ``format`` and ``content-type``.

    Args:
        settings: where to.

    Raises:
        MissingExtraError: confluent-kafka is not installed.
    """

    name = "kafka"

    def __init__(self, settings: KafkaSettings) -> None:
        self._library()
        self._settings = settings
        self._producer: Producer | None = None
        self._stopping = threading.Event()
        self.gathering = Gathering(settings.batch_records_max)
        self.rebuilt = 0

    @staticmethod
    def _library() -> Any:
        try:
            import confluent_kafka
        except ImportError:
            raise MissingExtraError("confluent-kafka", "kafka", purpose="the sink 'kafka'") from None
        return confluent_kafka

    def open(self, sequence: int, stopping: threading.Event) -> None:  # noqa: ARG002 - a broker cannot be asked what it holds of ours
        """Make the producer; it connects by itself, whenever the brokers can be reached."""
        self._stopping = stopping
        self._producer = self._build()

    def deliver(self, batch: Batch) -> Delivery:
        """Send a batch, and return when the brokers have confirmed all of it.

        Raises:
            SourceError: a message was refused or the producer is broken; a fresh one sends the batch again.
        """
        if self._producer is None:
            self._producer = self._build()
            self.rebuilt += 1
        reports = _Reports(self._library().KafkaError)
        for entry in batch.entries:
            self._send(self._producer, entry, reports)
        while reports.outstanding:
            self._producer.poll(0.1)
            if self._stopping.is_set() and reports.outstanding:
                self._discard()
                raise SourceError(
                    f"stopped with {reports.outstanding} messages unconfirmed; they stay in the outbox"
                )
        if reports.failed is not None:
            self._discard()
            raise SourceError(f"kafka did not take {reports.failures} messages: {reports.failed}")
        return Delivery(rejected=tuple(reports.rejected))

    def tidy(self) -> None:
        """Let the library serve its connection while there is nothing to send."""
        if self._producer is not None:
            self._producer.poll(0)

    def close(self) -> None:
        """Drop the producer: whatever it still holds is in the outbox too."""
        self._discard()

    def _build(self) -> Producer:
        properties = {
            "linger.ms": 5,
            "compression.type": "lz4",
            **self._settings.properties,
            **FIXED_PROPERTIES,
            "bootstrap.servers": self._settings.servers,
            "error_cb": lambda error: log.warning("kafka: %s", error),
        }
        return self._library().Producer(properties)

    def _send(self, producer: Producer, entry: Entry, reports: _Reports) -> None:
        try:
            head = _HEAD.decode(entry.payload)
            value = self._value(entry.payload)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            reports.rejected.append((entry, f"not a decision record: {error}"))
            return
        headers = [
            ("id", head.decision_id.encode()),
            ("format", str(head.format).encode()),
            ("content-type", f"application/{self._settings.format}".encode()),
        ]
        while True:
            try:
                producer.produce(
                    self._settings.topic,
                    value,
                    key=None if head.key is None else head.key.encode(),
                    headers=headers,
                    on_delivery=reports.callback(entry),
                )
            except BufferError:  # the library's own queue is full: serve it
                producer.poll(0.1)
                if self._stopping.is_set():
                    return
                continue
            except self._library().KafkaException as error:
                reports.refused(entry, error.args[0])
                return
            reports.outstanding += 1
            producer.poll(0)
            return

    def _value(self, payload: bytes) -> bytes:
        if self._settings.format == "json":
            return payload
        return msgspec.msgpack.encode(msgspec.json.decode(payload))

    def _discard(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        producer.purge(in_queue=True, in_flight=True, blocking=True)
        until = time.monotonic() + _PURGE_SECONDS
        while len(producer) and time.monotonic() < until:
            producer.poll(0.05)


class _Reports:
    """The delivery reports of one batch."""

    def __init__(self, errors: type[KafkaError]) -> None:
        self._never = {errors.MSG_SIZE_TOO_LARGE, errors.INVALID_RECORD}
        self.outstanding = self.failures = 0
        self.failed: KafkaError | None = None
        self.rejected: list[tuple[Entry, str]] = []

    def callback(self, entry: Entry) -> Any:
        """What the library calls with the fate of this entry's message."""

        def report(error: KafkaError | None, _: Message) -> None:
            self.outstanding -= 1
            if error is not None:
                self.refused(entry, error)

        return report

    def refused(self, entry: Entry, error: KafkaError) -> None:
        """Tell what will never be taken from what may be taken later."""
        if error.code() in self._never:
            self.rejected.append((entry, error.str()))
            return
        self.failures += 1
        self.failed = error
