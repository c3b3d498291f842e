"""An effect under policies: one guard a plan and event loop, since what waits on a loop belongs to it."""

from __future__ import annotations

import asyncio
import functools
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

from veredito.graph.nodes import Effect, is_async
from veredito.graph.resilience.guard import Guard, guard
from veredito.graph.resilience.settings import Policies
from veredito.graph.workers import workers


class GuardedEffect:
    """What a plan calls for an effect with policies. Calling it gives a coroutine.

    Args:
        node: the effect.
        function: what it runs.
        policies: what was asked for.
    """

    def __init__(self, node: Effect, function: Callable[..., Any], policies: Policies) -> None:
        self.node, self.policies = node, policies
        self.call = function if is_async(function) else _on_thread(function)
        self._guards: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Guard] = (
            weakref.WeakKeyDictionary()
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """The guarded call, to be awaited on the running loop."""
        return self.guard(asyncio.get_running_loop())(*args, **kwargs)

    def guard(self, loop: asyncio.AbstractEventLoop) -> Guard:
        """The guard for this loop, with its statistics."""
        made = self._guards.get(loop)
        if made is None:
            made = self._guards[loop] = guard(self.call, self.policies, name=self.node.name)
        return made


def _on_thread(function: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        return await workers.call(functools.partial(function, *args, **kwargs))

    return call
