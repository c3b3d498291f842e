"""The stages of a model: replaceable from the config, and never a way for a wrong answer to get out."""

import importlib.util
import sys
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest
from tests.serve.conftest import get, post

from veredito import model as vm
from veredito.errors import ConfigError
from veredito.schema import Field, Schema
from veredito.serve.assemble import assemble
from veredito.testing.service import running_service

MODULE = '''
import time
from typing import Annotated, Literal

import msgspec
import numpy as np

from veredito.learn.models.model_step import ModelStep


class Naughty(ModelStep, kind="naughty"):
    """Half of x, and some trouble on demand."""

    def engines(self):
        return {"native": self._engine}

    def _engine(self):
        def predict(features):
            x = features[:, 0]
            if (x == 2).any():
                return np.zeros(len(x) + 1)
            if (x == 3).any():
                raise RuntimeError("secret-word")
            if (x == 4).any():
                return np.array(["secret-word"] * len(x))
            if (x == 6).any():
                time.sleep(0.5)
            return np.where((x == 1), np.nan, np.where(x == 5, np.inf, x / 2))

        return predict


def row(sent):
    return sent


class Sent(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    cents: Annotated[int, msgspec.Meta(ge=0)]


class Answer(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    level: Literal["low", "high"]
    half: Annotated[float, msgspec.Meta(le=1000)]


def from_cents(sent):
    if sent.cents == 13:
        raise KeyError("secret-word")
    return {"x": "secret-word"} if sent.cents == 14 else {"x": sent.cents / 100}


def to_level(answer):
    if answer.prediction == 50:
        return {"level": "odd", "half": 50.0}
    if answer.prediction == 51:
        return 7
    return {"level": "high" if answer.prediction > 10 else "low", "half": answer.prediction}
'''

CONFIG = """
[service]
name = "naughty"
[models.m]
artifact = "model"
in_adapter = "naughty:row"
batching = "{place}"
"""

REPLACED = """
[service]
name = "replaced"
[models.m]
artifact = "model"
in_schema = "naughty:Sent"
in_adapter = "naughty:from_cents"
out_adapter = "naughty:to_level"
out_schema = "naughty:Answer"
record_only = ["half"]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of a user's own step, saved."""
    folder = tmp_path_factory.mktemp("naughty")
    (folder / "naughty.py").write_text(MODULE)
    spec = importlib.util.spec_from_file_location("naughty", folder / "naughty.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    step = module.Naughty(("x",), ("prediction",), "native", {})
    sample = pl.DataFrame({"x": [10.0 + i for i in range(20)]})
    vm.save(
        step,
        folder / "model",
        sample=sample,
        inputs=Schema("Row", [Field("x", "float")]),
        outputs=Schema("Out", [Field("prediction", "float")]),
    )
    yield folder
    sys.modules.pop("naughty", None)


@pytest.fixture(scope="module", params=["inline", "loop", "thread"])
def naughty(request, folder):
    """The model as it comes, at each of the places where it may work."""
    config = folder / f"{request.param}.toml"
    config.write_text(CONFIG.format(place=request.param))
    with running_service(config) as service:
        service.config = request.param
        yield service


@pytest.fixture(scope="module")
def replaced(folder):
    """The model with every stage but itself replaced."""
    (folder / "replaced.toml").write_text(REPLACED)
    with running_service(folder / "replaced.toml") as service:
        yield service


@pytest.mark.parametrize("x", [1, 2, 3, 4, 5], ids=["NaN", "length", "raises", "type", "infinite"])
def test_a_model_that_fails_is_an_error_of_its_own(naughty, x):
    """A 500 with the request id, why in the log, no word of the model's own, and the next row is answered."""
    reply = post(naughty, "/v1/predict", {"x": x}, x_request_id=f"r-{x}")

    assert (reply.status, reply.error["code"]) == (500, "internal")
    assert reply.error["request_id"] == f"r-{x}"
    assert b"secret" not in reply.body
    assert post(naughty, "/v1/predict", {"x": 10.0}).json == {"prediction": 5.0}
    assert "OutputError" in naughty.wait_logged(f"request_id=r-{x} failed")
    assert "secret" not in naughty.log


def test_rows_that_fail_among_others_fail_alone(naughty):
    """Concurrent callers are in batches together, and each gets what is its own."""
    rows = [1, 10, 2, 11, 3, 12, 4, 13, 14, 15, 16, 17] * 4
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda x: post(naughty, "/v1/predict", {"x": x}), rows))

    for x, reply in zip(rows, replies, strict=True):
        assert reply.status == (500 if x < 5 else 200)
        assert x < 5 or reply.json == {"prediction": x / 2}


