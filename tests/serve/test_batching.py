"""Batching: an idle model never waits, and nobody's trouble is anybody else's."""

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veredito.errors import DeadlineError, OutputError, OverloadedError
from veredito.serve.batching import Batcher, Queue, Ticket


class Model:
    """A fake that doubles its rows, can be held, and fails on rows marked as bad."""

    def __init__(self):
        self.batches = []
        self.started = threading.Semaphore(0)
        self.free = threading.Semaphore(0)
        self.held = False

    def __call__(self, rows):
        self.batches.append(rows)
        self.started.release()
        if self.held:
            assert self.free.acquire(timeout=30)
        if "raises" in rows:
            message = "cannot score"
            raise ValueError(message)
        if "dies" in rows:
            raise SystemExit
        answers = [row * 2 for row in rows]
        return answers[:-1] if "short" in rows else answers


@pytest.fixture
def model():
    return Model()


def run(scenario):
    return asyncio.run(asyncio.wait_for(scenario, 30))


async def started(model):
    await asyncio.to_thread(model.started.acquire)


async def held_batch(model, batcher):
    """Occupy the model with a first row, so that what comes next has to gather."""
    model.held = True
    first = asyncio.ensure_future(batcher.submit(["first"], later()))
    await started(model)
    return first


def later():
    return asyncio.get_running_loop().time() + 60


def release(model, times=8):
    model.held = False
    for _ in range(times):
        model.free.release()


class TestQueue:
    @given(st.lists(st.integers(1, 5), max_size=30), st.integers(1, 8))
    def test_every_ticket_is_taken_once_in_order(self, sizes, batch_rows_max):
        """Batches partition the tickets, keep their order and their limit."""
        queue = Queue(batch_rows_max=batch_rows_max, waiting_rows_max=1000)
        tickets = [Ticket([i] * size, 1.0, None) for i, size in enumerate(sizes)]
        for ticket in tickets:
            queue.offer(ticket)

        batches = []
        while batch := queue.take(now=0.0):
            batches.append(batch)

        assert [ticket for batch in batches for ticket in batch] == tickets
        assert all(len(batch) == 1 or sum(len(t.rows) for t in batch) <= batch_rows_max for batch in batches)
        assert queue.statistics().rows_waiting == 0

    def test_who_left_or_is_late_is_passed_over(self):
        """Nobody computes for the absent."""
        queue = Queue(batch_rows_max=10, waiting_rows_max=10)
        gone, late, here = (
            Ticket([name], deadline, None) for name, deadline in [("g", 9.0), ("l", 1.0), ("h", 9.0)]
        )
        for ticket in (gone, late, here):
            queue.offer(ticket)
        gone.gone = True

        assert queue.take(now=1.0) == [here]
        assert queue.statistics().expired == 2

    def test_the_limit_refuses_with_its_reason(self):
        """A full queue says so at once."""
        queue = Queue(batch_rows_max=1, waiting_rows_max=2)
        queue.offer(Ticket(["a", "b"], 1.0, None))

        with pytest.raises(OverloadedError, match="2 rows wait"):
            queue.offer(Ticket(["c"], 1.0, None))


class TestBatcher:
    def test_rows_that_arrive_while_the_model_works_form_one_batch(self, model):
        """No timer: the first goes at once, the rest together."""

        async def scenario():
            batcher = Batcher(model)
            first = await held_batch(model, batcher)
            rest = [asyncio.ensure_future(batcher.submit([name], later())) for name in "abc"]
            await asyncio.sleep(0)
            release(model)
            return [await first, *[await waiter for waiter in rest]]

        assert run(scenario()) == [["firstfirst"], ["aa"], ["bb"], ["cc"]]
        assert model.batches == [["first"], ["a", "b", "c"]]

    @pytest.mark.parametrize("position", [0, 1, 2], ids=["first", "middle", "last"])
    @pytest.mark.parametrize("trouble", ["cancel", "deadline", "raises", "short", "dies"])
    def test_trouble_stays_with_whom_it_belongs_to(self, model, trouble, position):
        """Whatever happens to one of three callers, the other two get their own answers."""
        rows = ["a", "b", "c"]
        if trouble in {"raises", "short", "dies"}:
            rows[position] = trouble

        async def scenario():
            batcher = Batcher(model)
            first = await held_batch(model, batcher)
            now = asyncio.get_running_loop().time()
            deadlines = [now + (0.01 if trouble == "deadline" and i == position else 60) for i in range(3)]
            waiters = [
                asyncio.ensure_future(batcher.submit([r], d)) for r, d in zip(rows, deadlines, strict=True)
            ]
            await asyncio.sleep(0)
            if trouble == "cancel":
                waiters[position].cancel()
            if trouble == "deadline":
                await asyncio.wait([waiters[position]])
            release(model)
            await first
            results = await asyncio.gather(*waiters, return_exceptions=True)
            after = await batcher.submit(["after"], later())
            batcher.close()
            return results, after

        results, after = run(scenario())

        expected = {
            "cancel": asyncio.CancelledError,
            "deadline": DeadlineError,
            "raises": ValueError,
            "short": OutputError,
            "dies": OutputError,
        }[trouble]
        assert isinstance(results.pop(position), expected)
        assert results == [[row * 2] for i, row in enumerate(rows) if i != position]
        assert after == ["afterafter"]

    @pytest.mark.parametrize("position", [0, 1, 2], ids=["first", "middle", "last"])
    def test_a_caller_cancelled_while_its_batch_computes_harms_nobody(self, model, position):
        """The answers of the others still come, whichever one left."""

        async def scenario():
            batcher = Batcher(model)
            first = await held_batch(model, batcher)
            waiters = [asyncio.ensure_future(batcher.submit([name], later())) for name in "abc"]
            await asyncio.sleep(0)
            model.free.release()
            await first
            await started(model)
            waiters[position].cancel()
            release(model)
            return await asyncio.gather(*waiters, return_exceptions=True)

        results = run(scenario())

        assert isinstance(results.pop(position), asyncio.CancelledError)
        assert results == [[name * 2] for i, name in enumerate("abc") if i != position]
