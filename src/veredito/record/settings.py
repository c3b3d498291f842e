"""The ``[record]`` table of a config file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

_Positive = Annotated[int, msgspec.Meta(ge=1)]
_Seconds = Annotated[float, msgspec.Meta(gt=0)]


class ParquetSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[record.parquet]``: the lake.

    Args:
        folder: where the table lies; empty: the folder ``parquet`` inside the record's folder.
        rows_max: rows of a file that are written at once.
        gather_seconds: how long records wait in the outbox for a file to grow.
        compact: whether the small files of an hour that is over are made one.
        enabled: whether there is a table at all.
    """

    folder: str = ""
    rows_max: _Positive = 10_000
    gather_seconds: _Seconds = 30.0
    compact: bool = True
    enabled: bool = True


class KafkaSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[record.kafka]``: the topic.

    Args:
        servers: ``host:port``, comma separated.
        topic: where the records go.
        format: of the message's value.
        batch_records_max: messages in flight at once.
        properties: further settings of librdkafka by their own names (security, compression). What the
            guarantees rest on cannot be overridden.
    """

    servers: str
    topic: str
    format: Literal["json", "msgpack"] = "json"
    batch_records_max: _Positive = 5_000
    properties: dict[str, str | int | float | bool] = {}

    def __post_init__(self) -> None:
        fixed = sorted((FIXED_PROPERTIES.keys() | _OURS) & self.properties.keys())
        if fixed:
            raise ValueError(f"{', '.join(fixed)} cannot be set: the guarantees rest on them")


# A message that never times out inside the library is never dropped by it, and one that is refused is not
# overtaken by the next; a stuck broker is seen as waiting records instead.
FIXED_PROPERTIES: dict[str, str | int | float | bool] = {
    "enable.idempotence": True,
    "acks": "all",
    "max.in.flight.requests.per.connection": 5,
    "message.timeout.ms": 0,
    "enable.gapless.guarantee": True,
}
_OURS = {
    "delivery.timeout.ms",
    "delivery.report.only.error",
    "dr_cb",
    "error_cb",
    "on_delivery",
    "transactional.id",
    "bootstrap.servers",
    "request.required.acks",
    "max.in.flight",
}


class SensitiveField(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of ``[[record.sensitive]]``.

    Args:
        name: the field's name, wherever in a record it occurs: inputs, values, features, outputs, what rules
            read. ``key`` means the record's own entity key.
        keep: ``nothing`` (the field is left out) or ``hash`` (HMAC-SHA256, so that equal values stay equal).
    """

    name: str
    keep: Literal["nothing", "hash"] = "nothing"


class RecordSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[record]``: where decisions are recorded and what is promised about it.

    Args:
        folder: outbox, cursors, rejected records and, by default, the Parquet table.
        acknowledge: ``durable`` answers when the record is on the disk; ``queued`` answers at once, and a
            crash may lose what was answered in the last moments (`Accounts.queued` says how many).
        on_full: what happens to a decision that the disk does not take: ``refuse`` it, or answer and ``count``.
        outbox_bytes_max: space of the outbox. At 2 KB a record the default holds two million: about seven
            minutes at 5,000/s in which no sink can be reached.
        segment_bytes: size of one outbox file.
        queue_bytes_max: bytes that may wait for the writer; beyond it decisions are refused or counted.
        parquet: the lake; on by default.
        kafka: the topic; off by default.
        sinks: those of your own, by name: ``kind``, a class as ``module:Class``, and its arguments.
        sensitive: fields that must not be kept as they are.
        sensitive_key_env: the environment variable that holds the key of the hash.
    """

    folder: str
    acknowledge: Literal["durable", "queued"] = "durable"
    on_full: Literal["refuse", "count"] = "refuse"
    outbox_bytes_max: _Positive = 4 * 2**30
    segment_bytes: Annotated[int, msgspec.Meta(ge=4096)] = 64 * 2**20
    queue_bytes_max: _Positive = 64 * 2**20
    parquet: ParquetSettings = ParquetSettings()
    kafka: KafkaSettings | None = None
    sinks: dict[Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]+$")], dict[str, Any]] = {}
    sensitive: list[SensitiveField] = []
    sensitive_key_env: str = "VEREDITO_SENSITIVE_KEY"

    def __post_init__(self) -> None:
        if self.outbox_bytes_max < 2 * self.segment_bytes:
            raise ValueError(
                "outbox_bytes_max must hold at least two segments (segment_bytes): one is read while one is written"
            )
