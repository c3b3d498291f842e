"""Records of 2 KB, such as a fraud service makes: an event, 30 features, two effects, four rules."""

import datetime as dt
import random

from veredito.record import DecisionRecord, RecordedOutcome, RecordedRule, RecordLayout, new_decision_id
from veredito.schema import Field, Schema

FEATURES = [f"spend_{n}_days" for n in range(1, 26)] + [f"merchant_{n}" for n in range(1, 6)]
LAYOUT = RecordLayout(
    inputs=Schema(
        "Transaction",
        [
            Field("transaction_id", "text"),
            Field("card", "text"),
            Field("merchant", "text"),
            Field("amount", "float"),
            Field("at", "timestamp"),
            Field("installments", "int", nullable=True),
        ],
    ),
    features=Schema(
        "Row",
        [Field(name, "text" if name.startswith("merchant") else "float", nullable=True) for name in FEATURES],
    ),
    outputs={
        "fraud": Schema("Fraud", [Field("prediction", "float"), Field("prediction_ecdf", "float")]),
    },
    values={"customer": Schema("Customer", [Field("age", "int"), Field("segment", "text")])},
)
BEGIN = dt.datetime(2026, 6, 1, 10, tzinfo=dt.UTC)


def make_record(number, generator=random.Random(7)):  # noqa: B008 - one stream of numbers for all
    """The n-th record; its time moves on by 0.2 ms."""
    at = BEGIN + dt.timedelta(microseconds=200 * number)
    card = f"card-{generator.randrange(50_000)}"
    features = {
        name: f"m{generator.randrange(900)}" if name.startswith("merchant") else generator.random() * 100
        for name in FEATURES
    }
    score = generator.random()
    return DecisionRecord(
        decision_id=new_decision_id(),
        at=at,
        received_at=at,
        answered_at=at + dt.timedelta(milliseconds=7),
        service="card-authorization",
        service_version="3.1",
        config_hash="9f2c61d07a5b",
        request_id=f"r-{number}",
        key=card,
        action="approve",
        reasons=["low risk"],
        score=score,
        inputs={
            "transaction_id": f"t-{number}",
            "card": card,
            "merchant": f"m{generator.randrange(900)}",
            "amount": round(generator.random() * 300, 2),
            "at": at,
            "installments": generator.randrange(12),
        },
        values={"customer": {"age": generator.randrange(18, 90), "segment": "gold"}},
        outcomes={
            "customer": RecordedOutcome(kind="fresh", start_us=12.5, finish_us=2210.0),
            "velocity": RecordedOutcome(kind="cached", start_us=12.5, finish_us=40.0),
        },
        features=features,
        outputs={"fraud": {"prediction": score, "prediction_ecdf": score * 1000}},
        models={"fraud": "0b7d3c2f"},
        policy_version="12",
        rules=[
            RecordedRule(rule=f"R{n}", fired=False, read={"fraud.prediction_ecdf": score})
            for n in range(1, 5)
        ],
        stages_us={"in_schema": 4.0, "fetching": 2300.0, "model": 35.0, "policy": 9.0},
        critical_path=["transaction", "customer", "features", "fraud"],
    )
