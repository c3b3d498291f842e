"""What one writes by hand: gather a layer, then the next. No deadline, no defaults, no trace."""

import asyncio

from bench.graph.workload import LAYERS, WIDTH, effect, needs


def make(latencies):
    effects = [[effect(layer, seconds) for seconds in latencies[layer]] for layer in range(LAYERS)]
    pairs = [[needs(layer, at) for at in range(WIDTH)] for layer in range(LAYERS)]

    async def run():
        values = await asyncio.gather(*[one() for one in effects[0]])
        for layer in range(1, LAYERS):
            values = await asyncio.gather(
                *[one(values[a], values[b]) for one, (a, b) in zip(effects[layer], pairs[layer], strict=True)]
            )
        return sum(values)

    return run
