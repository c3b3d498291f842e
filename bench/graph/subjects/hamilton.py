"""Hamilton's async driver, built as its documentation shows: functions of a module, one driver for all runs."""

import inspect
import sys
import types

from hamilton import async_driver

from bench.graph.workload import LAYERS, WIDTH, effect, needs


def make(latencies):
    module = sys.modules["bench_workload"] = types.ModuleType("bench_workload")
    for layer in range(LAYERS):
        for at in range(WIDTH):
            names = [f"e{layer - 1}_{need}" for need in needs(layer, at)]
            _add(module, f"e{layer}_{at}", names, effect(layer, latencies[layer][at]))
    last = [f"e{LAYERS - 1}_{at}" for at in range(WIDTH)]
    _add(module, "answer", last, lambda *values: sum(values))
    built = []

    async def run():
        if not built:  # it is built on the loop, once
            built.append(await async_driver.Builder().with_modules(module).build())
        return (await built[0].execute(["answer"]))["answer"]

    return run


def _add(module, name, needed, function):
    """A function as Hamilton reads them: named, annotated, and of this module."""
    parameters = ", ".join(f"{need}: int" for need in needed)
    waits = inspect.iscoroutinefunction(function)
    text = (
        f"{'async ' * waits}def {name}({parameters}) -> int:\n"
        f"    return {'await ' * waits}_{name}({', '.join(needed)})\n"
    )
    scope = {f"_{name}": function, "__name__": module.__name__}
    exec(compile(text, f"<{name}>", "exec"), scope)
    setattr(module, name, scope[name])
