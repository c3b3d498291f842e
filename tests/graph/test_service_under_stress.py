"""A service whose dependency hangs, fails, or slows tenfold keeps its deadline, with the declared defaults.

The dependency is the example's feature services, as a process of its own; it is stopped in the middle, made to
fail, and made slow. The decision service is a process too, and is asked over HTTP.
"""

import contextlib
import json
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from veredito.testing.service import running_service

EXAMPLE = Path(__file__).parents[2] / "examples" / "card_fraud"
DEADLINE_MS, TIMEOUT_MS, NORMAL_MS = 4_000, 600, 100
NODES = ("customer", "card", "terminal", "device")

FEATURES = f"""
import msgspec

from veredito import graph as vg
from veredito.decide import Policy, Rule


class Payment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    customer_id: int


payment = vg.input("payment", Payment)


@vg.effect(timeout_ms={TIMEOUT_MS}, default=None)
async def customer(payment, crm):
    return await crm.get(payment.customer_id)


@vg.effect(timeout_ms={TIMEOUT_MS}, default=None)
async def card(payment, cards):
    return await cards.get(payment.customer_id)


@vg.effect(timeout_ms={TIMEOUT_MS}, default=None)
async def terminal(payment, terminals):
    return await terminals.get(payment.customer_id)


@vg.effect(timeout_ms={TIMEOUT_MS}, default=None)
async def device(customer, payment, devices):
    return await devices.get(payment.customer_id)


@vg.pure
def known(customer, card, terminal, device):
    return sum(part is not None for part in (customer, card, terminal, device))


policy = Policy(
    Rule("R1", when=lambda known: known == 0, action="review", reason="nothing is known"),
    otherwise="approve",
    score=lambda known: float(known),
)
"""

CONFIG = """
[service]
name = "under-stress"
deadline_ms = {deadline_ms}

[decision]
inputs = "stressed:Payment"
graph = "stressed"
policy = "stressed:policy"
fallback = {{ action = "decline", reason = "no decision could be made" }}

[sources.crm]
kind = "http"
url = "{url}/customers/{{key}}"

[sources.cards]
kind = "http"
url = "{url}/cards/{{key}}"
attempt_timeout_ms = 250
retry = {{ attempts = 2 }}

[sources.terminals]
kind = "http"
url = "{url}/terminals/{{key}}"
breaker = {{}}

[sources.devices]
kind = "http"
url = "{url}/devices/{{key}}"
hedge = {{}}
"""


class FeatureServices:
    """The example's process, on one port, with manners that can be changed by starting it again."""

    def __init__(self, port):
        self.port, self.process = port, None

    def behave(self, *manners):
        from company import wait_until_live

        self.stop()
        self.process = subprocess.Popen(
            [sys.executable, EXAMPLE / "services.py", "--port", str(self.port), "--spread", "0", "--tail", "0",
             "--unknown", "0", "--errors", "0", *manners]
        )  # fmt: skip
        wait_until_live(f"http://127.0.0.1:{self.port}/livez", self.process)

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)


@pytest.fixture(scope="module")
def services():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLE))
        from company import free_port

        running = FeatureServices(free_port())
        running.behave("--median-ms", str(NORMAL_MS))
        try:
            yield running
        finally:
            running.stop()


@pytest.fixture(scope="module")
def service(services, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stressed")
    (folder / "stressed.py").write_text(FEATURES, encoding="utf-8")
    url = f"http://127.0.0.1:{services.port}"
    (folder / "service.toml").write_text(CONFIG.format(url=url, deadline_ms=DEADLINE_MS), encoding="utf-8")
    with running_service(folder / "service.toml") as running:
        yield running


def decide(service, **headers):
    """One decision, and how many milliseconds it took."""
    request = urllib.request.Request(
        service.url + "/v1/decide",
        json.dumps({"customer_id": 7}).encode(),
        {"content-type": "application/json", **headers},
    )
    began = time.monotonic()
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer), (time.monotonic() - began) * 1e3


def metrics(service):
    """Every sample by its name and labels."""
    with urllib.request.urlopen(service.url + "/metrics", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}


@contextlib.contextmanager
def hanging(services):
    """Connections are taken, and nothing is answered."""
    services.behave("--median-ms", str(NORMAL_MS))
    services.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        services.process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def failing(services):
    """Every answer is a 503."""
    services.behave("--errors", "1")
    yield


@contextlib.contextmanager
def gone(services):
    """Nobody listens any more."""
    services.behave()
    services.stop()
    yield


@contextlib.contextmanager
def slow(services):
    """Ten times as slow as usual: slower than any effect may be."""
    services.behave("--median-ms", str(10 * NORMAL_MS))
    yield


def test_while_all_is_well_everything_is_known(service, services):
    """The dependency as it should be: no default stands in."""
    services.behave("--median-ms", "1")
    answer, _ = decide(service)

    assert (answer["action"], answer["score"], answer["source"]) == ("approve", 4.0, "policy")


@pytest.mark.parametrize("fault", [hanging, failing, gone, slow], ids=lambda fault: fault.__name__)
def test_the_deadline_holds_with_the_declared_defaults(service, services, fault):
    """The policy answers from defaults, before the deadline; the fallback is not needed."""
    before = metrics(service)
    with fault(services):
        answer, took_ms = decide(service)
    after = metrics(service)

    assert (answer["action"], answer["score"], answer["source"]) == ("review", 0.0, "policy")
    assert answer["reasons"] == ["nothing is known"]
    assert took_ms < DEADLINE_MS
    for node in NODES:
        label = f'veredito_node_outcomes_total{{node="{node}",outcome="default"}}'
        assert after[label] == before.get(label, 0) + 1


def test_a_caller_in_a_hurry_gets_the_defaults_by_then(service, services):
    """The caller's own deadline is shorter than any timeout: what is not there by then is a default."""
    with hanging(services):
        answer, took_ms = decide(service, **{"x-request-timeout-ms": "50"})

    assert (answer["action"], answer["source"]) == ("review", "policy")
    assert took_ms < TIMEOUT_MS


def test_what_was_given_up_is_counted_in_the_metrics(service, services):
    """An operator sees that effects do not come back."""
    before = metrics(service)["veredito_effects_given_up_total"]
    with hanging(services):
        decide(service, **{"x-request-timeout-ms": "50"})

    assert metrics(service)["veredito_effects_given_up_total"] > before
    assert metrics(service)["veredito_effects_detached"] >= 0
