"""The decision record: everything about one decision, as it is logged.

The form is JSON, one object a decision, and carries `format`: a reader meets records that older versions wrote.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
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


class RecordedKey(msgspec.Struct, frozen=True, kw_only=True):
    """The idempotency key that a decision was asked for under, and the body it stands for, as hashes."""

    key: str
    body: str


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
        idempotency: the caller's key, where he gave one.
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
    idempotency: RecordedKey | None = None


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


_DEPTH_MAX = 50  # deeper data comes from a cycle
_UNWRITABLE = (TypeError, ValueError, RecursionError, OverflowError)
_ENCODER = msgspec.json.Encoder(enc_hook=plain)
_DECODER = msgspec.json.Decoder(DecisionRecord)


def encode(record: DecisionRecord) -> bytes:
    """The record as JSON. Whatever a user's node gave, it can be written: see `writable()`."""
    return encode_any(record)


def encode_any(data: Any) -> bytes:
    """Any part of a record as JSON, as `encode()`."""
    try:
        return _ENCODER.encode(data)
    except _UNWRITABLE:
        return _ENCODER.encode(writable(data))


def writable(data: Any, depth_max: int = _DEPTH_MAX) -> Any:
    r"""Data as plain mappings, lists and scalars that JSON has a form for.

    Keys that are not text become text, text that is not Unicode loses those characters, and what has no form,
    or lies too deep, becomes the name of its type: a strange value must not cost a decision its record.

    Example:
        >>> writable({("odd", 1): {1.5}, "unpaired": "\ud800"})
        {"('odd', 1)": [1.5], 'unpaired': '?'}
    """
    if depth_max == 0:
        return plain(data)
    if isinstance(data, msgspec.Struct):
        data = msgspec.structs.asdict(data)
    elif dataclasses.is_dataclass(data) and not isinstance(data, type):
        data = {field.name: getattr(data, field.name) for field in dataclasses.fields(data)}
    if isinstance(data, Mapping):
        return {_text(str(name)): writable(value, depth_max - 1) for name, value in data.items()}
    if isinstance(data, list | tuple | set | frozenset):
        return [writable(item, depth_max - 1) for item in data]
    if isinstance(data, str):
        return _text(data)
    try:
        _ENCODER.encode(data)
        return msgspec.to_builtins(data, enc_hook=plain, str_keys=True)
    except _UNWRITABLE:
        return plain(data)


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def decode(body: bytes) -> DecisionRecord:
    """The record that `encode()` wrote. Fields that a newer version added are passed over.

    Raises:
        RecordError: the body is not a decision record.
    """
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordError(f"not a decision record: {error}") from error
