"""A loop on a thread of its own, for `async def` effects under engines that block."""

from __future__ import annotations

import asyncio
import functools
import threading


@functools.cache
def loop() -> asyncio.AbstractEventLoop:
    """The process's one background loop, started when first asked for. Its thread is a daemon."""
    made = asyncio.new_event_loop()
    threading.Thread(target=made.run_forever, name="veredito-graph-loop", daemon=True).start()
    return made
