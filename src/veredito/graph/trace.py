"""A trace: what one run did and when. Made on demand from the slots of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from veredito.graph.engines.verdicts import verdict
from veredito.graph.program import UNSET
from veredito.graph.run import State
from veredito.graph.shape import Question, members
from veredito.types import Outcome


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """One node's part in a run; times in microseconds from the run's start, `None` where it never ran."""

    node: str
    kind: str
    outcome: Outcome
    start_us: float | None
    finish_us: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class Trace:
    """What one run did.

    Args:
        targets: what was asked for.
        finish_us: the run's length, in microseconds.
        spans: by node, needs first.
        arms: branch to the place it took, with the node that was its result.
        critical_path: the chain of nodes that determined the run's length, in order.
        deadline_us: from the run's start, where there was one.
    """

    targets: tuple[str, ...]
    finish_us: float
    spans: tuple[Span, ...]
    arms: Mapping[str, tuple[str, str]]
    critical_path: tuple[str, ...]
    deadline_us: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {
            "targets": list(self.targets),
            "finish_us": self.finish_us,
            "deadline_us": self.deadline_us,
            "nodes": {
                span.node: {
                    "kind": span.kind,
                    "outcome": span.outcome.kind,
                    "reason": span.outcome.reason,
                    "attempts": span.outcome.attempts,
                    "start_us": span.start_us,
                    "finish_us": span.finish_us,
                }
                for span in self.spans
            },
            "arms": {branch: {"arm": place, "node": node} for branch, (place, node) in self.arms.items()},
            "critical_path": list(self.critical_path),
        }


def trace_of(state: State) -> Trace:
    """The trace of a run."""
    shape = state.plan.shape
    spans = tuple(
        Span(
            shape.names[at],
            node.kind,
            state.outcome(at),
            _us(state, _start(state, at)),
            _us(state, _finish(state, at)),
        )
        for at, node in enumerate(shape.nodes)
        if node is not None
    )
    return Trace(
        targets=state.plan.targets,
        finish_us=round((state.ended - state.began) * 1e6, 1),
        spans=spans,
        arms={shape.names[at]: (place, shape.names[result]) for at, (result, place) in state.chosen.items()},
        critical_path=tuple(shape.names[at] for at in _critical(state)),
        deadline_us=_us(state, state.deadline),
    )


def _us(state: State, moment: float | None) -> float | None:
    return None if moment is None else round((moment - state.began) * 1e6, 1)


def _finish(state: State, at: int) -> float | None:
    return state.began if at in state.plan.shape.given else state.finished[at]


def _start(state: State, at: int) -> float | None:
    """When a node started; in a region that is when the one before it had finished."""
    if at in state.plan.shape.given:
        return state.began
    if state.started[at] is not None or state.finished[at] is None:
        return state.started[at]
    before = state.plan.program.before[at]
    return state.finished[at] if before is None else state.finished[before]


def _critical(state: State) -> list[int]:
    """Back from the target that came last, always to what came last of that which it waited for."""
    shape, opened = state.plan.shape, _opened(state)
    ran = [at for at in state.plan.target_numbers if state.finished[at] is not None]
    if not ran:
        return []
    path = [max(ran, key=lambda at: state.finished[at] or 0.0)]
    while True:
        awaited = [
            need
            for need in _awaited(state, path[-1], opened)
            if need not in shape.given and state.finished[need] is not None
        ]
        if not awaited:
            return path[::-1]
        path.append(max(awaited, key=lambda at: state.finished[at] or 0.0))


def _awaited(state: State, at: int, opened: Mapping[int, int]) -> list[int]:
    """What a node waited for in this run.

    A branch waits for what it asked and for the result it took; what only an arm commits waits, besides its
    needs, for the question that opened the first of its arms.
    """
    shape = state.plan.shape
    openers = [opened[arm] for arm in members(shape.owners[at]) if arm in opened]
    first = [min(openers, key=lambda one: state.finished[one] or 0.0)] if openers else []
    if at not in shape.branches:
        return [*shape.needs[at], *first]
    awaited = [*first, *(question.node for question in shape.branches[at].asked)]
    return [*awaited, state.chosen[at][0]] if at in state.chosen else awaited


def _opened(state: State) -> dict[int, int]:
    """The arms that were taken, each with the node whose value opened it; the plan itself needs no opening."""
    opened = {}
    for at, branch in state.plan.shape.branches.items():
        for question in branch.asked if state.settled(at) else ():
            answer = _answered(state, question)
            if answer is None:
                break
            opened[question.yes if answer else question.no] = question.node
            if answer:
                break
    return opened


def _answered(state: State, question: Question) -> bool | None:
    """How a question was answered; `None` where it was not."""
    value = state.values[question.node]
    if value is UNSET:
        return None
    try:
        return verdict(question, value)
    except Exception:  # noqa: BLE001 - the branch has failed with it, and taken no arm
        return None
