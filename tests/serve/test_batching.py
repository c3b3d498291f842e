"""Batching: an idle model never waits, and nobody's trouble is anybody else's."""

import asyncio
import threading
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veredito.errors import DeadlineError, OutputError, OverloadedError
from veredito.serve.batching import Limits, LoopBatcher, Queue, ThreadBatcher, Ticket, measured, place_of


class Model:
    """A fake that doubles its rows, can be held, and fails on rows marked as bad."""

    def __init__(self):
        self.batches = []
        self.started = threading.Semaphore(0)
        self.free = threading.Semaphore(0)
        self.held = False

    def __call__(self, rows, stages):
        stages.add("model", 0.001)
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
    model.held = batcher.threaded
    first = asyncio.ensure_future(batcher.submit(["first"], later()))
    if batcher.threaded:
        await started(model)
    return first


def later(seconds=60):
    return monotonic() + seconds


@pytest.fixture(params=[LoopBatcher, ThreadBatcher], ids=["loop", "thread"])
def batcher(request, model):
    """Both kinds, each with what it has counted."""
    counted = []
    batcher = request.param(model, Limits(), counted.append)
    batcher.threaded, batcher.counted = request.param is ThreadBatcher, counted
    yield batcher
    batcher.close()


def release(model, times=8):
    model.held = False
    for _ in range(times):
        model.free.release()


class TestQueue:
    @given(st.lists(st.integers(1, 5), max_size=30), st.integers(1, 8))
    def test_every_ticket_is_taken_once_in_order(self, sizes, batch_rows_max):
        """Batches partition the tickets, keep their order and their limit."""
        queue = Queue(Limits(batch_rows_max=batch_rows_max, waiting_rows_max=1000))
        tickets = [Ticket([i] * size, 1.0, None) for i, size in enumerate(sizes)]
        for ticket in tickets:
            queue.offer(ticket)

        batches = []
        while batch := queue.take(now=0.0)[0]:
            batches.append(batch)

        assert [ticket for batch in batches for ticket in batch] == tickets
        assert all(len(batch) == 1 or sum(len(t.rows) for t in batch) <= batch_rows_max for batch in batches)
        assert queue.rows_waiting == 0

    def test_who_left_or_is_late_is_passed_over(self):
        """Nobody computes for the absent."""
        queue = Queue(Limits(batch_rows_max=10))
        gone, late, here = (
            Ticket([name], deadline, None) for name, deadline in [("g", 9.0), ("l", 1.0), ("h", 9.0)]
        )
        for ticket in (gone, late, here):
            queue.offer(ticket)
        gone.gone = True

        assert queue.take(now=1.0) == ([here], [late])

    def test_the_limit_refuses_with_its_reason(self):
        """A full queue says so at once."""
        queue = Queue(Limits(waiting_rows_max=2))
        queue.offer(Ticket(["a", "b"], 1.0, None))

        with pytest.raises(OverloadedError, match="2 rows wait"):
            queue.offer(Ticket(["c"], 1.0, None))

    @given(st.floats(1e-6, 10), st.integers(1, 300))
    def test_a_batch_takes_no_longer_than_it_may(self, row_seconds, offered):
        """By what rows have taken, a batch stays within its time; one row is always let through."""
        limits = Limits(batch_rows_max=256, batch_seconds_max=0.02, waiting_rows_max=300)
        queue = Queue(limits)
        queue.took(1, row_seconds)
        for i in range(offered):
            queue.offer(Ticket([i], 1.0, None))

        batch, _ = queue.take(now=0.0)

        assert len(batch) <= 256
        assert len(batch) == 1 or len(batch) * row_seconds <= 0.02 + 1e-9
        assert len(batch) in {offered, 256} or (len(batch) + 1) * row_seconds > 0.02


