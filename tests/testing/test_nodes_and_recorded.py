"""The public helpers for tests of decisions."""

import pytest

from veredito import graph as vg
from veredito.errors import GraphError, SourceError
from veredito.testing import VirtualClock, recorded, recorded_run, run_node


@vg.effect(timeout_ms=80, default=None)
async def customer(amount, crm):
    return await crm(amount)


@vg.pure
def verdict(amount, customer, customer_outcome: vg.Outcome):
    return amount, customer, str(customer_outcome)


class TestRunNode:
    def test_an_async_effect_runs_from_given_values(self):
        async def crm(amount):
            return {"amount": amount}

        assert run_node(customer, amount=3, crm=crm) == {"amount": 3}

    def test_an_outcome_can_be_given(self):
        outcome = vg.Outcome("default", "timeout")

        assert run_node(verdict, amount=1, customer=None, customer_outcome=outcome) == (
            1,
            None,
            "default(timeout)",
        )

    def test_a_branch_runs_from_given_values(self):
        choice = vg.choose("z", when="c", then="a", otherwise="b")

        assert run_node(choice, c=False, a=1, b=2) == 2

    def test_what_is_missing_is_named(self):
        with pytest.raises(GraphError, match="node 'verdict': needs 'amount'"):
            run_node(verdict, customer=None)

    def test_what_is_not_needed_is_refused_with_the_nearest_name(self):
        with pytest.raises(GraphError, match=r"does not need 'amuont'.*did you mean 'amount'"):
            run_node(verdict, amount=1, amuont=2, customer=None)


class TestRecorded:
    graph = vg.Graph([vg.input("amount"), customer, verdict], sources=["crm"])

    def test_effects_answer_with_what_they_gave(self):
        run = recorded(self.graph, {"customer": 7}).plan("verdict").run({"amount": 1})

        assert run.value == (1, 7, "fresh")

    def test_a_run_can_be_replayed_with_its_outcomes(self):
        async def down(amount):
            raise ConnectionError

        first = self.graph.plan("verdict").run({"amount": 1}, {"crm": down})
        again = recorded_run(first).plan("verdict").run({"amount": 1})

        assert again.value == first.value == (1, None, "default(ConnectionError)")
        assert again.outcomes["customer"] == first.outcomes["customer"]

    def test_what_was_not_recorded_fails_and_says_so(self):
        run = recorded(self.graph, {}).plan("verdict").run({"amount": 1})

        with pytest.raises(SourceError, match="'customer' has no recorded value"):
            _ = run.value

    def test_a_recorded_name_that_is_no_node_is_refused(self):
        with pytest.raises(GraphError, match="recorded 'custmer': no such node"):
            recorded(self.graph, {"custmer": 1})


def test_a_virtual_clock_passes_only_when_told_and_never_back():
    clock = VirtualClock(5.0)
    clock.advance(2.0)

    assert clock.monotonic() == 7.0
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1.0)
