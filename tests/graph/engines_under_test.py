"""The engines that every behaviour is tested on, behind one call."""

import asyncio

ENGINES = ["serial", "asyncio", "threads"]


def execute_on(engine, plan, inputs=None, sources=None, deadline=None):
    """One run of a plan on the engine of this name."""
    if engine == "asyncio":
        return asyncio.run(plan.arun(inputs or {}, sources or {}, deadline))
    return plan.run(inputs or {}, sources or {}, engine=engine, deadline=deadline)
