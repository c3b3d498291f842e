"""A task that takes its first step at once.

Many effects finish without waiting (a cache, a table in memory, a window): a task costs them two turns of
the loop for nothing. A `Stepper` runs its coroutine up to the first wait right away, and then drives it as
asyncio's own `Task` does. It uses the calls that asyncio documents for third-party tasks, so inside the
coroutine `current_task`, `timeout` and task groups are its own, not its caller's. Python 3.12's eager tasks
would do; 3.11 has none, and its end is reported by a plain call here, which spares one more turn.
"""

from __future__ import annotations

import asyncio
import contextvars
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Callable, Coroutine
from typing import Any

from veredito.types import Outcome


def leave_current(loop: asyncio.AbstractEventLoop) -> asyncio.Task[Any] | None:
    """Step out of the current task, so that steppers can be the current one in their turn; it, for `return_to`."""
    caller = asyncio.current_task(loop)
    if caller is not None:
        _leave_task(loop, caller)
    return caller


def return_to(loop: asyncio.AbstractEventLoop, caller: asyncio.Task[Any] | None) -> None:
    """Step back into the task that was current."""
    if caller is not None:
        _enter_task(loop, caller)


_future = asyncio.Future.__init__  # a `super()` for every effect costs more than its work


class Stepper(asyncio.Future[Any]):
    """Drives one coroutine on the running loop.

    Args:
        coroutine: not yet started.
        loop: the running loop.
        context: the variables that it sees; its own, since contexts cannot be entered twice.
        unit: what it stands for.
    """

    __slots__ = (
        "_context",
        "_coroutine",
        "_driver",
        "_fut_waiter",
        "_must_cancel",
        "_report",
        "_unit",
        "veredito_outcome",
    )
    _cancels_requested = 0
    _message: tuple[Any, ...] = ()

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Any],
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context,
        unit: int,
    ) -> None:
        _future(self, loop=loop)
        self._coroutine = coroutine
        self._driver = loop
        self._context = context
        self._report: Callable[[int, Any, Outcome | None], object] | None = None
        self._unit = unit
        self.veredito_outcome: Outcome | None = None  # where a guard tells: see `resilience.report`
        # asyncio's names: libraries that know tasks well look at these two.
        self._must_cancel = False
        self._fut_waiter: asyncio.Future[Any] | None = None

    def start(self, report: Callable[[int, Any, Outcome | None], object]) -> bool:
        """Take the first step; whether that was the last one too. No task may be current: see `leave_current`.

        Args:
            report: called when it ends later, with the unit, the stepper, and what a guard has told.
        """
        ended = self._context.run(self._step)
        self._report = report
        return ended

    def cancel(self, msg: Any | None = None) -> bool:
        """Ask it to stop; as `asyncio.Task.cancel`."""
        if self.done():
            return False
        self._cancels_requested += 1
        if self._fut_waiter is None or not self._fut_waiter.cancel(msg=msg):
            self._must_cancel = True
            self._message = () if msg is None else (msg,)
        return True

    def cancelling(self) -> int:
        """How many requests to cancel are pending; as `asyncio.Task.cancelling`."""
        return self._cancels_requested

    def uncancel(self) -> int:
        """Take one request to cancel back; as `asyncio.Task.uncancel`."""
        self._cancels_requested = max(0, self._cancels_requested - 1)
        return self._cancels_requested

    def get_coro(self) -> Coroutine[Any, Any, Any]:
        """The coroutine; as `asyncio.Task.get_coro`."""
        return self._coroutine

    def get_context(self) -> contextvars.Context:
        """The context it runs in; as `asyncio.Task.get_context`."""
        return self._context

    def get_name(self) -> str:
        """A name for logs; as `asyncio.Task.get_name`."""
        return f"effect {getattr(self._coroutine, '__qualname__', '')}"

    def _step(self, error: BaseException | None = None) -> bool:
        """Run up to the next wait; whether the coroutine has ended."""
        if self._must_cancel:
            self._must_cancel = False
            error = (
                error if isinstance(error, asyncio.CancelledError) else asyncio.CancelledError(*self._message)
            )
        loop = self._driver
        _enter_task(loop, self)  # type: ignore[arg-type]  # a task by what it does, not by its class
        try:
            awaited = self._coroutine.send(None) if error is None else self._coroutine.throw(error)
        except StopIteration as stop:
            self.set_result(stop.value)
        except asyncio.CancelledError:
            super().cancel()
        except (KeyboardInterrupt, SystemExit) as exit_request:
            self.set_exception(exit_request)
            raise
        except BaseException as failure:  # noqa: BLE001 - it becomes the future's exception
            self.set_exception(failure)
        else:
            if awaited is None:  # a bare yield: asyncio.sleep(0)
                loop.call_soon(self._step, context=self._context)
            else:
                self._wait_for(awaited)
            return False
        finally:
            _leave_task(loop, self)  # type: ignore[arg-type]  # as above
        if self._report is not None:
            self._report(self._unit, self, self.veredito_outcome)
        return True

    def _wait_for(self, awaited: Any) -> None:
        if getattr(awaited, "_asyncio_future_blocking", None) and awaited.get_loop() is self._driver:
            awaited._asyncio_future_blocking = False  # noqa: SLF001 - the protocol between futures and tasks
            awaited.add_done_callback(self._wake, context=self._context)
            self._fut_waiter = awaited
            if self._must_cancel and awaited.cancel():
                self._must_cancel = False
        else:
            wrong = RuntimeError(f"{self.get_name()} awaits {awaited!r}, which is no future of this loop")
            self._driver.call_soon(self._step, wrong, context=self._context)

    def _wake(self, awaited: asyncio.Future[Any]) -> None:
        self._fut_waiter = None
        try:
            awaited.result()
        except BaseException as error:  # noqa: BLE001 - thrown into the coroutine
            self._step(error)
        else:
            self._step()
