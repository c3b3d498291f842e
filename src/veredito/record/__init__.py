"""The record: no decision is lost on its way to the topic and the lake."""

from veredito.record.accounts import Accounts, SinkAccounts, metrics
from veredito.record.layout import RecordLayout
from veredito.record.outbox.frames import Entry
from veredito.record.outbox.reader import Batch
from veredito.record.record import (
    DecisionRecord,
    RecordedKey,
    RecordedOutcome,
    RecordedRule,
    new_decision_id,
)
from veredito.record.recorder import Recorder
from veredito.record.sensitive import Mask
from veredito.record.settings import KafkaSettings, ParquetSettings, RecordSettings, SensitiveField
from veredito.record.sinks.sink import Delivery, Gathering, Sink

__all__ = [
    "Accounts",
    "Batch",
    "DecisionRecord",
    "Delivery",
    "Entry",
    "Gathering",
    "KafkaSettings",
    "Mask",
    "ParquetSettings",
    "RecordLayout",
    "RecordSettings",
    "RecordedKey",
    "RecordedOutcome",
    "RecordedRule",
    "Recorder",
    "SensitiveField",
    "Sink",
    "SinkAccounts",
    "metrics",
    "new_decision_id",
]
