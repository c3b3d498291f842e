"""The example's policy: who is declined, who is looked at, and why."""

from types import SimpleNamespace

import pytest
from policy import policy

CALM = {"card_lost": False, "customer_known": True, "device_reputation": 0.9, "terminal_risky": False}


def decide(calibrated=0.01, rank=500.0, **nodes):
    fraud = SimpleNamespace(calibrated=calibrated, prediction_ecdf=rank)
    return policy.decide(CALM | nodes | {"fraud": fraud})


@pytest.mark.parametrize(
    ("given", "action", "rule"),
    [
        ({}, "approve", None),
        ({"calibrated": 0.7, "rank": 999.0}, "decline", "R1"),
        ({"card_lost": True, "rank": 950.0}, "decline", "R2"),
        ({"card_lost": True}, "approve", None),
        ({"rank": 995.0}, "review", "R3"),
        ({"rank": 985.0, "customer_known": False}, "review", "R4"),
        ({"rank": 985.0}, "approve", None),
        ({"rank": 975.0, "device_reputation": 0.1}, "review", "R5"),
        ({"rank": 975.0, "device_reputation": None}, "approve", None),
        ({"rank": 975.0, "terminal_risky": True}, "review", "R5"),
    ],
)
def test_a_payment_is_decided_by_the_first_rule_that_holds(given, action, rule):
    """The model alone declines only what is likely fraud; what others say turns a risky payment over."""
    decision = decide(**given)

    fired = [result.rule for result in decision.rules if result.fired]
    assert (decision.action, fired) == (action, [rule] if rule else [])
    assert bool(decision.reasons) is (rule is not None)


def test_the_score_is_the_rank():
    """Callers see a number from 0 to 1000, not a raw output."""
    assert decide(rank=123.0).score == 123.0
