"""Decisions: the pre-policy that needs no model, and the policy that turns nodes into an action."""

from veredito.decide.decision import Decision, RuleResult
from veredito.decide.policy import Policy, Rule
from veredito.decide.pre_policy import PrePolicy

__all__ = ["Decision", "Policy", "PrePolicy", "Rule", "RuleResult"]
