"""A service small enough to be killed often: one effect, one rule, no model."""

MODULE = """
import datetime as dt
from typing import Annotated

import msgspec

from veredito import graph as vg
from veredito.decide import Policy, Rule


class Payment(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    payment_id: str
    at: Annotated[dt.datetime, msgspec.Meta(tz=True)]
    customer_id: int
    amount: float


payment = vg.input("payment", Payment)


@vg.effect(timeout_ms=1000)
async def customer(payment):
    return {"known": payment.customer_id % 2 == 0}


policy = Policy(
    Rule("R1", when=lambda customer: not customer["known"], action="review", reason="not known"),
    otherwise="approve",
)
"""

CONFIG = """
[service]
name = "violence"
deadline_ms = 5000

[decision]
inputs = "violent_payments:Payment"
graph = "violent_payments"
policy = "violent_payments:policy"
fallback = {{ action = "review" }}
key = "customer_id"
event_time = "at"

[record]
folder = "record"
segment_bytes = 65536
outbox_bytes_max = 16777216
{record}

[record.parquet]
gather_seconds = 0.2
{parquet}
"""


def make_project(folder, record="", parquet=""):
    """Write the project; returns the config's path. `record` and `parquet` are more lines of those tables."""
    (folder / "violent_payments.py").write_text(MODULE, encoding="utf-8")
    config = folder / "service.toml"
    config.write_text(CONFIG.format(record=record, parquet=parquet), encoding="utf-8")
    return config


def event(number):
    """The payment with this number."""
    return {
        "payment_id": f"p{number}",
        "at": "2018-06-01T10:00:00Z",
        "customer_id": number % 10,
        "amount": float(number),
    }
