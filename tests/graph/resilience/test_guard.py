"""The guard does what was decided: no sleeping, events instead."""

import asyncio
import contextlib
import gc
import threading

import msgspec
import pytest

from veredito import graph as vg
from veredito.errors import GraphError, OverloadedError, SourceError
from veredito.graph.reaper import reaper
from veredito.graph.resilience import (
    AttemptTimeoutError,
    Breaker,
    Cache,
    Coalesce,
    Hedge,
    Limit,
    Policies,
    Retry,
    guard,
)
from veredito.testing import VirtualClock


class Remote:
    """A fake source: fails as often as it is told to, hangs where told to, and counts."""

    def __init__(self, failures=0, hang=()):
        self.failures, self.hang = failures, set(hang)
        self.calls, self.in_flight, self.most = 0, 0, 0

    async def get(self, key):
        self.calls += 1
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            if self.calls in self.hang:
                await asyncio.Event().wait()
            await asyncio.sleep(0)
            if self.failures:
                self.failures -= 1
                raise ConnectionError("reset")
            return None if key == "unknown" else f"value of {key}"
        finally:
            self.in_flight -= 1


def run(main):
    return asyncio.run(main())


class TestRetry:
    def test_a_failure_is_tried_again(self):
        remote = Remote(failures=1)

        assert run(lambda: guard(remote.get, Policies(retry=Retry(backoff_ms=0)))("k")) == "value of k"
        assert remote.calls == 2

    def test_the_last_error_is_the_answer(self):
        remote = Remote(failures=5)

        with pytest.raises(ConnectionError):
            run(lambda: guard(remote.get, Policies(retry=Retry(attempts=3, backoff_ms=0, burst=5)))("k"))
        assert remote.calls == 3

    def test_retries_are_paid_from_a_budget_that_all_calls_share(self):
        remote = Remote(failures=100)
        get = guard(remote.get, Policies(retry=Retry(attempts=2, backoff_ms=0, share=0.1, burst=0)))

        async def main():
            for _ in range(50):
                with pytest.raises(ConnectionError):
                    await get("k")

        run(main)

        assert remote.calls == 50 + 5

    def test_each_attempt_has_a_time_of_its_own(self):
        remote = Remote(hang={1})
        get = guard(remote.get, Policies(attempt_timeout_ms=5, retry=Retry(backoff_ms=0)))

        assert run(lambda: get("k")) == "value of k"

    def test_an_attempt_that_is_too_slow_says_so(self):
        with pytest.raises(AttemptTimeoutError, match=r"an attempt of '.*get' took longer than 5 ms"):
            run(lambda: guard(Remote(hang={1}).get, Policies(attempt_timeout_ms=5))("k"))


class TestBreaker:
    def test_an_open_breaker_refuses_without_a_call_until_its_pause_is_over(self):
        remote, clock = Remote(failures=3), VirtualClock()
        get = guard(remote.get, Policies(breaker=Breaker(failures=3, pause_seconds=10.0)), clock=clock)

        async def main():
            for _ in range(3):
                with pytest.raises(ConnectionError):
                    await get("k")
            with pytest.raises(SourceError, match="keeps failing, and its breaker is open") as caught:
                await get("k")
            assert 5.0 <= caught.value.retry_after_seconds <= 10.0
            clock.advance(10.0)
            return await get("k")

        assert run(main) == "value of k"
        assert remote.calls == 4

    def test_effects_over_their_budget_open_the_breaker_on_every_engine(self, engine):
        remote = Remote(hang=range(100))
        node = vg.effect(timeout_ms=2, default=None, breaker=Breaker(failures=2))(remote.get)
        plan = vg.Graph([vg.value("key", "k"), node]).plan("get")

        async def main():
            return [str((await plan.arun({})).outcomes["get"]) for _ in range(3)]

        def found():
            if engine == "asyncio":
                return run(main)
            return [str(plan.run(engine=engine).outcomes["get"]) for _ in range(3)]

        assert found() == ["default(timeout)", "default(timeout)", "default(BreakerOpenError)"]
        assert remote.calls == 2


