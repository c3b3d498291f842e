"""For tests of decisions: a clock that is turned by hand, recorded effects, single nodes. Names only."""

from veredito.testing.clock import VirtualClock
from veredito.testing.nodes import run_node
from veredito.testing.recorded import recorded, recorded_run

__all__ = ["VirtualClock", "recorded", "recorded_run", "run_node"]
