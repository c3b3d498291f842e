"""Every engine under one roof: a test that asks for `execute` runs on all of them."""

import pytest
from tests.graph.engines_under_test import ENGINES, execute_on


@pytest.fixture(params=ENGINES)
def engine(request):
    return request.param


@pytest.fixture
def execute(engine):
    def run(plan, inputs=None, sources=None, deadline=None):
        return execute_on(engine, plan, inputs, sources, deadline)

    return run
