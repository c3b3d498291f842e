"""Worker threads for blocking effects: bounded, and refused quickly when all are taken and enough wait.

They are daemons: a call that never returns must not keep the process from ending. The standard library's
executor joins its threads at exit, and would wait for what nobody waits for any more.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeAlias

from veredito.errors import OverloadedError

THREADS_MAX = 32  # blocking clients hold a connection each; pools are seldom larger
WAITING_MAX = 1_024  # a second's worth at 1 ms each: beyond, waiting only makes late answers

_Call: TypeAlias = "tuple[concurrent.futures.Future[Any], Callable[..., Any], tuple[Any, ...]]"


class Workers:
    """A bounded pool of threads, started as they are needed.

    Args:
        threads_max: how many calls run at a time.
        waiting_max: how many more may wait for a thread.
    """

    def __init__(self, threads_max: int = THREADS_MAX, waiting_max: int = WAITING_MAX) -> None:
        self.threads_max = threads_max
        self.waiting_max = waiting_max
        self._taken = 0
        self._threads = 0
        self._lock = threading.Lock()
        self._calls: queue.SimpleQueue[_Call] = queue.SimpleQueue()

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
            if self._threads < min(self._taken, self.threads_max):
                self._threads += 1
                threading.Thread(target=self._work, name="veredito-effect", daemon=True).start()
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self._calls.put((future, function, args))
        return future

    async def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """The same, awaited. A cancelled caller ends when the thread does: until then the call is in flight.

        Raises:
            OverloadedError: all threads are taken and `waiting_max` calls wait.
        """
        started = self.start(function, *args)
        future = asyncio.wrap_future(started)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if not started.cancel():
                await asyncio.wait([future])
            raise

    def _work(self) -> None:
        while True:
            future, function, args = self._calls.get()
            if future.set_running_or_notify_cancel():
                try:
                    result = function(*args)
                except BaseException as error:  # noqa: BLE001 - whoever waits for the future gets it
                    self._give_back()
                    future.set_exception(error)
                else:
                    self._give_back()
                    future.set_result(result)
                    del result
            else:
                self._give_back()
            del future, function, args  # a waiting thread keeps nothing alive

    def _give_back(self) -> None:
        with self._lock:
            self._taken -= 1


workers = Workers()
"""The process's worker threads."""
