"""The record: no decision is lost on its way to the topic and the lake."""

from veredito.record.accounts import Accounts, SinkAccounts, metrics
from veredito.record.layout import RecordLayout
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

__all__ = [
    "Accounts",
    "DecisionRecord",
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
    "SinkAccounts",
    "metrics",
    "new_decision_id",
]
