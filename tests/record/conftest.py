"""A service's records, small settings, and one recorder at a time."""

import datetime as dt

import pytest

from veredito.record import DecisionRecord, ParquetSettings, RecordLayout, RecordSettings, new_decision_id
from veredito.schema import Field, Schema

NOW = dt.datetime(2018, 6, 1, 10, 30, tzinfo=dt.UTC)
LAYOUT = RecordLayout(
    inputs=Schema(
        "Transaction",
        [
            Field("card", "text"),
            Field("amount", "float"),
            Field("at", "timestamp"),
            Field("items", "int", nullable=True),
        ],
    ),
    features=Schema("Row", [Field("amount", "float"), Field("known", "bool")]),
    outputs={"fraud": Schema("Fraud", [Field("prediction", "float")])},
    values={"customer": Schema("Customer", [Field("age", "int", nullable=True)])},
)


def make_record(number=0, **changes):
    parts = {
        "decision_id": new_decision_id(),
        "received_at": NOW,
        "answered_at": NOW,
        "service": "card",
        "key": f"c{number % 7}",
        "action": "approve",
        "reasons": ["low risk"],
        "score": 0.5,
        "inputs": {"card": f"c{number % 7}", "amount": float(number), "at": NOW, "items": number},
        "values": {"customer": {"age": 40}, "velocity": [1, 2]},
        "features": {"amount": float(number), "known": True},
        "outputs": {"fraud": {"prediction": 0.5}},
        "models": {"fraud": "abc"},
    }
    return DecisionRecord(**parts | changes)


def make_settings(folder, **changes):
    parts = {
        "folder": str(folder),
        "segment_bytes": 64 * 1024,
        "outbox_bytes_max": 2**23,
        "parquet": ParquetSettings(gather_seconds=0.05),
    }
    return RecordSettings(**parts | changes)


@pytest.fixture
def settings(tmp_path):
    return make_settings(tmp_path / "record")