class TestLimit:
    @pytest.mark.parametrize("limit", [1, 3])
    def test_never_more_in_flight_than_the_limit(self, limit):
        remote = Remote()
        get = guard(remote.get, Policies(limit=Limit(in_flight_max=limit)))

        async def main():
            return await asyncio.gather(*(get(key) for key in range(50)))

        assert len(run(main)) == 50
        assert remote.most == limit

    def test_a_full_queue_refuses_at_once(self):
        get = guard(Remote().get, Policies(limit=Limit(in_flight_max=1, waiting_max=1)))

        async def main():
            return await asyncio.gather(*(get(key) for key in range(3)), return_exceptions=True)

        assert [type(answer) for answer in run(main)] == [str, str, OverloadedError]

    def test_a_call_that_was_given_up_keeps_its_place_until_it_ends(self):
        """The limit is the dependency's protection: it counts what runs, not what is waited for."""

        async def main():
            free, ended, before = asyncio.Event(), asyncio.Event(), reaper.detached_total

            async def stubborn(key):
                while not free.is_set():
                    with contextlib.suppress(asyncio.CancelledError):
                        await free.wait()
                ended.set()

            get = guard(stubborn, Policies(attempt_timeout_ms=2, limit=Limit(in_flight_max=1, waiting_max=0)))
            with pytest.raises(AttemptTimeoutError):
                await get("k")
            with pytest.raises(OverloadedError):
                await get("k")
            assert reaper.detached_total == before + 1
            free.set()
            await ended.wait()
            await asyncio.sleep(0)
            return get.limiter.in_flight

        assert run(main) == 0

    def test_it_holds_for_a_node_on_every_engine(self, execute):
        remote = Remote()
        nodes = [vg.effect(name=f"n{at}", limit=Limit(in_flight_max=2))(remote.get) for at in range(4)]
        each = vg.each(
            "all", over="keys", function=guard(remote.get, Policies(limit=Limit(in_flight_max=2))), needs=()
        )
        g = vg.Graph([vg.value("keys", range(20)), vg.value("key", "k"), *nodes, each])

        assert execute(g.plan("all")).value == [f"value of {key}" for key in range(20)]
        assert remote.most == 2

    def test_a_blocking_call_that_was_given_up_keeps_its_place_too(self):
        """Its thread still talks to the dependency."""
        free = threading.Event()
        node = vg.effect(
            name="slow", timeout_ms=5, default=None, limit=Limit(in_flight_max=1, waiting_max=0)
        )(lambda: free.wait(30))
        plan = vg.Graph([node]).plan("slow")

        async def main():
            return [str((await plan.arun({})).outcomes["slow"]) for _ in range(2)]

        try:
            assert run(main) == ["default(timeout)", "default(OverloadedError)"]
        finally:
            free.set()


class TestCache:
    def test_a_result_is_kept_and_the_outcome_says_so(self, execute):
        remote = Remote()
        node = vg.effect(name="crm", cache=Cache(ttl_ms=60_000))(remote.get)
        plan = vg.Graph([vg.value("key", "k"), node]).plan("crm")

        async def twice():
            return [await plan.arun({}), await plan.arun({})]

        first, second = asyncio.run(twice())
        assert (first.value, second.value, remote.calls) == ("value of k", "value of k", 1)
        assert [str(run.outcomes["crm"]) for run in (first, second)] == ["fresh", "cached"]

    def test_a_stale_result_stands_in_for_a_failure(self):
        remote, clock = Remote(), VirtualClock()
        get = guard(remote.get, Policies(cache=Cache(ttl_ms=1000, stale_ms=5000)), clock=clock)

        async def main():
            await get("k")
            clock.advance(2.0)
            remote.failures = 1
            return await get("k")

        assert run(main) == "value of k"
        assert remote.calls == 2

    def test_arguments_that_make_no_key_are_named_with_the_way_out(self):
        with pytest.raises(TypeError, match="make no key for its cache or single flight: give key="):
            run(lambda: guard(Remote().get, Policies(cache=Cache(ttl_ms=1)))({"un": "hashable"}))

    def test_a_key_function_makes_them_one(self):
        remote = Remote()
        get = guard(remote.get, Policies(cache=Cache(ttl_ms=60_000), key=lambda event: event["id"]))

        async def main():
            await get({"id": 1, "at": 1})
            await get({"id": 1, "at": 2})

        run(main)
        assert remote.calls == 1


class TestSingleFlight:
    def test_concurrent_calls_with_one_key_share_one_call(self):
        remote = Remote()
        get = guard(remote.get, Policies(single_flight=True))

        async def main():
            return await asyncio.gather(*(get(key) for key in "aabab"))

        assert run(main) == [f"value of {key}" for key in "aabab"]
        assert remote.calls == 2

    def test_the_call_outlives_the_caller_who_began_it(self):
        """Whoever has more time left gets the answer."""

        async def main():
            free = asyncio.Event()

            async def wait(key):
                await free.wait()
                return "answer"

            get = guard(wait, Policies(single_flight=True))
            hasty, patient = asyncio.ensure_future(get("k")), asyncio.ensure_future(get("k"))
            await asyncio.sleep(0)
            hasty.cancel()
            await asyncio.sleep(0)
            free.set()
            return await patient

        assert run(main) == "answer"

    def test_a_call_that_nobody_waits_for_is_given_up(self):
        async def main():
            begun, ended = asyncio.Event(), asyncio.Event()

            async def hang(key):
                begun.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    ended.set()

            get = guard(hang, Policies(single_flight=True))
            task = asyncio.ensure_future(get("k"))
            await begun.wait()
            task.cancel()
            await ended.wait()
            return len(get.flights)

        assert run(main) == 0


