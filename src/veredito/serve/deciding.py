"""``POST /v1/decide``: an event in, its decision out, and on the disk before it is told.

The order is the promise: validate, decide, record, keep the answer under its idempotency key, answer.
"""

from __future__ import annotations

import datetime as dt
import logging
from time import perf_counter

import msgspec

from veredito.errors import InputError, OutputError, OverloadedError, Problem, RecordError
from veredito.record import DecisionRecord, RecordedKey, Recorder
from veredito.record.idempotency import KEY_LENGTH_MAX, Conflict, IdempotencyStore, Replay, recorded_key
from veredito.schema import Schema
from veredito.serve import http
from veredito.serve.decider import Decided, Decider
from veredito.serve.metrics import Metrics

log = logging.getLogger("veredito.serve")

_REPLAYED = (b"idempotent-replayed", b"true")


class Answer(msgspec.Struct, frozen=True):
    """What a caller learns of a decision; the rest is in the record, under `decision_id`."""

    decision_id: str
    action: str
    reasons: tuple[str, ...]
    score: float | None
    source: str


class Deciding:
    """The endpoint.

    Args:
        decider: decides on events.
        inputs: the schema of an event.
        deadline_ms: the longest time to an answer.
        metrics: where to count.
        recorder: where decisions are recorded, if anywhere.
        keys: the answers kept under idempotency keys; there is one where there is a record.
    """

    def __init__(
        self,
        decider: Decider,
        inputs: Schema,
        deadline_ms: float,
        metrics: Metrics,
        *,
        recorder: Recorder | None,
        keys: IdempotencyStore | None,
    ) -> None:
        self._decider, self._inputs, self._deadline_ms, self._metrics = decider, inputs, deadline_ms, metrics
        self._recorder, self._keys = recorder, keys

    async def __call__(self, call: http.Call) -> bytes:
        """The answer's JSON.

        Raises:
            InputError: the event, or a header, does not fit.
            IdempotencyConflictError: the key was used for another body, or is in use.
            OverloadedError: the record has no room, and the policy is to refuse.
            RecordError: the record cannot be written, and the policy is to refuse.
        """
        begun = perf_counter()
        event = self._inputs.decode(call.body)
        call.stages.add("in_schema", perf_counter() - begun)
        deadline = http.deadline(call, self._deadline_ms)
        given = http.header(call.scope, b"idempotency-key")
        if given is None:
            return await self._decide(event, call, deadline)
        return await self._decide_once(event, call, deadline, given)

    def refused(self, error: Exception, request_id: str) -> None:
        """Record that a request was refused, or that we failed it, and why.

        The refusal itself stands whatever comes of it. Those whom nobody let in are counted and not recorded:
        strangers shall not be able to fill the disk.
        """
        if self._recorder is None or isinstance(error, http.UnauthorizedError):
            return
        why = http.code(error)
        if isinstance(error, OutputError):
            record = self._decider.unanswered(request_id, "failed", f"{why}: {error}")
        else:
            ours = why == "internal" and not isinstance(error, RecordError)
            record = self._decider.unanswered(request_id, "failed" if ours else "refused", why)
        try:
            self._recorder.append_nowait(record)
        except (RecordError, OverloadedError) as failure:
            log.warning("request_id=%s its refusal is not recorded: %s", request_id, failure)

    async def _decide_once(self, event: object, call: http.Call, deadline: float, given: bytes) -> bytes:
        if self._keys is None:
            raise InputError(Problem("idempotency-key", "this service keeps no record, and so no keys"))
        if not 0 < len(given) <= KEY_LENGTH_MAX:
            raise InputError(Problem("idempotency-key", f"must have 1 to {KEY_LENGTH_MAX} characters"))
        # Callers cannot meet in one key by chance or on purpose: who they are is part of it.
        key = recorded_key(http.api_key(call.scope) + b"\0" + given, call.body)
        beginning = self._keys.begin(key)
        if isinstance(beginning, Replay):
            call.headers.append(_REPLAYED)
            return beginning.body
        if isinstance(beginning, Conflict):
            raise http.IdempotencyConflictError(beginning.reason)
        try:
            answered = await self._decide(event, call, deadline, key)
        except BaseException:
            self._keys.abandon(key)
            raise
        self._keys.finish(key, 200, answered)
        return answered

    async def _decide(
        self, event: object, call: http.Call, deadline: float, key: RecordedKey | None = None
    ) -> bytes:
        elapsed = perf_counter() - call.begun
        decided = await self._decider.decide(
            event,
            deadline=deadline,
            request_id=call.request_id,
            stages=call.stages,
            received_at=dt.datetime.now(dt.UTC) - dt.timedelta(seconds=elapsed),
        )
        begun = perf_counter()
        answered = answer(decided.record)
        call.stages.add("out_schema", perf_counter() - begun)
        if self._recorder is not None:
            begun = perf_counter()
            await self._recorder.append(msgspec.structs.replace(decided.record, idempotency=key))
            call.stages.add("record", perf_counter() - begun)
        self._count(decided, call)
        return answered

    def _count(self, decided: Decided, call: http.Call) -> None:
        self._metrics.decision(decided.decision.action, decided.decision.source)
        self._metrics.stages(call.stages)
        for node, outcome in decided.outcomes.items():
            self._metrics.outcome(node, outcome.kind)


def answer(record: DecisionRecord) -> bytes:
    """What the caller of a recorded decision is told, as JSON."""
    told = Answer(
        record.decision_id, record.action or "", tuple(record.reasons), record.score, record.source or ""
    )
    return _ENCODER.encode(told)


_ENCODER = msgspec.json.Encoder()
