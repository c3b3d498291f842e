"""The decision record: everything about one decision, as it is logged.

The form is JSON, one object a decision, and carries `format`: a reader meets records that older versions wrote.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np
import uuid_utils

from veredito.errors import RecordError

FORMAT = 1

Status: TypeAlias = Literal["answered", "refused", "failed", "timed_out"]
DecisionSource: TypeAlias = Literal["policy", "pre_policy", "fallback"]


class RecordedOutcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a node's value came to be, and when, in microseconds from the start of the run."""

    kind: str
    reason: str = ""
    start_us: float | None = None
    finish_us: float | None = None
    attempts: int = 1


class RecordedRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that was tried: whether it fired, and the values it read."""

    rule: str
    fired: bool
    read: dict[str, Any] = {}


class DecisionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was seen and decided for one event.

    Args:
        decision_id: UUIDv7 text, made once for a decision and repeated by every resend of it.
        received_at: when the request came, UTC.
        answered_at: when its answer was ready, UTC; the hour of it is the Parquet partition.
        service: the service's name.
        status: how the request ended; refused, failed and timed-out ones are recorded too.
        at: the event's own time, where it has one.
        service_version: of the user's code.
        config_hash: of the config file that the service was assembled from.
        request_id: what leads from an answer to the log.
        key: the entity that the decision is about; messages of one key stay in order.
        source: who decided; `None` where nobody did.
        action: the decision.
        reasons: as the policy gave them.
        score: the model's score that the policy went by.
        inputs: the event, field by field.
        values: each effect's value, by node.
        outcomes: how each node's value came to be.
        features: the flat row as the models saw it.
        outputs: each model's output row.
        models: each model's version.
        policy_version: of the policy.
        rules: those tried, in order.
        stages_us: microseconds spent in each stage.
        critical_path: the nodes that the answer waited for.
        error: what went wrong, without input values.
        format: the version of this form.

    Example:
        >>> now = dt.datetime(2018, 6, 1, 10, tzinfo=dt.timezone.utc)
        >>> record = DecisionRecord(decision_id=new_decision_id(), received_at=now, answered_at=now, service="s", action="approve")
        >>> decode(encode(record)) == record
        True
    """

    format: int = FORMAT
    decision_id: str
    at: dt.datetime | None = None
    received_at: dt.datetime
    answered_at: dt.datetime
    service: str
    service_version: str = ""
    config_hash: str = ""
    request_id: str = ""
    key: str | None = None
    status: Status = "answered"
    source: DecisionSource | None = "policy"
    action: str | None = None
    reasons: list[str] = []
    score: float | None = None
    inputs: dict[str, Any] = {}
    values: dict[str, Any] = {}
    outcomes: dict[str, RecordedOutcome] = {}
    features: dict[str, Any] = {}
    outputs: dict[str, dict[str, Any]] = {}
    models: dict[str, str] = {}
    policy_version: str = ""
    rules: list[RecordedRule] = []
    stages_us: dict[str, float] = {}
    critical_path: list[str] = []
    error: str | None = None


def new_decision_id() -> str:
    """A fresh id, UUIDv7: ids sort by the time they were made."""
    return str(uuid_utils.uuid7())


def plain(value: Any) -> Any:
    """What msgspec cannot write, as something it can; the hook of the encoder.

    A value of an unknown type becomes its type's name: it must not cost a decision its record.
    """
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return {"unrecordable": type(value).__qualname__}


_ENCODER = msgspec.json.Encoder(enc_hook=plain)
_DECODER = msgspec.json.Decoder(DecisionRecord)


def encode(record: DecisionRecord) -> bytes:
    """The record as JSON.

    Raises:
        RecordError: a value has no form in JSON (a mapping whose keys are not text, text that is not Unicode).
    """
    return encode_any(record)


def encode_any(data: Any) -> bytes:
    """Any part of a record as JSON; raises as `encode()`."""
    try:
        return _ENCODER.encode(data)
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise RecordError(f"a decision record cannot be written as JSON: {error}") from error


def decode(body: bytes) -> DecisionRecord:
    """The record that `encode()` wrote. Fields that a newer version added are passed over.

    Raises:
        RecordError: the body is not a decision record.
    """
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordError(f"not a decision record: {error}") from error
