"""What a record says, whatever became of the request; and what it never says."""

import asyncio
import datetime as dt
import json
import logging
import sys
from uuid import UUID

import pytest
from tests.record.faults import FaultyDisk
from tests.serve.conftest import trained

from veredito.record import Recorder, tools
from veredito.serve.app import App
from veredito.serve.assemble import assemble

MODULE = """
import asyncio
import datetime as dt
from typing import Annotated

import msgspec

from veredito import graph as vg
from veredito.decide import Policy, Rule


class Payment(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    payment_id: str
    at: Annotated[dt.datetime, msgspec.Meta(tz=True)]
    card: str | None = None
    amount: float


payment = vg.input("payment", Payment)


@vg.pure
def applicable(payment):
    return payment.amount >= 1.0


@vg.effect(timeout_ms=10_000)
async def customer(payment):
    if payment.amount == 408:
        await asyncio.Event().wait()
    if payment.amount == 500:
        raise ValueError(f"no customer has the card {payment.card}")
    return {"age": 40.0, "card": payment.card, "seen": {("odd", "key"): 1}}


@vg.pure
def features(payment, customer):
    if payment.amount == 666:
        return None
    return {"amount": payment.amount, "age": customer["age"]}


policy = Policy(
    Rule("R1", when=lambda fraud: fraud.prediction_ecdf > 2000, action="decline", reason="very risky"),
    Rule("R2", when=lambda payment: payment.card == "4000-9", action="review", reason="this card"),
    otherwise="approve",
    score=lambda fraud: fraud.prediction,
)
"""
CONFIG = """
[service]
name = "payments"
deadline_ms = 10000
body_bytes_max = 1000

[decision]
inputs = "recorded_payments:Payment"
graph = "recorded_payments"
policy = "recorded_payments:policy"
pre_policy = {{ node = "applicable", otherwise = "approve", reason = "too small to matter" }}
fallback = {{ action = "review", reason = "no decision could be made" }}
key = "card"
event_time = "at"

[models.fraud]
artifact = "model"
features = "features"

[record]
folder = "record"
{more}
"""


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "fraud"
    trained(folder)
    return folder


