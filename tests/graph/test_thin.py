"""The decision of the design's front page, on every engine."""

import asyncio

import pytest

from veredito import graph as vg


@vg.effect(timeout_ms=60_000, default=None)
async def customer(amount, crm):
    await asyncio.sleep(0)
    return await crm(amount)


@vg.pure
def features(amount, customer):
    return {"amount": amount, "customer": customer}


@vg.pure
def applicable(amount):
    return amount >= 1


@pytest.fixture
def plan():
    decision = vg.choose(
        "decision", when=applicable, then="features", otherwise=vg.value("preliminary", "approve")
    )
    return vg.Graph([vg.input("amount"), customer, features, decision], sources=["crm"]).plan(
        "decision", deadline_ms=90_000
    )


async def crm(amount):
    return f"customer of {amount}"


def test_an_arm_that_is_taken_brings_its_effects_along(execute, plan):
    run = execute(plan, {"amount": 5}, {"crm": crm})

    assert run.value == {"amount": 5, "customer": "customer of 5"}


def test_an_arm_that_is_not_taken_costs_nothing(execute, plan):
    run = execute(plan, {"amount": 0}, {"crm": None})

    assert run.value == "approve"
    assert run.outcomes["customer"].kind == "skipped"


def test_a_failing_effect_with_a_default_says_so(execute, plan):
    run = execute(plan, {"amount": 5}, {"crm": None})

    assert run.value == {"amount": 5, "customer": None}
    assert str(run.outcomes["customer"]) == "default(TypeError)"
