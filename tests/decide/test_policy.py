"""Policies: ordered rules that fail closed."""

import types

import pytest

from veredito.decide import Policy, Rule
from veredito.decide.reads import paths_read
from veredito.errors import PolicyError


def fraud(ecdf):
    return types.SimpleNamespace(prediction_ecdf=ecdf, prediction=ecdf / 1000)


policy = Policy(
    Rule("R1", when=lambda fraud: fraud.prediction_ecdf > 990, action="decline", reason="top 1 % risk"),
    Rule(
        "R2",
        when=lambda fraud, customer: customer is None and fraud.prediction_ecdf > 900,
        action="review",
        reason="risky, and nothing is known of the customer",
    ),
    otherwise="approve",
    score=lambda fraud: fraud.prediction,
)


class TestDecide:
    @pytest.mark.parametrize(
        ("ecdf", "customer", "action", "reasons"),
        [
            (995, "ana", "decline", ("top 1 % risk",)),
            (995, None, "decline", ("top 1 % risk",)),
            (950, None, "review", ("risky, and nothing is known of the customer",)),
            (950, "ana", "approve", ()),
            (10, None, "approve", ()),
        ],
    )
    def test_the_first_rule_that_holds_decides(self, ecdf, customer, action, reasons):
        """Order is precedence; `otherwise` when none holds."""
        decision = policy.decide({"fraud": fraud(ecdf), "customer": customer})

        assert (decision.action, decision.reasons, decision.source) == (action, reasons, "policy")
        assert decision.score == ecdf / 1000

    def test_rules_after_the_deciding_one_are_not_evaluated(self):
        """What is not needed never runs."""
        decision = policy.decide({"fraud": fraud(995), "customer": None})

        assert [(result.rule, result.fired) for result in decision.rules] == [("R1", True)]

    def test_each_rule_says_what_it_read(self):
        """The record needs the values, not the objects they came in."""
        decision = policy.decide({"fraud": fraud(950), "customer": None})

        assert [result.read for result in decision.rules] == [
            {"fraud.prediction_ecdf": 950},
            {"customer": None, "fraud.prediction_ecdf": 950},
        ]

    def test_a_rule_that_raises_fails_the_decision_and_is_named(self):
        """A rule that cannot be evaluated is not one that does not hold."""
        missing = types.SimpleNamespace(prediction_ecdf=None)

        with pytest.raises(TypeError) as caught:
            policy.decide({"fraud": missing, "customer": None})

        assert caught.value.__notes__ == ["while evaluating rule R1"]

    @pytest.mark.parametrize("value", [None, 1, "yes", []])
    def test_a_condition_that_is_no_bool_fails_the_decision(self, value):
        """Truthiness decides nothing."""
        truthy = Policy(Rule("R", when=lambda x: x, action="a", reason="r"), otherwise="b")

        with pytest.raises(PolicyError, match="rule R: the condition returned"):
            truthy.decide({"x": value})


class TestBuild:
    def test_all_that_is_wrong_with_a_rule_is_said(self):
        """Empty parts and an unusable condition, together."""
        with pytest.raises(PolicyError) as caught:
            Rule("R", when=lambda *nodes: True, action="", reason="")

        assert len(caught.value.problems) == 3

    def test_names_differ(self):
        """Two rules of one name cannot be told apart in a record."""
        rule = Rule("R", when=lambda x: x, action="a", reason="r")

        with pytest.raises(PolicyError, match="two rules share this name"):
            Policy(rule, rule, otherwise="b")

    def test_it_prints_and_lists_what_it_needs(self):
        """A policy is a value that can be read."""
        assert policy.needs == ("fraud", "customer")
        assert policy.actions == ("decline", "review", "approve")
        assert "R2(fraud, customer) → review" in repr(policy)

    def test_its_version_follows_its_rules(self):
        """Another reason is another version; the same rules are the same."""
        one = Policy(Rule("R", when=lambda x: x, action="a", reason="r"), otherwise="b")
        same = Policy(*one.rules, otherwise="b")
        other = Policy(Rule("R", when=lambda x: x, action="a", reason="s"), otherwise="b")

        assert one.version == same.version != other.version


def test_reads_follow_chains_calls_and_pairs():
    """Attribute chains are followed, methods are read up to the object, two loads in one count as two."""
    found = paths_read(lambda a, b, c: a.x.y > 1 and b == c and b.name.startswith("q"))

    assert set(found) >= {("a", "x", "y"), ("b",), ("c",)}
