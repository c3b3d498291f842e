"""One figure of one subject, in a process of its own: python -m bench.graph.measure SUBJECT CASE.

It prints one JSON object. Only the subject's own library is imported, so peers run in their environments.
"""

import asyncio
import gc
import importlib
import json
import os
import sys
import time
from pathlib import Path

from bench.graph.workload import ANSWER, LAYER_MS, even, ragged

TOGETHER = 200
IN_FLIGHT = 1_000  # waiting at once, for memory


def subject(name, latencies):
    return importlib.import_module(f"bench.graph.subjects.{name}").make(latencies)


def cpu(name):
    """CPU of one run in microseconds, of 200 at a time that have nothing to wait for; the best of five."""
    run = subject(name, even(None))

    async def main():
        await _together(run, TOGETHER)  # warm
        figures = []
        for _ in range(5):
            gc.collect()
            began = time.process_time()
            await _together(run, TOGETHER)
            figures.append((time.process_time() - began) / TOGETHER * 1e6)
        return {"cpu_us_per_run": min(figures)}

    return asyncio.run(main())


def alone(name):
    """One run at a time, every effect 100 ms: the best and the median of five, in milliseconds."""
    return asyncio.run(_one_by_one(subject(name, even(LAYER_MS / 1e3)), 5))


def together(name):
    """200 runs at a time, every effect 100 ms: milliseconds until the last answer, the best of three."""
    run = subject(name, even(LAYER_MS / 1e3))

    async def main():
        await run()
        return {"wall_ms": min([await _timed(_together(run, TOGETHER)) for _ in range(3)])}

    return asyncio.run(main())


def stragglers(name):
    """One run at a time, latencies ragged: the best and the median of five, in milliseconds."""
    return asyncio.run(_one_by_one(subject(name, ragged()), 5))


def memory(name):
    """Kilobytes that one run in flight holds: 1,000 wait in their first layer, and the process has grown."""
    run = subject(name, even(60.0))

    async def main():
        tasks = [asyncio.ensure_future(run())]
        await asyncio.sleep(0.05)  # what is made once is made by now
        gc.collect()
        before = _resident_kb()
        tasks += [asyncio.ensure_future(run()) for _ in range(IN_FLIGHT)]
        await asyncio.sleep(1.0)  # all of them wait in their first layer
        grown = _resident_kb() - before
        print(json.dumps({"kb_per_run": grown / IN_FLIGHT}), flush=True)
        os._exit(0)  # the figure is taken: cancelling a thousand runs would only make noise

    asyncio.run(main())


async def _together(run, count):
    answers = await asyncio.gather(*[run() for _ in range(count)])
    if set(answers) != {ANSWER}:
        raise SystemExit(f"wrong answers: {sorted(set(answers), key=repr)}, not {ANSWER}")


async def _timed(work):
    began = time.perf_counter()
    await work
    return (time.perf_counter() - began) * 1e3


async def _one_by_one(run, rounds):
    await _together(run, 1)
    figures = sorted([await _timed(_together(run, 1)) for _ in range(rounds)])
    return {"wall_ms": figures[0], "median_ms": figures[rounds // 2]}


def _resident_kb():
    """The process's resident memory."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))


CASES = {
    "cpu": cpu,
    "alone": alone,
    "together": together,
    "stragglers": stragglers,
    "memory": memory,
}

if __name__ == "__main__":
    print(json.dumps(CASES[sys.argv[2]](sys.argv[1])))
