"""A decision: what to do about an event, why, and who said so."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class RuleResult(msgspec.Struct, frozen=True, kw_only=True):
    """One rule as it was evaluated.

    Attributes:
        rule: its name.
        fired: whether its condition held.
        read: what the condition read, such as ``{"fraud.prediction_ecdf": 994.0}``.
    """

    rule: str
    fired: bool
    read: dict[str, Any]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one event.

    Attributes:
        action: what to do, in the policy's own words.
        reasons: why, for people.
        score: what the policy calls its score, if anything.
        source: ``policy``, ``pre_policy`` (no model was needed) or ``fallback`` (something failed).
        rules: the rules that were evaluated, in order; the last one decided if it fired.
    """

    action: str
    reasons: tuple[str, ...] = ()
    score: float | None = None
    source: Literal["policy", "pre_policy", "fallback"] = "policy"
    rules: tuple[RuleResult, ...] = ()
