"""The pre-policy: the cheap question that comes first, and the answer when nothing more is needed."""

from __future__ import annotations

import msgspec

from veredito.decide.decision import Decision


class PrePolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which node asks, and what is decided when it says no.

    Attributes:
        node: a node that gives a bool: whether features, model and policy apply to this event.
        otherwise: the action when they do not.
        reason: why, for the person who asks.
    """

    node: str
    otherwise: str
    reason: str = "not applicable"

    @property
    def preliminary(self) -> Decision:
        """The decision when the policy does not apply."""
        return Decision(action=self.otherwise, reasons=(self.reason,), source="pre_policy")
