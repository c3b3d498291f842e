"""The application: which path is answered by what.

The hot endpoints are raw ASGI; everything else is a Starlette router behind them. Health and metrics pass by
authentication and limits, so that a busy service still says how it is.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Awaitable, Callable
from time import monotonic, perf_counter

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from veredito.errors import InputError, OverloadedError, Problem
from veredito.serve import http
from veredito.serve.assemble import Service
from veredito.serve.decider import Decided, Decider
from veredito.serve.metrics import Metrics
from veredito.serve.openapi import LABEL, openapi
from veredito.serve.stages import Stages

log = logging.getLogger("veredito.serve")

_TIMEOUT_HEADER = b"x-request-timeout-ms"


class Answer(msgspec.Struct, frozen=True):
    """What a caller learns of a decision; the rest is in the record, under `decision_id`."""

    decision_id: str
    action: str
    reasons: tuple[str, ...]
    score: float | None
    source: str


class Call(msgspec.Struct):
    """One request on a hot path."""

    scope: http.Scope
    body: bytes
    request_id: str
    begun: float
    stages: Stages


Handler = Callable[[Call], Awaitable[bytes]]


class App:
    """The ASGI application of a service.

    Args:
        service: assembled and started.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.metrics = Metrics()
        self.ready = False
        self._settings = service.config.service
        self._encode = msgspec.json.Encoder().encode
        self._hot: dict[str, Handler] = {}
        if service.decider is not None:
            self._hot["/v1/decide"] = self._decide
        for name in service.predictors:
            self._hot[f"/v1/predict/{name}"] = self._predict(name)
        if len(service.predictors) == 1:
            self._hot["/v1/predict"] = self._predict(next(iter(service.predictors)))
        self._rest = Starlette(routes=self._routes())

    async def __call__(self, scope: http.Scope, receive: http.Receive, send: http.Send) -> None:
        """Answer one ASGI connection."""
        if (
            scope["type"] == "http"
            and (handler := self._hot.get(scope["path"]))
            and scope["method"] == "POST"
        ):
            await self._answer(handler, scope, receive, send)
        else:
            await self._rest(scope, receive, send)

    async def _answer(
        self, handler: Handler, scope: http.Scope, receive: http.Receive, send: http.Send
    ) -> None:
        request_id = http.request_id(scope)
        headers = [(b"x-request-id", request_id.encode("ascii"))]
        self.metrics.in_flight += 1
        begun = perf_counter()
        try:
            self._admit(scope)
            body = await http.read_body(scope, receive, self._settings.body_bytes_max)
            begun = perf_counter()  # the caller's own slowness is not ours
            call = Call(scope, body, request_id, begun, Stages())
            answered = await handler(call)
            status = 200
            if http.header(scope, b"x-server-timing") is not None:
                headers.append((b"server-timing", call.stages.server_timing()))
        except http.DisconnectedError:
            self.metrics.rejected["disconnected",] += 1
            return
        except Exception as error:  # noqa: BLE001 - whatever broke, the caller gets an answer and the log the cause
            status, answered, headers = self._refuse(error, request_id)
        finally:
            self.metrics.in_flight -= 1
        self.metrics.requests[scope["path"], str(status)].observe(perf_counter() - begun)
        await http.answer(send, status, answered, headers)

    def _admit(self, scope: http.Scope) -> None:
        """Refuse before any work is done: who may not ask, and what is too much."""
        keys = self.service.keys
        if keys is not None and not keys.admits(http.api_key(scope)):
            raise http.UnauthorizedError
        if self.metrics.in_flight > self._settings.in_flight_max:
            raise OverloadedError(
                f"{self._settings.in_flight_max} requests are in flight", retry_after_seconds=1
            )

    def _refuse(self, error: Exception, request_id: str) -> tuple[int, bytes, list[http.Header]]:
        status, body, headers = http.refusal(error, request_id)
        if status >= 500 and not isinstance(error, OverloadedError):
            log.error("request_id=%s failed", request_id, exc_info=error)
        self.metrics.rejected[http.code(error),] += 1
        return status, body, headers

    async def _decide(self, call: Call) -> bytes:
        service, stages = self.service, call.stages
        decider, inputs = service.decider, service.inputs
        if decider is None or inputs is None:
            raise AssertionError("routed without a decider")
        begun = perf_counter()
        event = inputs.decode(call.body)
        stages.add("in_schema", perf_counter() - begun)
        decided = await self._decided(decider, event, call)
        decision = decided.decision
        begun = perf_counter()
        answered = self._encode(
            Answer(
                decided.record.decision_id, decision.action, decision.reasons, decision.score, decision.source
            )
        )
        stages.add("out_schema", perf_counter() - begun)
        if service.recorder is not None:
            begun = perf_counter()
            await service.recorder.append(decided.record)
            self.metrics.stages["record",].observe(perf_counter() - begun)
        self._count(decided, stages)
        return answered

    async def _decided(self, decider: Decider, event: object, call: Call) -> Decided:
        elapsed = perf_counter() - call.begun
        return await decider.decide(
            event,
            deadline=monotonic() - elapsed + self._deadline_seconds(call.scope),
            request_id=call.request_id,
            stages=call.stages,
            received_at=dt.datetime.now(dt.UTC) - dt.timedelta(seconds=elapsed),
        )

    def _deadline_seconds(self, scope: http.Scope) -> float:
        """The service's deadline, or less where the caller asks for less."""
        asked = http.header(scope, _TIMEOUT_HEADER)
        if asked is None:
            return self._settings.deadline_ms / 1e3
        if not asked.isdigit() or int(asked) == 0:
            raise InputError(
                Problem(_TIMEOUT_HEADER.decode(), "must be a whole number of milliseconds, above 0")
            )
        return min(int(asked), self._settings.deadline_ms) / 1e3

    def _count(self, decided: Decided, stages: Stages) -> None:
        metrics = self.metrics
        metrics.decisions[decided.decision.action, decided.decision.source] += 1
        for stage, seconds in stages.seconds.items():
            metrics.stages[stage,].observe(seconds)
        for node, outcome in decided.outcomes.items():
            metrics.outcomes[node, outcome.kind] += 1

    def _predict(self, name: str) -> Handler:
        predictor = self.service.predictors[name]

        async def predict(call: Call) -> bytes:
            answered = predictor.answer(call.body, call.stages)
            for stage, seconds in call.stages.seconds.items():
                self.metrics.stages[stage,].observe(seconds)
            return answered

        return predict

    def _routes(self) -> list[Route]:
        routes = [
            Route("/livez", _livez),
            Route("/readyz", self._readyz),
            Route("/metrics", self._metrics),
            Route("/openapi.json", self._openapi),
        ]
        if any(hasattr(source, "label") for source in self.service.sources.values()):
            routes.append(Route("/v1/labels", self._labels, methods=["POST"]))
        return routes

    async def _readyz(self, _: Request) -> Response:
        return JSONResponse({"ready": self.ready}, status_code=200 if self.ready else 503)

    async def _metrics(self, _: Request) -> Response:
        return Response(self.metrics.exposition(), media_type="text/plain; version=0.0.4")

    async def _openapi(self, _: Request) -> Response:
        return JSONResponse(openapi(self.service))

    async def _labels(self, request: Request) -> Response:
        """Labels for events already seen, to every source that keeps them."""
        request_id = http.request_id(request.scope)
        try:
            self._admit(request.scope)
            body = await http.read_body(request.scope, request.receive, self._settings.body_bytes_max)
            labels = LABEL.decode_many(body)
        except Exception as error:  # noqa: BLE001 - as on the hot path
            status, answered, headers = self._refuse(error, request_id)
            return Response(
                answered,
                status,
                headers={k.decode(): v.decode() for k, v in headers},
                media_type="application/json",
            )
        keepers = [source for source in self.service.sources.values() if hasattr(source, "label")]
        known = 0
        for label in labels:
            told = [keeper.label(label.id, label.label) for keeper in keepers]  # each of them, always
            known += any(told)
        return JSONResponse({"known": known, "unknown": len(labels) - known})


async def _livez(_: Request) -> Response:
    return JSONResponse({"live": True})
