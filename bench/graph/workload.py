"""The work that every subject does: 32 effects in 4 layers of 8, each but the first needs two of the layer before.

An effect waits for its latency and gives the sum of its needs and one; the answer is the sum of the last layer.
A latency of `None` is one turn of the loop: an effect that has nothing to wait for, and still waits.
"""

import asyncio
import random

LAYERS, WIDTH = 4, 8
LAYER_MS = 100.0
ANSWER = 120
RAGGED_SEED = 3


def needs(layer, at):
    """The numbers of the two effects of the layer before."""
    return () if layer == 0 else (at, (at + 1) % WIDTH)


def effect(layer, seconds):
    """One effect, as an async function of its needs."""

    async def first():
        await asyncio.sleep(seconds or 0)
        return 1

    async def later(one, two):
        await asyncio.sleep(seconds or 0)
        return one + two + 1

    return later if layer else first


def even(seconds):
    """The same latency everywhere."""
    return [[seconds] * WIDTH for _ in range(LAYERS)]


def ragged():
    """Latencies of 20 to 180 ms, drawn from a seed: some layers wait for one straggler."""
    chance = random.Random(RAGGED_SEED)
    return [[chance.uniform(0.02, 0.18) for _ in range(WIDTH)] for _ in range(LAYERS)]


def critical_seconds(latencies):
    """The longest chain of latencies: nobody can be faster."""
    before = [0.0] * WIDTH
    for layer, row in enumerate(latencies):
        before = [
            max((before[need] for need in needs(layer, at)), default=0.0) + own for at, own in enumerate(row)
        ]
    return max(before)


def layered_seconds(latencies):
    """Every layer's slowest, added up: what gathering layer after layer takes."""
    return sum(max(row) for row in latencies)