@pytest.fixture
def project(tmp_path, model_folder, monkeypatch):
    (tmp_path / "recorded_payments.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "service.toml").write_text(CONFIG.format(more=""), encoding="utf-8")
    (tmp_path / "model").symlink_to(model_folder)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("recorded_payments", None)


def event(amount=20.0, card="4000-1"):
    return {"payment_id": "p1", "at": "2018-06-01T10:00:00Z", "card": card, "amount": amount}


async def post(app, body, headers):
    """One request to /v1/decide; its status and body."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/decide",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    sent = []

    async def receive():
        return {"type": "http.request", "body": body}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], sent[1]["body"]


def decide(project, *requests, disk=None):
    """Answers to requests (a body, or a body and headers), and what is recorded of them."""

    async def run():
        service = assemble(project / "service.toml", {})
        app = App(service, url="")
        await service.start()
        if disk is not None:
            service.recorder.close()
            service.recorder = Recorder.open(
                service.recorder.settings, service._layout(service.inputs), disk=disk
            )
        try:
            app._open_decisions()
            pairs = [request if isinstance(request, tuple) else (request, {}) for request in requests]
            return [await post(app, *pair) for pair in pairs]
        finally:
            await service.aclose()

    answers = asyncio.run(run())
    return answers, list(tools.read(project / "record"))


def test_a_record_holds_all_that_was_seen_and_decided(project):
    """Who decided by which versions, what was fetched, what the model saw and said, which rules were tried."""
    [(status, body)], [record] = decide(project, (event(), {"x-request-id": "r-1"}))

    answer = json.loads(body)
    assert status == 200
    assert (record.decision_id, record.action, record.source) == (answer["decision_id"], "approve", "policy")
    assert UUID(record.decision_id).version == 7
    assert (record.status, record.request_id, record.key, record.service) == (
        "answered",
        "r-1",
        "4000-1",
        "payments",
    )
    assert record.at == dt.datetime(2018, 6, 1, 10, tzinfo=dt.UTC)
    assert record.received_at <= record.answered_at
    assert record.score == answer["score"] == record.outputs["fraud"]["prediction"]
    assert record.inputs == event()
    assert record.features == {"amount": 20.0, "age": 40.0}
    assert record.values["customer"]["age"] == 40.0
    outcome = record.outcomes["customer"]
    assert outcome.kind == "fresh"
    assert outcome.start_us <= outcome.finish_us
    assert [(rule.rule, rule.fired) for rule in record.rules] == [("R1", False), ("R2", False)]
    assert record.rules[0].read == {"fraud.prediction_ecdf": record.outputs["fraud"]["prediction_ecdf"]}
    assert "customer" in record.critical_path
    assert {"in_schema", "fetching", "model", "policy"} <= record.stages_us.keys()
    assert record.models.keys() == {"fraud"}
    assert all([record.models["fraud"], record.config_hash, record.policy_version, record.service_version])


def test_a_preliminary_decision_is_recorded_as_one(project):
    """The pre-policy decided: nothing was fetched, no model was asked."""
    _, [record] = decide(project, event(amount=0.5))

    assert (record.status, record.source, record.action) == ("answered", "pre_policy", "approve")
    assert record.reasons == ["too small to matter"]
    assert (record.values, record.features, record.outputs) == ({}, {}, {})


@pytest.mark.parametrize(
    ("amount", "headers", "status", "error"),
    [
        (500, {}, "failed", "ValueError"),
        (408, {"x-request-timeout-ms": "60"}, "timed_out", "TimedOutError"),
        (666, {}, "failed", ""),
    ],
    ids=["an effect fails", "time runs out", "a node gives no row"],
)
def test_what_could_not_be_decided_is_answered_and_recorded(project, amount, headers, status, error):
    """The fallback is the answer, and the record says why, and what was known until then."""
    [(code, body)], [record] = decide(project, (event(amount=amount), headers))

    assert (code, json.loads(body)["source"]) == (200, "fallback")
    assert (record.status, record.source, record.action) == (status, "fallback", "review")
    assert record.inputs["amount"] == amount
    assert error in record.error
    assert "customer" in record.outcomes


@pytest.mark.parametrize(
    ("body", "headers", "error"),
    [
        (b"{}", {}, "invalid_input"),
        (b"nonsense", {}, "invalid_input"),
        (b" " * 2000, {}, "body_too_large"),
        (event(), {"x-request-timeout-ms": "soon"}, "invalid_input"),
        (event(), {"idempotency-key": "k" * 300}, "invalid_input"),
    ],
)
def test_a_refused_request_is_recorded(project, body, headers, error):
    """It was not decided; that it came, and why it was turned away, is known."""
    [(code, _)], [record] = decide(project, (body, headers))

    assert code >= 400
    assert (record.status, record.source, record.action, record.error) == ("refused", None, None, error)


def test_another_body_under_a_key_is_recorded_as_refused(project):
    """Both are on record: the decision and the refusal."""
    key = {"idempotency-key": "k"}
    _, records = decide(project, (event(), key), (event(amount=30.0), key), (event(), key))

    assert [(record.status, record.error) for record in records] == [
        ("answered", None),
        ("refused", "idempotency_conflict"),
    ]


@pytest.mark.parametrize(("error", "times", "code"), [(5, 2, "internal"), (28, 1, "overloaded")])
def test_a_decision_that_the_disk_did_not_take_is_recorded_as_refused(project, error, times, code):
    """The caller is refused; when the disk takes records again, it is on record that he was."""
    disk = FaultyDisk()
    disk.fail("create", times=times, error=error)
    [(status, _)], [record] = decide(project, event(), disk=disk)

    assert status >= 500
    assert (record.status, record.action, record.error) == ("refused", None, code)


def test_an_entity_that_is_missing_is_no_entity(project):
    """No key is no key, and not the text of one."""
    _, [record] = decide(project, event(card=None))

    assert record.key is None


SENSITIVE = """
[[record.sensitive]]
name = "card"
keep = "{keep}"
"""


@pytest.mark.parametrize("keep", ["nothing", "hash"])
def test_a_sensitive_field_is_nowhere(project, monkeypatch, caplog, capsys, keep):
    """Not in the record, the files, the answers kept, the metrics or the log, whatever happens; as key neither."""
    monkeypatch.setenv("VEREDITO_SENSITIVE_KEY", "0123456789abcdef")
    more = SENSITIVE.format(keep=keep)
    (project / "service.toml").write_text(CONFIG.format(more=more), encoding="utf-8")
    requests = [
        (event(card="4000-9"), {"idempotency-key": "a"}),
        event(card="4000-9", amount=500),
        event(card="4000-9", amount=666),
        (event(card="4000-9", amount=408), {"x-request-timeout-ms": "60"}),
        {**event(), "card": {"number": "4000-9"}},
        {**event(), "4000-9": 1},
    ]
    with caplog.at_level(logging.DEBUG):
        answers, records = decide(project, *requests)

    assert [status for status, _ in answers] == [200, 200, 200, 200, 422, 422]
    assert [record.action for record in records][:4] == ["review"] * 4
    files = [path for path in (project / "record").rglob("*") if path.is_file()]
    assert [path for path in files if b"4000-9" in path.read_bytes()] == []
    formatter = logging.Formatter()
    assert [line for entry in caplog.records if "4000-9" in (line := formatter.format(entry))] == []
    assert "4000-9" not in "".join(capsys.readouterr())
    known = records[0]
    if keep == "hash":
        assert len(known.key) == 64
        assert {known.key, known.inputs["card"], known.rules[1].read["payment.card"]} == {known.key}
    else:
        assert known.key is None
        assert "card" not in known.inputs
