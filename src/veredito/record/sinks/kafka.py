"""The topic: at least once, each entity's records in order.

The producer is idempotent, its messages never time out inside the library, and one that is refused stops those
behind it (``enable.gapless.guarantee``): so within the life of a producer nothing is lost, doubled or
overtaken. A broken producer is replaced and what was not confirmed is sent again, in order: what the broker had
stored without saying so is then there twice, and so it is after a restart. Readers take each id once.

A broker refuses batches, not messages: what shared a request with a message that is too large is refused with
it. Such a batch is sent again one message at a time, and only what is refused alone is rejected.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from veredito.errors import ConfigError, MissingExtraError, Problem, SourceError
from veredito.record.outbox.frames import Entry
from veredito.record.outbox.reader import Batch
from veredito.record.settings import FIXED_PROPERTIES, KafkaSettings
from veredito.record.sinks.sink import Delivery, Gathering

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message, Producer

_PURGE_SECONDS = 2.0  # for the library to report what was purged
_REQUEST_BYTES = 1_000_000  # of messages in one request, the library's default
_REQUEST_BYTES_MIN = 16_384
log = logging.getLogger("veredito.record")
_library_log = logging.getLogger("veredito.record.kafka")
# Said by each producer, and known: the order of messages after a refused one is tested here.
_library_log.addFilter(lambda line: "enable.gapless.guarantee is experimental" not in line.getMessage())


class KafkaSink:
    """Sends each record as a message: key the entity, headers ``id``, ``format`` and ``content-type``.

    Args:
        settings: where to.
        patience_seconds: after so long without a single report the accounts say so; the wait goes on.

    Raises:
        MissingExtraError: confluent-kafka is not installed.
        ConfigError: the library does not take the properties.
    """

    name = "kafka"

    def __init__(self, settings: KafkaSettings, *, patience_seconds: float = 10.0) -> None:
        self._library = _library()
        self._patience_seconds = patience_seconds
        self._settings = settings
        self._producer: Producer | None = None
        self._flight: _Flight | None = None
        self._stopping = threading.Event()
        self._trouble = ""
        self._request_bytes = int(settings.properties.get("batch.size", _REQUEST_BYTES))
        self.gathering = Gathering(settings.batch_records_max)
        self._check()

    def open(self, sequence: int, stopping: threading.Event) -> None:  # noqa: ARG002 - a broker cannot be asked what it holds of ours
        """Make the producer; it connects by itself, whenever the brokers can be reached."""
        self._stopping = stopping
        self._producer = self._build()

    def deliver(self, batch: Batch) -> Delivery:
        """Send a batch, and return when the brokers have confirmed all of it.

        Called again after an error it goes on with what is not confirmed.

        Raises:
            SourceError: messages were refused, or nothing was heard of them for a while.
        """
        if self._flight is None or self._flight.first != batch.first:
            self._flight = _Flight(batch)
        flight = self._flight
        if self._producer is None:
            self._producer = self._build()
        if not flight.outstanding:
            self._send(self._producer, flight)
        self._wait(self._producer, flight)
        if flight.suspects:
            self._discard()
            self._send_singly(flight)
        if flight.left:
            self._discard()
            raise SourceError(f"kafka did not take {len(flight.left)} messages: {flight.error}")
        self._flight = None
        return Delivery(rejected=tuple(flight.rejected))

    def tidy(self) -> None:
        """Let the library serve its connection while there is nothing to send."""
        if self._producer is not None:
            self._producer.poll(0)

    def close(self) -> None:
        """Drop the producer: whatever it still holds is in the outbox too."""
        self._discard()

    def _check(self) -> None:
        properties = self._properties()
        del properties["bootstrap.servers"]  # so that it connects to nothing
        try:
            self._library.Producer(properties)
        except (self._library.KafkaException, TypeError, ValueError) as error:
            what = error.args[0].str() if isinstance(error, self._library.KafkaException) else str(error)
            hint = "librdkafka's page CONFIGURATION.md lists the properties"
            raise ConfigError(Problem("[record.kafka].properties", what, hint=hint)) from None

    def _properties(self) -> dict[str, Any]:
        return {
            "linger.ms": 5,
            "compression.type": "lz4",
            "partitioner": "murmur2_random",  # as Java's clients do: streams of one key can be joined
            **self._settings.properties,
            **FIXED_PROPERTIES,
            "batch.size": self._request_bytes,
            "bootstrap.servers": self._settings.servers,
            "error_cb": self._note,
            "logger": _library_log,
        }

    def _build(self, **changes: Any) -> Producer:
        changed = {name.replace("_", "."): value for name, value in changes.items()}
        return self._library.Producer(self._properties() | changed)

    def _note(self, error: KafkaError) -> None:
        self._trouble = error.str()
        log.warning("kafka: %s", self._trouble)

    def _send(self, producer: Producer, flight: _Flight) -> None:
        """Give everything that is not confirmed to the producer, up to the first that it does not accept."""
        flight.begin()
        for entry in list(flight.left.values()):
            if not self._send_one(producer, flight, entry):
                return

    def _send_one(self, producer: Producer, flight: _Flight, entry: Entry) -> bool:
        try:
            message = _message(entry.payload, self._settings.format)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            flight.reject(entry, f"not a decision record: {error}")
            return True
        while not self._stopping.is_set():
            try:
                producer.produce(self._settings.topic, **message, on_delivery=flight.reporter(entry))
            except BufferError:  # the library's own queue is full: serve it
                producer.poll(0.1)
            except self._library.KafkaException as error:
                return self._not_accepted(flight, entry, error.args[0])
            else:
                flight.outstanding += 1
                producer.poll(0)
                return True
        return False

    def _not_accepted(self, flight: _Flight, entry: Entry, error: KafkaError) -> bool:
        """Whether what follows may be sent: a message over the library's own limit is the only one refused."""
        if error.code() == self._library.KafkaError.MSG_SIZE_TOO_LARGE:
            flight.reject(entry, error.str())
            return True
        flight.error = error.str()
        return False

    def _wait(self, producer: Producer, flight: _Flight) -> None:
        """Serve the reports until all have come."""
        heard, outstanding = time.monotonic(), flight.outstanding
        while flight.outstanding:
            producer.poll(0.1)
            if flight.outstanding < outstanding:
                heard, outstanding, self._trouble = time.monotonic(), flight.outstanding, ""
            elif self._stopping.is_set():
                self._discard()
                raise SourceError(f"stopped with {outstanding} messages unconfirmed; they stay in the outbox")
            elif time.monotonic() - heard > self._patience_seconds:
                what = f"{outstanding} messages are unconfirmed, without a report for {self._patience_seconds:g} s"
                raise SourceError(f"{what}: {self._trouble or 'the brokers do not answer'}")

    def _send_singly(self, flight: _Flight) -> None:
        """Send what is left one message at a time, each after the last one's report."""
        too_large = self._library.KafkaError.MSG_SIZE_TOO_LARGE in flight.suspects.values()
        rejected = len(flight.rejected)
        self._producer = self._build(batch_num_messages=1, linger_ms=0, enable_gapless_guarantee=False)
        for entry in list(flight.left.values()):
            flight.begin()
            if not self._send_one(self._producer, flight, entry):
                return
            self._wait(self._producer, flight)
            if entry.sequence in flight.suspects:
                flight.reject(entry, flight.error)
            elif entry.sequence in flight.left:
                return
        if (
            too_large and len(flight.rejected) == rejected
        ):  # each alone was small enough, together they were not
            self._request_bytes = max(self._request_bytes // 2, _REQUEST_BYTES_MIN)
            log.warning(
                "topic %s takes smaller requests than batch.size; from now on %d bytes",
                self._settings.topic,
                self._request_bytes,
            )
        self._discard()

    def _discard(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        producer.purge(in_queue=True, in_flight=True, blocking=True)
        until = time.monotonic() + _PURGE_SECONDS
        while len(producer) and time.monotonic() < until:
            producer.poll(0.05)
        if self._flight is not None:
            self._flight.outstanding = 0  # of this producer nothing will be heard any more


class _Flight:
    """A batch on its way: what of it is not confirmed yet, and what the reports say.

    Attributes:
        left: neither confirmed nor rejected, in order.
        outstanding: messages whose report has not come.
        suspects: refused for what may be the fault of another message of the same request; error codes.
        rejected: those that will never be taken, with the reason.
        error: the last one reported.
    """

    def __init__(self, batch: Batch) -> None:
        self.first = batch.first
        self.left = {entry.sequence: entry for entry in batch.entries}
        self.outstanding = 0
        self.suspects: dict[int, int] = {}
        self.rejected: list[tuple[Entry, str]] = []
        self.error = ""

    def begin(self) -> None:
        """Forget what the last attempt's reports said."""
        self.outstanding = 0
        self.suspects = {}
        self.error = ""

    def reject(self, entry: Entry, reason: str) -> None:
        """This one will never be taken."""
        del self.left[entry.sequence]
        self.rejected.append((entry, reason))

    def reporter(self, entry: Entry) -> Callable[[KafkaError | None, Message], None]:
        """What the library calls with the fate of this entry's message."""

        def report(error: KafkaError | None, _: Message) -> None:
            self.outstanding -= 1
            if error is None:
                self.left.pop(entry.sequence, None)
            elif error.code() in {error.MSG_SIZE_TOO_LARGE, error.INVALID_RECORD}:
                self.suspects[entry.sequence] = error.code()
                self.error = error.str()
            else:
                self.error = self.error or error.str()

        return report


class _Head(msgspec.Struct):
    """What a message needs to know about a record."""

    decision_id: str
    format: int = 1
    key: str | None = None


_HEAD = msgspec.json.Decoder(_Head)


def _message(payload: bytes, form: str) -> dict[str, Any]:
    head = _HEAD.decode(payload)
    return {
        "value": payload if form == "json" else msgspec.msgpack.encode(msgspec.json.decode(payload)),
        "key": None if head.key is None else head.key.encode(),
        "headers": [
            ("id", head.decision_id.encode()),
            ("format", str(head.format).encode()),
            ("content-type", f"application/{form}".encode()),
        ],
    }


def _library() -> Any:
    try:
        import confluent_kafka
    except ImportError:
        raise MissingExtraError("confluent-kafka", "kafka", purpose="the sink 'kafka'") from None
    return confluent_kafka
