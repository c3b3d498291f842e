"""Every engine under one roof: a test that asks for `execute` runs on all of them."""

import asyncio

import pytest

ENGINES = ["serial", "asyncio"]


def execute_on(engine, plan, inputs=None, sources=None, deadline=None):
    """One run of a plan on the engine of this name."""
    if engine == "asyncio":
        return asyncio.run(plan.arun(inputs or {}, sources or {}, deadline))
    return plan.run(inputs or {}, sources or {}, engine=engine, deadline=deadline)


@pytest.fixture(params=ENGINES)
def engine(request):
    return request.param


@pytest.fixture
def execute(engine):
    def run(plan, inputs=None, sources=None, deadline=None):
        return execute_on(engine, plan, inputs, sources, deadline)

    return run
