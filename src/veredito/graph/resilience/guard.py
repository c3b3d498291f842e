"""The thin wrapper: does what the decision logic decided, in this order.

::

    cache ▸ single flight ▸ coalesce ▸ retry ▸ hedge ▸ breaker ▸ limit ▸ attempt timeout ▸ the call

A guard belongs to one event loop and serves one effect or one method of a source. It never waits for a call
that it has given up; such a call keeps its place under the limit until it has really ended.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, TypeAlias

from veredito.errors import OverloadedError, SourceError, VereditoError
from veredito.graph.reaper import LATE, reaper
from veredito.graph.resilience.batch import Coalescer
from veredito.graph.resilience.breaker import CircuitBreaker
from veredito.graph.resilience.cache import TimedCache
from veredito.graph.resilience.flight import Flights
from veredito.graph.resilience.hedge import Hedging
from veredito.graph.resilience.limiter import Limiter
from veredito.graph.resilience.load import Load
from veredito.graph.resilience.report import tell, told
from veredito.graph.resilience.settings import Policies
from veredito.types import Clock, Outcome, SystemClock

Call: TypeAlias = Callable[..., Awaitable[Any]]


class AttemptTimeoutError(SourceError, TimeoutError):
    """One attempt took longer than it was given."""


def guard(call: Call, policies: Policies, *, name: str = "", clock: Clock | None = None) -> Guard:
    """An async function under policies.

    Args:
        call: the function.
        policies: what was asked for.
        name: what messages call it.
        clock: where time comes from.

    Example:
        >>> import asyncio
        >>> from veredito.graph.resilience import Policies, Retry
        >>> tries = []
        >>> async def get(key):
        ...     tries.append(key)
        ...     if len(tries) == 1:
        ...         raise ConnectionError("reset")
        ...     return key.upper()
        >>> asyncio.run(guard(get, Policies(retry=Retry(attempts=2, backoff_ms=0)))("k")), tries
        ('K', ['k', 'k'])
    """
    return Guard(call, policies, name or getattr(call, "__qualname__", "call"), clock or SystemClock())


class Guard:
    """A call under policies; made by `guard`. Its parts are attributes, to be read for statistics.

    Args:
        call: the function.
        policies: what was asked for.
        name: what messages call it.
        clock: where time comes from.
    """

    def __init__(self, call: Call, policies: Policies, name: str, clock: Clock) -> None:
        self.call, self.policies, self.name, self.clock = call, policies, name, clock
        self.cache = TimedCache(policies.cache) if policies.cache else None
        self.flights = Flights() if policies.single_flight else None
        self.batches: Coalescer[_Held] | None = Coalescer(policies.coalesce) if policies.coalesce else None
        retry = policies.retry
        self.retries = Load(retry.share, retry.window_seconds, retry.burst) if retry else None
        self.hedging = Hedging(policies.hedge) if policies.hedge else None
        self.breaker = CircuitBreaker(policies.breaker) if policies.breaker else None
        self.limiter: Limiter[asyncio.Future[None]] | None = (
            Limiter(policies.limit) if policies.limit else None
        )
        self.attempts_total = 0
        self._timer: asyncio.TimerHandle | None = None

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function under the policies.

        Raises:
            BreakerOpenError: the breaker is open.
            OverloadedError: the limit is reached, and so is its queue.
            AttemptTimeoutError: the last attempt took too long.
            TypeError: the key of cache or single flight is not hashable.
        """
        if self.cache is None:
            return await self._shared(args, kwargs)
        key = self._key(args, kwargs)
        found = self.cache.get(key, self.clock.monotonic())
        if found.state == "fresh":
            tell(Outcome("cached", attempts=0))
            return found.value
        try:
            value = await self._shared(args, kwargs)
        except Exception:
            if found.state == "stale":
                tell(Outcome("cached", "stale"))
                return found.value
            raise
        self.cache.put(key, value, self.clock.monotonic())
        return value

    async def _shared(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self.flights is None:
            return await self._batched(args, kwargs)
        return await self.flights.share(self._key(args, kwargs), lambda: self._batched(args, kwargs))

    async def _batched(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self.batches is None:
            return await self._retried(args, kwargs)
        loop = asyncio.get_running_loop()
        held = _Held(args, kwargs, loop.create_future())
        now = self.clock.monotonic()
        if self.batches.add(held, now):
            self._send()
        elif self.batches.held == 1:
            self._timer = loop.call_later(self.batches.due - now, self._send)
        return await held.result

    def _send(self) -> None:
        """A batch goes out in a task of its own: it belongs to no single caller."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.batches is not None and (
            batch := [held for held in self.batches.take() if not held.result.done()]
        ):
            task = asyncio.ensure_future(
                self._retried(([held.args[0] for held in batch], *batch[0].args[1:]), batch[0].kwargs)
            )
            task.add_done_callback(lambda task: _hand_out(self.name, batch, task))
            for held in batch:
                held.result.add_done_callback(lambda _: _left(batch, task))

    async def _retried(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        retry, retries = self.policies.retry, self.retries
        if retry is None or retries is None:
            return await self._hedged(args, kwargs)
        retries.call(self.clock.monotonic())
        for attempt in range(1, retry.attempts + 1):
            try:
                value = await self._hedged(args, kwargs)
            except BreakerOpenError:
                raise  # asking again at once what was just refused makes it worse
            except Exception:
                if attempt == retry.attempts or not retries.take_extra(self.clock.monotonic()):
                    if attempt > 1:
                        tell(Outcome("failed", attempts=attempt))
                    raise
                await asyncio.sleep(retry.backoff_ms / 1e3 * 2 ** (attempt - 1) * (0.5 + random.random() / 2))
            else:
                if attempt > 1:
                    tell(Outcome("fresh", attempts=attempt))
                return value
        raise AssertionError("unreachable")

    async def _hedged(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        hedging = self.hedging
        if hedging is None:
            return await self._admitted(args, kwargs)
        began = self.clock.monotonic()
        hedging.load.call(began)
        tasks = [asyncio.ensure_future(self._admitted(args, kwargs))]
        try:
            if hedging.delay is not None:
                done, _ = await asyncio.wait(tasks, timeout=hedging.delay)
                if not done and hedging.may(self.clock.monotonic()):
                    tasks.append(asyncio.ensure_future(self._admitted(args, kwargs)))
                    tell(Outcome("fresh", attempts=2))
            value = await _first_good(tasks)
        except asyncio.CancelledError as gone:
            _detach(tasks, gone)
            raise
        finally:
            _detach(tasks)
        hedging.record(self.clock.monotonic() - began)
        return value

    async def _admitted(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        breaker = self.breaker
        if breaker is None:
            return await self._placed(args, kwargs)
        now = self.clock.monotonic()
        if not breaker.allows(now):
            raise BreakerOpenError(
                f"'{self.name}' keeps failing, and its breaker is open",
                retry_after_seconds=breaker.retry_after(now),
            )
        try:
            value = await self._placed(args, kwargs)
        except OverloadedError:
            breaker.given_up(self.clock.monotonic())  # our own limit says nothing about the other side
            raise
        except Exception:
            breaker.failed(self.clock.monotonic())
            raise
        except asyncio.CancelledError as gone:
            ended = breaker.failed if LATE in gone.args else breaker.given_up
            ended(self.clock.monotonic())
            raise
        breaker.succeeded(self.clock.monotonic())
        return value

    async def _placed(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The call itself, in its place under the limit, for as long as an attempt may take."""
        if self.limiter is not None:
            await self._wait_for_place(self.limiter)
        self.attempts_total += 1
        if self.limiter is None and self.policies.attempt_timeout_ms is None:
            return await self.call(*args, **kwargs)
        task: asyncio.Future[Any] = asyncio.ensure_future(self.call(*args, **kwargs))
        if self.limiter is not None:
            task.add_done_callback(lambda _: self._give_back())
        timeout_ms = self.policies.attempt_timeout_ms
        try:
            done, _ = await asyncio.wait([task], timeout=None if timeout_ms is None else timeout_ms / 1e3)
        except asyncio.CancelledError as gone:
            _detach([task], gone)
            raise
        if not done:
            reaper.detach(task, LATE)
            raise AttemptTimeoutError(f"an attempt of '{self.name}' took longer than {timeout_ms:g} ms")
        if note := told(task):
            tell(note)
        return task.result()

    async def _wait_for_place(self, limiter: Limiter[asyncio.Future[None]]) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        answer = limiter.ask(place)
        if answer == "refuse":
            raise OverloadedError(
                f"'{self.name}' has {limiter.in_flight} calls in flight and {limiter.waiting} waiting"
            )
        if answer == "wait":
            try:
                await place
            except asyncio.CancelledError:
                if not limiter.leave(place):
                    self._give_back()
                raise

    def _give_back(self) -> None:
        if self.limiter is None:
            return
        following = self.limiter.give_back()
        if following is not None and not following.done():
            following.set_result(None)

    def _key(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Hashable:
        key = (
            self.policies.key(*args, **kwargs) if self.policies.key else (args, tuple(sorted(kwargs.items())))
        )
        try:
            hash(key)
        except TypeError:
            raise TypeError(
                f"the arguments of '{self.name}' make no key for its cache or single flight: give key="
            ) from None
        return key


class BreakerOpenError(SourceError):
    """The breaker refused the call."""


class _Held:
    """One call that waits to go out in a batch."""

    __slots__ = ("args", "kwargs", "result")

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any], result: asyncio.Future[Any]) -> None:
        self.args, self.kwargs, self.result = args, kwargs, result


def _hand_out(name: str, batch: list[_Held], task: asyncio.Future[Any]) -> None:
    """Give every call of a batch its own result, or the batch's error."""
    waiting = [held for held in batch if not held.result.done()]
    error = asyncio.CancelledError() if task.cancelled() else task.exception()
    if error is None and len(task.result()) != len(batch):
        error = VereditoError(
            f"'{name}' was called with a batch of {len(batch)} and gave {len(task.result())} results"
        )
    for held in waiting:
        if error is not None:
            held.result.set_exception(error)
        else:
            held.result.set_result(task.result()[batch.index(held)])


def _left(batch: list[_Held], task: asyncio.Future[Any]) -> None:
    """When nobody waits for a batch any more, it is given up."""
    if all(held.result.done() for held in batch):
        reaper.detach(task, LATE)


def _detach(tasks: Sequence[asyncio.Future[Any]], gone: asyncio.CancelledError | None = None) -> None:
    """Give tasks up, for the reason for which their caller was."""
    for task in tasks:
        reaper.detach(task, *(gone.args if gone else ()))


async def _first_good(tasks: Sequence[asyncio.Future[Any]]) -> Any:
    """The first value that comes; the first task's error where all fail."""
    pending = set(tasks)
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if not task.cancelled() and task.exception() is None:
                if note := told(task):
                    tell(note)
                return task.result()
    return tasks[0].result()
