"""A loop on a thread of its own, for `async def` effects under engines that block."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import threading
from collections.abc import Callable
from typing import Any

from veredito.graph.reaper import LATE, reaper
from veredito.graph.resilience.report import told
from veredito.types import Outcome


@functools.cache
def loop() -> asyncio.AbstractEventLoop:
    """The process's one background loop, started when first asked for. Its thread is a daemon."""
    made = asyncio.new_event_loop()
    threading.Thread(target=made.run_forever, name="veredito-graph-loop", daemon=True).start()
    return made


def start(
    call: Callable[..., Any], note: Callable[[Outcome], None], *args: Any, **kwargs: Any
) -> concurrent.futures.Future[Any]:
    """Run an async function there.

    Args:
        call: the function.
        note: told, before the future is done, how the value came to be, where a guard has something to tell.
        *args: for the function.
        **kwargs: for the function.
    """

    async def noted() -> Any:
        task = asyncio.ensure_future(call(*args, **kwargs))
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:  # its budget is over, and the engine has stopped waiting
            reaper.detach(task, LATE)
            raise
        if outcome := told(task):
            note(outcome)
        return task.result()

    return asyncio.run_coroutine_threadsafe(noted(), loop())
