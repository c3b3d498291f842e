"""The scheduling core that the concurrent engines share: which unit is ready, which arm is taken.

It decides and does no I/O: launching an effect is the engine's. Every demanded unit runs to its end before
a run is over, also where the target is bound to fail: then all engines run the same nodes and the same
error wins, whatever finishes first. The deadline bounds what that may cost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from veredito.graph.engines.verdicts import verdict
from veredito.graph.program import EFFECT, REGION
from veredito.graph.run import State
from veredito.graph.shape import ROOT
from veredito.types import Outcome

if TYPE_CHECKING:
    from veredito.graph.plan import Plan


class Ended(Protocol):
    """A future that is done, of a loop or of a thread."""

    def cancelled(self) -> bool:
        """Whether it was cancelled."""

    def exception(self) -> BaseException | None:
        """What it failed with."""

    def result(self) -> Any:
        """What it gave."""


class Scheduling(State):
    """A run in progress. Engines give it `launch`, and call `drain` when an effect has settled."""

    __slots__ = ("active", "joins", "left", "pending", "program", "ready", "steps")

    def __init__(
        self, plan: Plan, inputs: Mapping[str, Any], sources: Mapping[str, Any], deadline: float | None
    ) -> None:
        super().__init__(plan, deadline)
        plan.fill(self, inputs, sources)
        self.program = program = plan.program
        self.left = list(program.left)
        self.active = bytearray(len(program.gates))
        self.ready: list[int] = []
        self.joins: dict[int, list[int]] = {}
        self.steps: dict[int, int] = {}
        self.pending = 0
        self.open(ROOT)

    def launch(self, unit: int, at: int) -> None:
        """Start an effect; it settles by `succeed` or `fail`, and then `settle(unit)`, now or later."""
        raise NotImplementedError

    def open(self, arm: int) -> None:
        """An arm is taken: everything that it commits is demanded."""
        program, active, left = self.program, self.active, self.left
        for gate in program.opens.get(arm, ()):
            if not active[gate]:
                active[gate] = 1
                units = program.gates[gate]
                self.pending += len(units)
                if not left[gate]:
                    self.ready.extend(units)

    def drain(self) -> None:
        """Run what is ready until nothing is."""
        program, ready = self.program, self.ready
        kinds, members = program.kinds, program.members
        while ready:
            unit = ready.pop()
            kind = kinds[unit]
            if kind == REGION:
                self.run_region(unit)
                self.settle(unit)
            elif kind == EFFECT:
                at = members[unit][0]
                if self.errors and (need := self.failed_need(at)) is not None:
                    self.fail(at, self.errors[need], cause=need)
                    self.settle(unit)
                else:
                    self.launch(unit, at)
            else:
                self.decide(unit)

    def settle(self, unit: int) -> None:
        """The unit is done: what waited for nothing else is ready, if anybody asked for it."""
        left, program = self.left, self.program
        self.pending -= 1
        for gate in program.following[unit]:
            left[gate] = still = left[gate] - 1
            if not still and self.active[gate]:
                self.ready.extend(program.gates[gate])
        if self.joins:
            self.ready.extend(self.joins.pop(unit, ()))

    def take(self, unit: int, at: int, future: Ended, note: Outcome | None) -> None:
        """An effect has ended: keep what came of it."""
        if future.cancelled():
            own = asyncio.CancelledError(f"'{self.plan.shape.names[at]}' cancelled itself")
            self.fail(at, own, attempts=note.attempts if note else 1)
        elif (error := future.exception()) is not None:
            self.fail(at, error, attempts=note.attempts if note else 1)
        else:
            self.values[at] = future.result()
            self.finished[at] = monotonic()
            if note is not None:
                self.notes[at] = note
        self.settle(unit)

    def run_region(self, unit: int) -> None:
        """Run a region's straight line; where a node raises, go on one by one behind it."""
        nodes = self.program.members[unit]
        self.started[nodes[0]] = monotonic()
        if self.errors:
            self.walk(nodes)
            return
        try:
            self.program.code[unit](self.values, self.finished, self)
        except Exception as error:  # noqa: BLE001 - it becomes the node's outcome
            failed = self._line_of(error, unit)
            self.fail(nodes[failed], error)
            self.walk(nodes[failed + 1 :])

    def walk(self, nodes: tuple[int, ...]) -> None:
        """Run pure nodes one by one, minding failures among their needs."""
        for at in nodes:
            self.call(at)

    def call(self, at: int) -> None:
        """Run one pure node by itself."""
        need = self.failed_need(at)
        if need is not None:
            self.fail(at, self.errors[need], cause=need)
            return
        args, kwargs = self.arguments(at)
        try:
            value = self.plan.function(at)(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - it becomes the node's outcome
            self.fail(at, error)
        else:
            self.succeed(at, value)

    def _line_of(self, error: BaseException, unit: int) -> int:
        """Which node of a region raised: one line is one node, and the region's frame knows its line."""
        code = self.program.code[unit].__code__
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code is not code:
            trace = trace.tb_next
        return trace.tb_lineno - code.co_firstlineno - 1 if trace is not None else 0

    def decide(self, unit: int) -> None:
        """Take a branch as far as it goes now; it joins what it has to wait for."""
        at = self.program.members[unit][0]
        if at not in self.chosen and not self._ask(unit, at):
            return
        result, _ = self.chosen[at]
        if result in self.errors:
            self.fail(at, self.errors[result], cause=result)
        elif not self.settled(result):
            self._join(unit, result)
            return
        else:
            self.succeed(at, self.values[result])
        self.settle(unit)

    def _ask(self, unit: int, at: int) -> bool:
        """Put the questions in order; whether the result's node is known now."""
        questions = self.plan.shape.branches[at]
        self.started[at] = self.started[at] or monotonic()
        step = self.steps.get(at, 0)
        while step < len(questions.asked):
            question = questions.asked[step]
            if question.node in self.errors:
                self.fail(at, self.errors[question.node], cause=question.node)
                self.settle(unit)
                return False
            if not self.settled(question.node):
                self.steps[at] = step
                self._join(unit, question.node)
                return False
            try:
                answer = verdict(question, self.values[question.node])
            except Exception as error:  # noqa: BLE001 - it becomes the node's outcome
                self.fail(at, error)
                self.settle(unit)
                return False
            if answer:
                self.open(question.yes)
                self.chosen[at] = (question.taken, question.place)
                return True
            self.open(question.no)
            step += 1
        self.chosen[at] = (questions.last, questions.last_place)
        return True

    def _join(self, unit: int, node: int) -> None:
        self.joins.setdefault(self.program.unit_of[node], []).append(unit)
