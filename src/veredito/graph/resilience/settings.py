"""What can be asked of an effect or a source under stress. Plain settings, readable from a config table."""

from __future__ import annotations

import msgspec


class Policies(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All policies of one effect or source; what is `None` is off."""
