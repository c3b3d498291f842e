"""A small project of a user's, and the service that it makes."""

import json
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from veredito import learn
from veredito import model as vm
from veredito.testing.service import running_service

FEATURES = """
import datetime as dt
from typing import Annotated, Literal

import msgspec

from veredito import graph as vg
from veredito.decide import Policy, Rule


class Payment(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    payment_id: Annotated[str, msgspec.Meta(max_length=64)]
    at: Annotated[dt.datetime, msgspec.Meta(tz=True)]
    customer_id: int
    amount: Annotated[float, msgspec.Meta(ge=0, le=1e6)]
    channel: Literal["web", "shop"] | None = None


payment = vg.input("payment", Payment)


@vg.pure
def applicable(payment):
    return payment.amount >= 1.0


@vg.effect(timeout_ms=200, default=None)
async def customer(payment, customers):
    return await customers.get(payment.customer_id)


@vg.pure
def features(payment, customer):
    return {"amount": payment.amount, "age": customer["age"] if customer else None}


policy = Policy(
    Rule("R1", when=lambda fraud: fraud.prediction_ecdf > 900, action="decline", reason="very risky"),
    Rule("R2", when=lambda customer: customer is None, action="review", reason="customer unknown"),
    otherwise="approve",
    score=lambda fraud: fraud.prediction,
)
"""

CONFIG = """
[service]
name = "payments"
deadline_ms = 2000

[decision]
inputs = "payments:Payment"
graph = "payments"
policy = "payments:policy"
pre_policy = { node = "applicable", otherwise = "approve", reason = "too small to matter" }
fallback = { action = "review", reason = "no decision could be made" }
key = "customer_id"
event_time = "at"

[models.fraud]
artifact = "model"
features = "features"

[sources.customers]
kind = "table"
path = "customers.parquet"
key = "customer_id"

[record]
folder = "record"
"""

EVENT = {
    "payment_id": "p1",
    "at": "2018-06-01T10:00:00Z",
    "customer_id": 1,
    "amount": 20.0,
    "channel": "web",
}


def trained(folder: Path) -> None:
    """A model that finds large amounts of young customers suspicious."""
    rng = np.random.default_rng(7)
    amount, age = rng.uniform(0, 1000, 2000), rng.uniform(18, 80, 2000)
    fraud = (amount > 800) & (age < 40)
    table = pl.DataFrame({"amount": amount, "age": age, "fraud": fraud.astype(np.int64)})
    learner = learn.pipeline(
        learn.imputer(["age"], strategy="median"),
        learn.lightgbm_classifier(features=["amount", "age"], target="fraud", num_trees=20),
        learn.ecdf(into="prediction_ecdf"),
    )
    step, _, log = learner(table)
    vm.save(step, folder, sample=table, outputs=["prediction", "prediction_ecdf"], log=log)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "fraud"
    trained(folder)
    return folder


def write_project(folder: Path, model_folder: Path) -> None:
    """The user's project: a config, a module, a table, a model."""
    (folder / "payments.py").write_text(FEATURES, encoding="utf-8")
    (folder / "service.toml").write_text(CONFIG, encoding="utf-8")
    pl.DataFrame({"customer_id": [1, 2], "age": [30.0, 60.0]}).write_parquet(folder / "customers.parquet")
    (folder / "model").symlink_to(model_folder)


@pytest.fixture
def project(tmp_path, model_folder):
    """The user's project, in a folder of its own."""
    write_project(tmp_path, model_folder)
    return tmp_path


@pytest.fixture
def service(project):
    """The project's service, as a process on a free port."""
    with running_service(project / "service.toml") as service:
        yield service


class Reply:
    """What a request was answered with."""

    def __init__(self, status, body, headers):
        self.status, self.body, self.headers = status, body, headers

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]


def post(service, path, data, **headers):
    """POST JSON (or bytes as they are) to a service."""
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return send(
        urllib.request.Request(service.url + path, body, {"content-type": "application/json", **names})
    )


def get(service, path):
    """GET a path of a service."""
    return send(urllib.request.Request(service.url + path))


def send(request):
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return Reply(answer.status, answer.read(), answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, error.read(), error.headers)
