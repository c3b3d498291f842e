"""fklearn in an environment of its own: it needs an older pandas than the one we test with."""

import os
from pathlib import Path

import pytest
from bench.environments import FKLEARN_PINS, PEERS, make_environment

ROOT = Path(__file__).parents[2]


def python_with_fklearn():
    """Its Python; made where CI requires everything, and skipped where it is not there."""
    made = ROOT / PEERS / "fklearn" / ".made"
    if not made.exists() and not os.environ.get("VEREDITO_REQUIRE"):
        pytest.skip("fklearn's environment is not there: make bench makes it, and so does VEREDITO_REQUIRE=1")
    return ROOT / make_environment("fklearn", FKLEARN_PINS)
