"""`each`: one function over the elements of a sequence, in order, in a line or concurrently."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from veredito.graph.reaper import reaper


def over_elements(function: Callable[..., Any]) -> Callable[..., list[Any]]:
    """The function over a sequence, one element after the other; after a failure none follows.

    Args:
        function: takes an element, then what it needs.

    Example:
        >>> over_elements(lambda item, rate: item * rate)([1, 2], 10)
        [10, 20]
    """

    @functools.wraps(function)
    def each(elements: Iterable[Any] | None, *args: Any, **kwargs: Any) -> list[Any]:
        results: list[Any] = []
        try:
            for element in elements or ():
                results.append(function(element, *args, **kwargs))  # noqa: PERF401 - its length is the index on failure
        except Exception as error:
            error.add_note(f"at element {len(results)}")
            raise
        return results

    return each


def aover_elements(function: Callable[..., Any], in_flight_max: int) -> Callable[..., Any]:
    """The async function over a sequence, so many at a time; results in order, whatever finishes first.

    None starts after a failure is known. The error is that of the first failing element in order, as it
    would be one after the other: elements start in order, so every earlier one has started by then.

    Args:
        function: takes an element, then what it needs.
        in_flight_max: how many elements run at a time.
    """

    async def each(elements: Iterable[Any] | None, *args: Any, **kwargs: Any) -> list[Any]:
        listed = list(elements or ())
        results: list[Any] = [None] * len(listed)
        errors: dict[int, BaseException] = {}
        following = iter(range(len(listed)))
        running: dict[int, asyncio.Task[None]] = {}

        async def work() -> None:
            for at in following:
                if errors:
                    return
                running[at] = asyncio.current_task()  # type: ignore[assignment]  # we are inside one
                try:
                    results[at] = await function(listed[at], *args, **kwargs)
                except Exception as error:  # noqa: BLE001 - re-raised below, with its index
                    errors[at] = error
                del running[at]

        workers = [asyncio.create_task(work()) for _ in range(min(in_flight_max, len(listed)))]
        try:
            await _until(workers, lambda: errors and min(errors) < min(running, default=len(listed)))
        except asyncio.CancelledError as gone:
            _give_up(workers, *gone.args)
            raise
        finally:
            _give_up(workers)
        if errors:
            first = min(errors)
            errors[first].add_note(f"at element {first}")
            raise errors[first]
        return results

    return each


def blocking(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, minding that it has not handed out a coroutine that nobody would await.

    Args:
        function: a plain function, run on a worker thread.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        value = function(*args, **kwargs)
        if inspect.iscoroutine(value):
            value.close()
            raise TypeError("the function gave a coroutine, and it is not declared with `async def`")
        return value

    return call


async def _until(workers: list[asyncio.Task[None]], enough: Callable[[], Any]) -> None:
    """Wait for the workers, or until what they have done is enough."""
    pending: set[asyncio.Task[None]] = set(workers)
    while pending and not enough():
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for worker in done:
            worker.result()


def _give_up(workers: list[asyncio.Task[None]], *why: str) -> None:
    for worker in workers:
        reaper.detach(worker, *why)
