"""What only veredito is measured for, in a process of its own: pure nodes, and building a large graph."""

import asyncio
import gc
import json
import time

from veredito import graph as vg

PURE = 300
RUNS = 300
BUILT = 10_000


def add(one, two):
    return (one + two) % 1_000_003  # so that the numbers stay small


def pure_node_us():
    """Microseconds of CPU for a pure node, over calling the same functions by hand in the same order."""
    nodes = [vg.Pure(f"n{at}", add, needs=_needs(at)) for at in range(PURE)]
    plan = vg.Graph([vg.input("a"), vg.input("b"), *nodes]).plan(f"n{PURE - 1}")
    inputs = {"a": 1, "b": 1}

    async def main():
        by_hand = _by_hand()
        if (await plan.arun(inputs)).value != by_hand(1, 1):
            raise SystemExit("the graph and the calls by hand differ")
        return await _interleaved(plan, inputs, by_hand)

    ours, theirs = asyncio.run(main())
    return (ours - theirs) / RUNS / PURE * 1e6


async def _interleaved(plan, inputs, by_hand):
    """The best of nine rounds of each, taken in turns."""
    ours, theirs = [], []
    for _ in range(9):
        gc.collect()
        began = time.process_time()
        for _ in range(RUNS):
            _ = (await plan.arun(inputs)).value
        between = time.process_time()
        for _ in range(RUNS):
            by_hand(1, 1)
        ended = time.process_time()
        ours.append(between - began)
        theirs.append(ended - between)
    return min(ours), min(theirs)


def _needs(at):
    """Each needs the two before it; the first two need the inputs."""
    names = ["a", "b", *(f"n{number}" for number in range(at))]
    return tuple(names[-2:])


def _by_hand():
    """The calls in order, as one would write them out."""
    lines = [f"    n{at} = add({', '.join(_needs(at))})" for at in range(PURE)]
    text = "\n".join(["def by_hand(a, b):", *lines, f"    return n{PURE - 1}"])
    scope = {"add": add}
    exec(compile(text, "<by hand>", "exec"), scope)
    return scope["by_hand"]


def build_ms():
    """Milliseconds of CPU to declare, check and plan 10,000 nodes: pure, effects, and a branch in ten."""

    async def fetch(one, two):
        return one + two

    def declare():
        nodes = [vg.value("n0", 1), vg.value("n1", 1), vg.value("yes", True)]
        for at in range(2, BUILT):
            needs = (f"n{at - 1}", f"n{at // 2}")
            if at % 10 == 0:
                nodes.append(vg.Choose(f"n{at}", "yes", *needs))
            elif at % 10 == 5:
                nodes.append(vg.Effect(f"n{at}", fetch, needs=needs))
            else:
                nodes.append(vg.Pure(f"n{at}", add, needs=needs))
        return vg.Graph(nodes)

    figures = []
    for _ in range(3):
        gc.collect()
        began = time.process_time()
        graph = declare()
        checked = time.process_time()
        graph.plan(f"n{BUILT - 1}")
        figures.append(((checked - began) * 1e3, (time.process_time() - checked) * 1e3))
    checked, planned = min(figures)
    return {"build_ms": checked, "plan_ms": planned}


if __name__ == "__main__":
    print(json.dumps({"pure_node_us": pure_node_us(), **build_ms()}))
