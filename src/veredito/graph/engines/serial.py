"""The reference: one node after the other, straight from the declaration. Clarity before speed.

It knows nothing of units, regions or generated code, so that agreeing with it means something. A blocking
effect runs in the caller's thread, or on a worker thread where it has a budget: else nobody could stop waiting.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from veredito.graph.engines import background
from veredito.graph.engines.budget import budget_end, late
from veredito.graph.engines.verdicts import verdict
from veredito.graph.nodes import waits
from veredito.graph.reaper import LATE, reaper
from veredito.graph.run import Run, State
from veredito.graph.shape import members
from veredito.graph.workers import workers
from veredito.types import Outcome

if TYPE_CHECKING:
    from veredito.graph.plan import Plan


def run(plan: Plan, inputs: Mapping[str, Any], sources: Mapping[str, Any], deadline: float | None) -> Run:
    """Run a plan in the caller's thread."""
    state = State(plan, deadline)
    plan.fill(state, inputs, sources)
    reference = _Reference(state)
    reference.demand(plan.shape.committed)
    state.ended = time.monotonic()
    return Run(state)


class _Reference:
    def __init__(self, state: State) -> None:
        self.state = state
        self.shape = state.plan.shape
        self.settled = sum(1 << at for at in self.shape.given)

    def demand(self, committed: int) -> None:
        """Settle these nodes, needs first. A branch that needs more puts it on top of the stack."""
        stack = list(members(committed & ~self.settled))[::-1]
        while stack:
            at = stack[-1]
            more = 0 if self.settled >> at & 1 else self._settle(at)
            if more:
                stack.extend(list(members(more))[::-1])
            else:
                self.settled |= 1 << at
                stack.pop()

    def _settle(self, at: int) -> int:
        """Settle the node, or say what else it demands first."""
        if at in self.shape.branches:
            return self._branch(at)
        state = self.state
        need = state.failed_need(at)
        if need is not None:
            state.fail(at, state.errors[need], cause=need)
        else:
            state.started[at] = time.monotonic()
            self._call(at)
        return 0

    def _branch(self, at: int) -> int:
        state, questions = self.state, self.shape.branches[at]
        for step, question in enumerate(questions.asked):
            more = self.shape.onward[at][step] & ~self.settled
            if more:
                return more
            if question.node in state.errors:
                state.fail(at, state.errors[question.node], cause=question.node)
                return 0
            try:
                answer = verdict(question, state.values[question.node])
            except Exception as error:  # noqa: BLE001 - it becomes the node's outcome
                state.fail(at, error)
                return 0
            if answer:
                return self._result(at, question.taken, question.place)
        return self._result(at, questions.last, questions.last_place)

    def _result(self, at: int, result: int, place: str) -> int:
        state = self.state
        if not self.settled >> result & 1:
            return self.shape.commits[result] & ~self.settled
        state.chosen[at] = (result, place)
        if result in state.errors:
            state.fail(at, state.errors[result], cause=result)
        else:
            state.succeed(at, state.values[result])
        return 0

    def _call(self, at: int) -> None:
        state = self.state
        args, kwargs = state.arguments(at)
        node: Any = self.shape.nodes[at]
        if waits(node):
            self._effect(at, args, kwargs)
            return
        try:
            state.succeed(at, state.plan.function(at)(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - it becomes the node's outcome
            state.fail(at, error)

    def _effect(self, at: int, args: list[Any], kwargs: dict[str, Any]) -> None:
        state = self.state
        now = time.monotonic()
        end = budget_end(state, at, now)
        if end <= now:
            late(state, at)
            return
        told: list[Outcome] = []
        try:
            reaper.admit()
            value = self._await(at, args, kwargs, end, told.append)
        except _LateError:
            late(state, at)
        except concurrent.futures.CancelledError:
            state.fail(at, asyncio.CancelledError(f"'{self.shape.names[at]}' cancelled itself"))
        except Exception as error:  # noqa: BLE001 - it becomes the node's outcome
            state.fail(at, error, attempts=told[0].attempts if told else 1)
        else:
            state.succeed(at, value, told[0] if told else None)

    def _await(
        self,
        at: int,
        args: list[Any],
        kwargs: dict[str, Any],
        end: float,
        note: Callable[[Outcome], None],
    ) -> Any:
        function = self.state.plan.function(at)
        if self.state.plan.is_async(at):
            future = background.start(function, note, *args, **kwargs)
        elif end == math.inf:
            return function(*args, **kwargs)
        else:
            future = workers.start(functools.partial(function, *args, **kwargs))
        try:
            return future.result(None if end == math.inf else end - time.monotonic())
        except TimeoutError:
            if future.done():
                raise
            if self.state.plan.is_async(at):
                future.cancel()  # it is held on its own loop
            else:
                reaper.detach(future, LATE)
            raise _LateError from None


class _LateError(Exception):
    """The effect's budget is over."""
