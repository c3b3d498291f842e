"""Worker threads are bounded, and never in the way."""

import asyncio
import subprocess
import sys
import threading

import pytest

from veredito.errors import OverloadedError
from veredito.graph.workers import Workers

HANGS = """
import threading
from veredito import graph as vg

node = vg.Effect("slow", threading.Event().wait, needs=(), timeout_ms=5, default="default")
print(vg.Graph([node]).plan("slow").run(engine=ENGINE).value)
"""


@pytest.mark.parametrize("engine", ["serial", "threads"])
def test_a_call_that_never_returns_does_not_keep_the_process(engine):
    ran = subprocess.run(
        [sys.executable, "-c", HANGS.replace("ENGINE", repr(engine))],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (ran.returncode, ran.stdout) == (0, "default\n")


def test_never_more_threads_than_allowed_and_a_full_queue_refuses_at_once():
    free, most, running = threading.Event(), [], set()

    def work(number):
        running.add(number)
        most.append(len(running))
        free.wait(30)
        running.discard(number)
        return number

    workers = Workers(threads_max=2, waiting_max=1)
    calls = [workers.start(work, number) for number in range(3)]
    with pytest.raises(OverloadedError, match=r"3 blocking effects run or wait \(limit 2 \+ 1\)"):
        workers.start(work, 3)
    free.set()

    assert [call.result(30) for call in calls] == [0, 1, 2]
    assert max(most) <= 2


def test_a_call_that_was_cancelled_while_it_waited_never_runs():
    free, ran = threading.Event(), []
    workers = Workers(threads_max=1)
    first = workers.start(free.wait, 30)
    second = workers.start(ran.append, 2)
    assert second.cancel()
    free.set()
    first.result(30)

    assert workers.start(lambda: list(ran)).result(30) == []


def test_a_cancelled_caller_ends_when_its_thread_does():
    async def main():
        free, begun = threading.Event(), threading.Event()

        def work():
            begun.set()
            free.wait(30)

        task = asyncio.ensure_future(Workers().call(work))
        await asyncio.to_thread(begun.wait, 30)
        task.cancel()
        await asyncio.sleep(0)
        in_flight = not task.done()
        free.set()
        await asyncio.wait([task])
        return in_flight, task.cancelled()

    assert asyncio.run(main()) == (True, True)


def test_an_error_arrives_as_it_was_raised():
    def work():
        raise LookupError("boom")

    with pytest.raises(LookupError, match="boom"):
        Workers().start(work).result(30)