def test_a_deadline_is_kept_where_the_model_can_be_left(naughty):
    """A model in a thread is not waited for; the caller is told with 504, and the service goes on."""
    reply = post(naughty, "/v1/predict", {"x": 6}, x_request_timeout_ms="100")

    if naughty.config == "thread":
        assert (reply.status, reply.error["code"]) == (504, "deadline")
    assert post(naughty, "/v1/predict", {"x": 10.0}).status == 200
    assert post(naughty, "/v1/predict", {"x": 10.0}, x_request_timeout_ms="soon").status == 422


def test_more_rows_than_a_batch_are_answered_in_order(naughty):
    """A long request is computed in parts."""
    answers = post(naughty, "/v1/predict", [{"x": 10.0 + i} for i in range(700)]).json

    assert answers == [{"prediction": (10.0 + i) / 2} for i in range(700)]


def test_batches_are_counted(naughty):
    """Batches and rows, by model, where the model works in batches."""
    post(naughty, "/v1/predict", {"x": 10.0})

    counted = get(naughty, "/metrics").body.decode()

    assert ('veredito_batches_total{model="m"}' in counted) == (naughty.config != "inline")


def test_every_stage_can_be_replaced(replaced):
    """Other rows in, other answers out; what only the record keeps is not sent."""
    assert post(replaced, "/v1/predict", {"cents": 4000}).json == {"level": "high"}
    assert post(replaced, "/v1/predict", [{"cents": 1000}, {"cents": 3000}]).json == [
        {"level": "low"},
        {"level": "high"},
    ]
    assert post(replaced, "/v1/predict", {"x": 4.0}).status == 422
    tensors = {"inputs": [{"name": "cents", "shape": [1], "datatype": "INT64", "data": [4000]}]}
    inferred = post(replaced, "/v2/models/m/infer", tensors).json
    assert [(tensor["name"], tensor["data"]) for tensor in inferred["outputs"]] == [("level", ["high"])]
    described = get(replaced, "/openapi.json").json["paths"]["/v1/predict"]["post"]
    answer = described["responses"]["200"]["content"]["application/json"]["schema"]["oneOf"][0]
    assert set(answer["properties"]) == {"level"}


@pytest.mark.parametrize(
    ("cents", "why"),
    [
        (13, "the in_adapter failed: KeyError"),
        (14, "the in_adapter's row does not fit the model: x: must be a number"),
        (10_000, "an output does not fit: level: must be one of high, low"),
        (10_200, "the out_adapter gave a int, not a mapping"),
        (300_000, "an output does not fit: half: must be at most 1000"),
    ],
)
def test_nothing_leaves_that_the_schema_does_not_allow(replaced, cents, why):
    """An adapter that fails or answers wrongly is a 500; the log says why, without values."""
    reply = post(replaced, "/v1/predict", {"cents": cents}, x_request_id=f"c-{cents}")

    assert (reply.status, reply.error["request_id"]) == (500, f"c-{cents}")
    assert why in replaced.wait_logged(f"request_id=c-{cents} failed")
    assert "secret" not in replaced.log
    assert post(replaced, "/v1/predict", {"cents": 4000}).status == 200


def test_what_only_a_record_keeps_can_be_put_apart(folder):
    """For a caller that keeps the record itself: a second key of the answer."""
    (folder / "apart.toml").write_text(REPLACED + 'record_key = "record"\n')
    with running_service(folder / "apart.toml") as service:
        reply = post(service, "/v1/predict", {"cents": 4000})

    assert reply.json == {"level": "high", "record": {"half": 20.0}}


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"naughty:from_cents"', '"naughty:from_sents"', "in_adapter: module 'naughty' has no 'from_sents'"),
        (
            '"naughty:to_level"',
            '"naughty:Answer"',
            "out_adapter: 'naughty:Answer' is a StructMeta, not a function",
        ),
        ('record_only = ["half"]', 'record_only = ["halb"]', "record_only: the answer has no 'halb'"),
        (
            'record_only = ["half"]',
            'record_only = ["half", "level"]',
            "record_only: leaves the caller nothing",
        ),
        ('record_only = ["half"]', 'record_key = "r"', "record_key: there is nothing to put under it"),
        ('in_adapter = "naughty:from_cents"', "", "in_schema: 'x' is on one side of the model"),
        ('out_adapter = "naughty:to_level"', "", "out_schema: 'half' is on one side of the model"),
    ],
)
def test_stages_that_do_not_fit_are_told_before_anything_runs(folder, monkeypatch, old, new, problem):
    """With the place in the config, and what there is."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert old in REPLACED
    (folder / "wrong.toml").write_text(REPLACED.replace(old, new))

    with pytest.raises(ConfigError) as caught:
        assemble(folder / "wrong.toml", {})

    assert any(problem in str(found) for found in caught.value.problems), caught.value
