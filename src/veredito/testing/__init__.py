"""For tests of decisions and learners: a clock turned by hand, recorded effects, nodes, checks. Names only."""

from veredito.testing.clock import VirtualClock
from veredito.testing.learners import check_learner, yield_checks
from veredito.testing.nodes import run_node
from veredito.testing.recorded import recorded, recorded_run

__all__ = ["VirtualClock", "check_learner", "recorded", "recorded_run", "run_node", "yield_checks"]
