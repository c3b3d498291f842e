"""The decision logic under stress, on a clock that is turned by hand."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veredito.graph.resilience.batch import Coalescer
from veredito.graph.resilience.breaker import CircuitBreaker
from veredito.graph.resilience.cache import TimedCache
from veredito.graph.resilience.hedge import Hedging
from veredito.graph.resilience.limiter import Limiter
from veredito.graph.resilience.load import Load
from veredito.graph.resilience.settings import Breaker, Cache, Coalesce, Hedge, Limit
from veredito.testing import VirtualClock


class TestLoad:
    def test_extra_calls_stay_within_their_share_of_the_window(self):
        load = Load(share=0.1, window_seconds=10.0)
        for at in range(100):
            load.call(at / 10)

        assert sum(load.take_extra(9.9) for _ in range(50)) == 10

    def test_what_is_older_than_the_window_no_longer_counts(self):
        load = Load(share=0.1, window_seconds=10.0)
        for _ in range(100):
            load.call(0.0)

        assert not load.take_extra(10.5)

    def test_a_burst_is_allowed_whatever_the_share(self):
        load = Load(share=0.1, burst=2)

        assert [load.take_extra(0.0) for _ in range(3)] == [True, True, False]

    @given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=300))
    def test_never_more_extra_calls_than_the_share_of_all_calls(self, events):
        load, calls, extra = Load(share=0.25), 0, 0
        for now, is_call in sorted(events):
            if is_call:
                load.call(now)
                calls += 1
            else:
                extra += load.take_extra(now)

        assert extra <= 0.25 * calls


class TestBreaker:
    def breaker(self, **settings):
        return CircuitBreaker(Breaker(**settings), jitter=random.Random(1)), VirtualClock()

    def test_failures_in_a_row_open_it(self):
        breaker, clock = self.breaker(failures=5)
        for _ in range(5):
            assert breaker.allows(clock.monotonic())
            breaker.failed(clock.monotonic())

        assert breaker.state == "open"
        assert not breaker.allows(clock.monotonic())

    def test_a_success_between_failures_keeps_it_closed(self):
        breaker, clock = self.breaker(failures=2)
        for _ in range(9):  # below the calls at which the share counts
            breaker.failed(clock.monotonic())
            breaker.succeeded(clock.monotonic())

        assert breaker.state == "closed"

    def test_too_small_a_share_of_successes_opens_it(self):
        breaker, clock = self.breaker(failures=100, success_min=0.8, calls_min=20)
        for at in range(20):
            clock.advance(0.1)
            (breaker.failed if at % 4 == 0 else breaker.succeeded)(clock.monotonic())

        assert breaker.state == "open"

    def test_old_failures_leave_the_window(self):
        breaker, clock = self.breaker(failures=100, calls_min=5, window_seconds=10.0)
        for _ in range(4):
            breaker.failed(clock.monotonic())
        clock.advance(11.0)
        for _ in range(5):
            breaker.succeeded(clock.monotonic())

        assert breaker.state == "closed"

    def test_one_probe_goes_through_after_the_pause_and_closes_it(self):
        breaker, clock = self.breaker(failures=1, pause_seconds=4.0)
        breaker.failed(clock.monotonic())
        clock.advance(4.0)

        assert [breaker.allows(clock.monotonic()) for _ in range(3)] == [True, False, False]
        breaker.succeeded(clock.monotonic())
        assert breaker.state == "closed"

    def test_a_failed_probe_doubles_the_pause_up_to_its_limit(self):
        breaker, clock = self.breaker(failures=1, pause_seconds=4.0, pause_seconds_max=8.0)
        pauses = []
        for _ in range(4):
            breaker.failed(clock.monotonic())
            pauses.append(breaker.retry_after(clock.monotonic()))
            clock.advance(8.0)
            assert breaker.allows(clock.monotonic())

        assert 2.0 <= pauses[0] <= 4.0
        assert all(4.0 <= pause <= 8.0 for pause in pauses[1:])

    def test_a_probe_that_was_given_up_leaves_its_place(self):
        breaker, clock = self.breaker(failures=1, pause_seconds=1.0)
        breaker.failed(clock.monotonic())
        clock.advance(1.0)
        assert breaker.allows(clock.monotonic())
        breaker.given_up(clock.monotonic())

        assert breaker.allows(clock.monotonic())

    @given(
        st.lists(st.tuples(st.sampled_from(["ask", "well", "ill", "gone"]), st.floats(0, 3)), max_size=200)
    )
    def test_never_two_probes_at_a_time(self, events):
        breaker, clock, probes = CircuitBreaker(Breaker(failures=1, pause_seconds=1.0)), VirtualClock(), 0
        for event, seconds in events:
            clock.advance(seconds)
            now = clock.monotonic()
            if event == "ask":
                was = breaker.state
                if breaker.allows(now) and was != "closed":
                    probes += 1
                    assert probes == 1
            elif breaker.state == "probing":
                {"well": breaker.succeeded, "ill": breaker.failed, "gone": breaker.given_up}[event](now)
                probes = 0
            elif event == "ill":
                breaker.failed(now)


class TestLimiter:
    def test_places_go_to_the_longest_waiting(self):
        limiter = Limiter(Limit(in_flight_max=1, waiting_max=2))

        assert [limiter.ask(who) for who in "abcd"] == ["go", "wait", "wait", "refuse"]
        assert [limiter.give_back(), limiter.give_back(), limiter.give_back()] == ["b", "c", None]
        assert limiter.in_flight == 0

    @given(st.lists(st.sampled_from(["ask", "back", "leave"]), max_size=200), st.integers(1, 5))
    def test_never_more_in_flight_than_the_limit(self, events, most):
        limiter, flying, waiting = Limiter(Limit(in_flight_max=most, waiting_max=3)), set(), []
        for at, event in enumerate(events):
            if event == "ask":
                answer = limiter.ask(at)
                if answer == "go":
                    flying.add(at)
                elif answer == "wait":
                    waiting.append(at)
            elif event == "back" and flying:
                flying.pop()
                following = limiter.give_back()
                if following is not None:
                    assert following == waiting.pop(0)
                    flying.add(following)
            elif event == "leave" and waiting:
                assert limiter.leave(waiting.pop())

            assert len(flying) == limiter.in_flight <= most
            assert len(waiting) == limiter.waiting


class TestCache:
    def test_null_results_have_a_life_of_their_own(self):
        cache = TimedCache(Cache(ttl_ms=1000, negative_ttl_ms=100))
        cache.put("found", 1, now=0.0)
        cache.put("nothing", None, now=0.0)

        assert [
            cache.get("nothing", 0.05).state,
            cache.get("nothing", 0.2).state,
            cache.get("found", 0.2).state,
        ] == ["fresh", "miss", "fresh"]

    def test_the_least_recently_used_goes_first(self):
        cache = TimedCache(Cache(ttl_ms=1000, entries_max=2))
        cache.put("a", 1, now=0.0)
        cache.put("b", 2, now=0.0)
        cache.get("a", 0.1)
        cache.put("c", 3, now=0.2)

        assert [cache.get(key, 0.3).state for key in "abc"] == ["fresh", "miss", "fresh"]


class TestHedging:
    def test_the_delay_is_the_live_percentile(self):
        hedging = Hedging(Hedge(samples_min=100))
        for at in range(100):
            hedging.record(at / 1000)

        assert hedging.delay == pytest.approx(0.095)

    def test_no_delay_is_known_before_there_are_samples_and_none_is_below_the_floor(self):
        hedging = Hedging(Hedge(samples_min=10, floor_ms=1.0))
        for _ in range(9):
            hedging.record(0.0001)
        assert hedging.delay is None
        hedging.record(0.0001)

        assert hedging.delay == 0.001

    def test_the_extra_load_is_bounded(self):
        hedging = Hedging(Hedge(share=0.02))
        for _ in range(100):
            hedging.load.call(0.0)

        assert sum(hedging.may(0.0) for _ in range(10)) == 2


class TestCoalescer:
    def test_a_batch_goes_when_full_or_when_its_first_call_was_held_long_enough(self):
        batches = Coalescer(Coalesce(hold_ms=2.0, batch_max=2))

        assert not batches.add("a", now=1.0)
        assert batches.due == pytest.approx(1.002)
        assert batches.add("b", now=1.001)
        assert batches.take() == ["a", "b"]
        assert batches.held == 0
