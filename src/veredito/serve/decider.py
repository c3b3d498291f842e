"""From an event to a decision and its record, without HTTP.

The service, replay and tests decide through the same object. Whatever goes wrong inside becomes the declared
fallback, and is said so in the record: a caller who waits for a verdict gets one.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import ItemsView, Mapping
from typing import Any, Literal

import msgspec

from veredito.decide import Decision
from veredito.errors import DeadlineError, OutputError
from veredito.graph import Plan, Run
from veredito.graph.trace import Span, Trace
from veredito.record import DecisionRecord, RecordedOutcome, RecordedRule, new_decision_id
from veredito.schema import Field, Schema
from veredito.serve.config import FallbackSettings
from veredito.serve.faults import described, stack
from veredito.serve.stages import STAGES_INPUT, Stages
from veredito.types import Outcome

log = logging.getLogger("veredito.serve")


class Decided(msgspec.Struct, frozen=True):
    """A decision with everything that is recorded of it."""

    decision: Decision
    record: DecisionRecord
    outcomes: Mapping[str, Outcome]


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same in every record of one service.

    Attributes:
        service: its name.
        service_version: of the framework that runs it.
        config_hash: of the resolved config.
        policy_version: of the policy's source.
        models: model name to version.
        inputs: the input node's name.
        features: model name to the node that gives its row.
        effects: the effect nodes whose values are recorded.
        key: the event's field that names its entity.
        event_time: the event's field that says when it happened.
    """

    service: str
    service_version: str
    config_hash: str
    policy_version: str
    models: dict[str, str]
    inputs: str
    features: dict[str, str]
    effects: tuple[str, ...]
    key: str | None
    event_time: str | None


class Decider:
    """Runs the decision's plan and writes down what happened.

    Args:
        plan: computes the node ``decision``.
        about: what every record repeats.
        fallback: the decision when the plan gives none.
        sources: what effects fetch from, by name.
        observers: those sources that want to see every accepted event.
    """

    def __init__(
        self,
        plan: Plan,
        about: About,
        fallback: FallbackSettings,
        sources: Mapping[str, Any],
    ) -> None:
        self.plan = plan
        self.about = about
        self.sources = dict(sources)
        self._fallback = Decision(action=fallback.action, reasons=(fallback.reason,), source="fallback")
        self._observers = [source for source in sources.values() if hasattr(source, "observe")]

    async def decide(
        self, event: Any, *, deadline: float, request_id: str, stages: Stages, received_at: dt.datetime
    ) -> Decided:
        """Decide on one event.

        Args:
            event: a row of the input schema.
            deadline: when the answer is due, in seconds of `time.monotonic()`.
            request_id: as the caller knows it.
            stages: the request's stage times so far; this adds its own.
            received_at: when the event came in.
        """
        for source in self._observers:
            source.observe(event)
        begun = time.perf_counter()
        inputs = {self.about.inputs: event, STAGES_INPUT: stages}
        run = await self.plan.arun(inputs, self.sources, deadline=deadline)
        stages.fetching(time.perf_counter() - begun)
        error = run.error
        if error is None:
            decision = run.value
        else:
            decision = self._fallback
            log.error("request_id=%s decision failed: %s", request_id, described(error))
            log.debug("request_id=%s\n%s", request_id, stack(error))
        record = self._record(event, run, decision, request_id, stages, received_at)
        return Decided(decision, record, {name: run.outcomes[name] for name in self.about.effects})

    def unanswered(self, request_id: str, status: Literal["refused", "failed"], error: str) -> DecisionRecord:
        """The record of a request that was not decided upon, and why."""
        about, now = self.about, dt.datetime.now(dt.UTC)
        return DecisionRecord(
            decision_id=new_decision_id(),
            received_at=now,
            answered_at=now,
            service=about.service,
            service_version=about.service_version,
            config_hash=about.config_hash,
            request_id=request_id,
            status=status,
            source=None,
            models=about.models,
            policy_version=about.policy_version,
            error=error,
        )

    async def rehearse(self, event: Any) -> Trace:
        """One run without an observer, a record or a deadline of a caller's: to look at."""
        inputs = {self.about.inputs: event, STAGES_INPUT: Stages()}
        return (await self.plan.arun(inputs, self.sources)).trace

    def _features(self, values: Mapping[str, Any]) -> dict[str, Any]:
        nodes = set(self.about.features.values()) & values.keys()
        if len(set(self.about.features.values())) == 1:
            return {name: value for node in nodes for name, value in _items(values[node])}
        return {f"{node}.{name}": value for node in nodes for name, value in _items(values[node])}

    def _record(
        self,
        event: Any,
        run: Run,
        decision: Decision,
        request_id: str,
        stages: Stages,
        received_at: dt.datetime,
    ) -> DecisionRecord:
        about, values, trace = self.about, run.values, run.trace
        effects = set(about.effects)
        return DecisionRecord(
            decision_id=new_decision_id(),
            at=getattr(event, about.event_time) if about.event_time else None,
            received_at=received_at,
            answered_at=dt.datetime.now(dt.UTC),
            service=about.service,
            service_version=about.service_version,
            config_hash=about.config_hash,
            request_id=request_id,
            key=_key(event, about.key),
            status=_status(run.error),
            source=decision.source,
            action=decision.action,
            reasons=list(decision.reasons),
            score=decision.score,
            inputs=msgspec.structs.asdict(event),
            values={name: values[name] for name in about.effects if name in values},
            outcomes={span.node: _outcome(span) for span in trace.spans if span.node in effects},
            features=self._features(values),
            outputs={name: values[name] for name in about.models if name in values},
            models=about.models,
            policy_version=about.policy_version,
            rules=[RecordedRule(rule=r.rule, fired=r.fired, read=r.read) for r in decision.rules],
            stages_us=stages.microseconds(),
            critical_path=list(trace.critical_path),
            error=None if run.error is None else _why(run.error),
        )


def _outcome(span: Span) -> RecordedOutcome:
    return RecordedOutcome(
        kind=span.outcome.kind,
        reason=span.outcome.reason,
        start_us=span.start_us,
        finish_us=span.finish_us,
        attempts=span.outcome.attempts,
    )


def _key(event: Any, name: str | None) -> str | None:
    value = getattr(event, name) if name else None
    return None if value is None else str(value)


def _items(row: Any) -> ItemsView[str, Any]:
    """A row's fields, whether it is a mapping or a struct; what is neither was no row, and failed the model."""
    if isinstance(row, msgspec.Struct):
        return msgspec.structs.asdict(row).items()
    return (row if isinstance(row, Mapping) else {}).items()


def recorded_features(rows: Mapping[str, tuple[str, Schema]]) -> Schema | None:
    """The schema of the recorded feature row.

    Args:
        rows: model name to the node that gives its row, and the model's in-schema.

    Returns:
        The fields of all models; where they come from several nodes, each as ``node.field``.
    """
    several = len({node for node, _ in rows.values()}) > 1
    fields: dict[str, Field] = {}
    for node, schema in rows.values():
        for field in schema:
            name = f"{node}.{field.name}" if several else field.name
            fields.setdefault(name, Field(name, field.kind, nullable=True))
    return Schema("Features", list(fields.values())) if fields else None


def _why(error: BaseException) -> str:
    """Our own words, or another's type: what a user's function says may hold values."""
    return f"{type(error).__name__}: {error}" if isinstance(error, OutputError) else type(error).__name__


def _status(error: BaseException | None) -> Literal["answered", "failed", "timed_out"]:
    if error is None:
        return "answered"
    return "timed_out" if isinstance(error, DeadlineError) else "failed"