class TestBatcher:
    def test_rows_that_arrive_while_the_model_works_form_one_batch(self, model, batcher):
        """No timer: the first goes at once, the rest together."""

        async def scenario():
            first = await held_batch(model, batcher)
            rest = [asyncio.ensure_future(batcher.submit([name], later())) for name in "abc"]
            await asyncio.sleep(0)
            release(model)
            return [(await waiter).rows for waiter in (first, *rest)]

        assert run(scenario()) == [["firstfirst"], ["aa"], ["bb"], ["cc"]]
        assert model.batches == [["first"], ["a", "b", "c"]]
        assert batcher.counted == [1, 3]

    def test_a_caller_learns_where_the_time_of_its_batch_went(self, batcher):
        """The stages of a batch are everyone's who was in it."""

        async def scenario():
            return await asyncio.gather(*(batcher.submit([name], later()) for name in "ab"))

        assert [computed.stages.seconds["model"] for computed in run(scenario())] == [0.001, 0.001]

    @pytest.mark.parametrize("position", [0, 1, 2], ids=["first", "middle", "last"])
    @pytest.mark.parametrize("trouble", ["cancel", "deadline", "raises", "short", "dies"])
    def test_trouble_stays_with_whom_it_belongs_to(self, model, batcher, trouble, position):
        """Whatever happens to one of three callers, the other two get their own answers."""
        rows = ["a", "b", "c"]
        if trouble in {"raises", "short", "dies"}:
            rows[position] = trouble

        async def scenario():
            first = await held_batch(model, batcher)
            deadlines = [later(0.0 if trouble == "deadline" and i == position else 60) for i in range(3)]
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
            return results, await batcher.submit(["after"], later())

        results, after = run(scenario())

        expected = {
            "cancel": asyncio.CancelledError,
            "deadline": DeadlineError,
            "raises": ValueError,
            "short": OutputError,
            "dies": OutputError,
        }[trouble]
        assert isinstance(results.pop(position), expected)
        assert [r.rows for r in results] == [[row * 2] for i, row in enumerate(rows) if i != position]
        assert after.rows == ["afterafter"]

    @pytest.mark.parametrize("position", [0, 1, 2], ids=["first", "middle", "last"])
    @pytest.mark.parametrize("batcher", [ThreadBatcher], ids=["thread"], indirect=True)
    def test_a_caller_cancelled_while_its_batch_computes_harms_nobody(self, model, batcher, position):
        """The answers of the others still come, whichever one left."""

        async def scenario():
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
        assert [r.rows for r in results] == [[name * 2] for i, name in enumerate("abc") if i != position]

    @pytest.mark.parametrize("batcher", [ThreadBatcher], ids=["thread"], indirect=True)
    def test_a_deadline_holds_while_the_model_works(self, model, batcher):
        """The caller is told in time, and the model's late answer reaches nobody."""

        async def scenario():
            model.held = True
            with pytest.raises(DeadlineError):
                await batcher.submit(["late"], later(0.01))
            release(model)
            return await batcher.submit(["next"], later())

        assert run(scenario()).rows == ["nextnext"]

    @settings(max_examples=40, deadline=None)
    @given(
        st.lists(
            st.lists(st.sampled_from(["a", "b", "c", "raises", "short", "dies"]), min_size=1, max_size=3),
            max_size=10,
        ),
        st.integers(1, 5),
        st.sampled_from([LoopBatcher, ThreadBatcher]),
    )
    def test_in_any_mixture_everyone_gets_what_is_their_own(self, callers, batch_rows_max, kind):
        """Whoever's rows are good has their answers, and nobody else's; nobody waits for ever."""
        batcher = kind(Model(), Limits(batch_rows_max=batch_rows_max), lambda _: None)

        async def scenario():
            waiters = [batcher.submit(rows, later()) for rows in callers]
            return await asyncio.gather(*waiters, return_exceptions=True)

        results = run(scenario())
        batcher.close()

        for rows, result in zip(callers, results, strict=True):
            if {"raises", "short", "dies"} & set(rows):
                assert isinstance(result, ValueError | OutputError)
            else:
                assert result.rows == [row * 2 for row in rows]

    def test_too_many_rows_are_refused_and_the_rest_answered(self, model):
        """The limit of the queue holds for callers, too."""
        batcher = LoopBatcher(model, Limits(waiting_rows_max=2), lambda _: None)

        async def scenario():
            waiters = [batcher.submit([name], later()) for name in "abcd"]
            return await asyncio.gather(*waiters, return_exceptions=True)

        *answered, refused = run(scenario())

        assert [computed.rows for computed in answered] == [["aa"], ["bb"], ["cc"]]
        assert isinstance(refused, OverloadedError)


class TestPlace:
    @pytest.mark.parametrize(
        ("alone_us", "together_us", "place"),
        [
            (20, 15, "inline"),
            (95, 45, "loop"),
            (620, 12, "loop"),
            (4000, 90, "thread"),
            (4000, 4000, "thread"),
        ],
    )
    def test_a_model_works_where_its_callers_wait_least(self, alone_us, together_us, place):
        """Cheap rows at once, rows that gain in batches together, and slow ones off the loop."""
        assert place_of(alone_us / 1e6, together_us / 1e6) == place

    def test_what_is_measured_is_the_time_of_a_row(self):
        """A model that only counts its calls is cheaper by the row in a batch."""
        calls = []

        alone, together = measured(calls.append, ["a", "b"])

        assert {len(rows) for rows in calls} == {1, 16}
        assert together >= 0
        assert alone >= 0
