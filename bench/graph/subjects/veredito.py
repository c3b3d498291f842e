"""veredito, as a service uses it: every effect has a timeout and a default, every run a deadline."""

from bench.graph.workload import LAYERS, WIDTH, effect, needs
from veredito import graph as vg

GENEROUS_MS = 60_000.0  # a busy machine must not turn the measurement into one of defaults


def make(latencies):
    nodes = [
        vg.Effect(
            f"e{layer}_{at}",
            effect(layer, latencies[layer][at]),
            needs=tuple(f"e{layer - 1}_{need}" for need in needs(layer, at)),
            timeout_ms=GENEROUS_MS / LAYERS,
            default=None,
        )
        for layer in range(LAYERS)
        for at in range(WIDTH)
    ]
    answer = vg.Pure(
        "answer", lambda *last: sum(last), needs=tuple(f"e{LAYERS - 1}_{at}" for at in range(WIDTH))
    )
    plan = vg.Graph([*nodes, answer]).plan("answer", deadline_ms=GENEROUS_MS)

    async def run():
        return (await plan.arun({})).value

    return run