class TestCoalesce:
    def test_concurrent_calls_become_one_in_order(self):
        batches = []

        async def get_many(keys, table):
            batches.append(keys)
            return [f"{table}.{key}" for key in keys]

        get = guard(get_many, Policies(coalesce=Coalesce(hold_ms=1, batch_max=3)))

        async def main():
            return await asyncio.gather(*(get(key, "t") for key in "abcd"))

        assert run(main) == ["t.a", "t.b", "t.c", "t.d"]
        assert batches == [["a", "b", "c"], ["d"]]

    def test_a_failing_batch_fails_all_its_calls(self):
        async def get_many(keys):
            raise ConnectionError

        get = guard(get_many, Policies(coalesce=Coalesce(batch_max=2)))

        async def main():
            return await asyncio.gather(get("a"), get("b"), return_exceptions=True)

        assert [type(answer) for answer in run(main)] == [ConnectionError, ConnectionError]

    def test_a_batch_of_the_wrong_size_is_said(self):
        async def get_many(keys):
            return [1]

        get = guard(get_many, Policies(coalesce=Coalesce(batch_max=2)), name="crm")

        async def main():
            return await asyncio.gather(get("a"), get("b"), return_exceptions=True)

        assert str(run(main)[0]) == "'crm' was called with a batch of 2 and gave 1 results"


class TestHedge:
    def test_a_second_call_answers_where_the_first_hangs(self):
        remote = Remote(hang={51})
        get = guard(remote.get, Policies(hedge=Hedge(samples_min=50, share=1.0)))

        async def main():
            for _ in range(50):
                await get("k")
            return await get("k")

        assert run(main) == "value of k"
        assert remote.calls == 52

    def test_the_failure_of_the_call_that_lost_is_nobodys_news(self):
        """Both end at once, one with the answer: the loop has no error left to report."""
        calls, answered, reported = 0, asyncio.Event(), []

        async def get(key):
            nonlocal calls
            calls += 1
            number = calls
            if number == 51:
                await answered.wait()
            if number == 52:
                answered.set()
                await asyncio.sleep(0)
                raise ConnectionError("reset")
            return "value"

        guarded = guard(get, Policies(hedge=Hedge(samples_min=50, share=1.0)))

        async def main():
            asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
            for _ in range(50):
                await guarded("k")
            value = await guarded("k")
            gc.collect()
            return value

        assert run(main) == "value"
        assert calls == 52
        assert reported == []


class TestOnNodes:
    def test_attempts_are_told_on_every_engine(self, execute):
        node = vg.effect(name="crm", retry=Retry(backoff_ms=0))(Remote(failures=1).get)
        run = execute(vg.Graph([vg.value("key", "k"), node]).plan("crm"))

        assert run.value == "value of k"
        assert run.outcomes["crm"].attempts == run.trace.to_dict()["nodes"]["crm"]["attempts"] == 2

    def test_a_blocking_function_may_have_policies_too(self, execute):
        calls = []

        def get(key):
            calls.append(key)
            if len(calls) == 1:
                raise ConnectionError
            return "value"

        node = vg.effect(name="crm", retry=Retry(backoff_ms=0))(get)

        assert execute(vg.Graph([vg.value("key", "k"), node]).plan("crm")).value == "value"

    def test_an_unknown_policy_is_refused(self):
        with pytest.raises(
            GraphError, match=r"there is no policy 'retries'; available: attempt_timeout_ms, retry"
        ):
            vg.effect(retries=3)(Remote().get)

    def test_a_guarded_source_tells_the_effect_that_calls_it(self, execute):
        crm = guard(Remote(failures=1).get, Policies(retry=Retry(backoff_ms=0)))

        async def customer(key, crm):
            return await crm(key)

        g = vg.Graph([vg.value("key", "k"), vg.effect(customer)], sources=["crm"])

        assert execute(g.plan("customer"), {}, {"crm": crm}).outcomes["customer"].attempts == 2


def test_policies_are_checked_when_they_are_read():
    """A config table with a wrong value or key never becomes a policy."""
    assert (
        msgspec.convert({"retry": {"attempts": 3}, "limit": {"in_flight_max": 8}}, Policies).retry.attempts
        == 3
    )
    with pytest.raises(msgspec.ValidationError, match="unknown field `attemps`"):
        msgspec.convert({"retry": {"attemps": 3}}, Policies)
    with pytest.raises(msgspec.ValidationError, match="in_flight_max"):
        msgspec.convert({"limit": {"in_flight_max": 0}}, Policies)
