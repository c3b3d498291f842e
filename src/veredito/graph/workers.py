"""Worker threads for blocking effects: bounded, and refused quickly when all are taken and enough wait."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from typing import Any

from veredito.errors import OverloadedError

THREADS_MAX = 32  # blocking clients hold a connection each; pools are seldom larger
WAITING_MAX = 1_024  # a second's worth at 1 ms each: beyond, waiting only makes late answers


class Workers:
    """A bounded pool of threads.

    Args:
        threads_max: how many calls run at a time.
        waiting_max: how many more may wait for a thread.
    """

    def __init__(self, threads_max: int = THREADS_MAX, waiting_max: int = WAITING_MAX) -> None:
        self.threads_max = threads_max
        self.waiting_max = waiting_max
        self._taken = 0
        self._lock = threading.Lock()
        self._pool: concurrent.futures.ThreadPoolExecutor | None = None

    @property
    def taken(self) -> int:
        """How many calls run or wait now, those that nobody waits for included."""
        return self._taken

    def start(self, function: Callable[..., Any], *args: Any) -> concurrent.futures.Future[Any]:
        """Run a function on a thread.

        Raises:
            OverloadedError: all threads are taken and `waiting_max` calls wait.
        """
        with self._lock:
            if self._taken >= self.threads_max + self.waiting_max:
                raise OverloadedError(
                    f"{self._taken} blocking effects run or wait (limit {self.threads_max} + {self.waiting_max})"
                )
            self._taken += 1
            if self._pool is None:
                self._pool = concurrent.futures.ThreadPoolExecutor(self.threads_max, "veredito-effect")
            future = self._pool.submit(function, *args)
        future.add_done_callback(self._release)
        return future

    def submit(
        self, loop: asyncio.AbstractEventLoop, function: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """The same, as a future of the loop."""
        return asyncio.wrap_future(self.start(function, *args), loop=loop)

    def _release(self, _: concurrent.futures.Future[Any]) -> None:
        with self._lock:
            self._taken -= 1


workers = Workers()
"""The process's worker threads."""
