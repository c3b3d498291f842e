"""The application: which path is answered by what.

The hot endpoints are raw ASGI; everything else is a Starlette router behind them. Health and metrics pass by
authentication and limits, so that a busy service still says how it is.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from veredito.errors import OutputError, OverloadedError, UnavailableError
from veredito.graph.metrics import metrics as graph_metrics
from veredito.record import metrics as record_metrics
from veredito.serve import http, oip
from veredito.serve.assemble import Service
from veredito.serve.deciding import Deciding
from veredito.serve.faults import described, stack
from veredito.serve.metrics import Metrics
from veredito.serve.openapi import LABEL, openapi
from veredito.serve.predicting import Predicting
from veredito.serve.predictor import Predictor
from veredito.serve.siblings import Siblings

log = logging.getLogger("veredito.serve")

_DECIDE = "/v1/decide"

Handler = Callable[[http.Call], Awaitable[bytes]]


class App:
    """The ASGI application of a service.

    Args:
        service: assembled; opened and closed by the ASGI lifespan.
        url: where it answers, for the log.
        sockets: the folder that worker processes share, where there are several.
    """

    def __init__(self, service: Service, *, url: str, sockets: Path | None = None) -> None:
        self.service = service
        self._url = url
        self.metrics = Metrics()
        self.ready = False
        self._settings = service.config.service
        self._hot: dict[str, Handler] = {}
        self._deciding: Deciding | None = None
        self._models = [self._predicting(name) for name in service.predictors]
        for model in self._models:
            self._hot[f"/v1/predict/{model.name}"] = model
            self._hot[f"/v2/models/{model.name}/infer"] = model.infer
            version = model.predictor.model.version
            self._hot[f"/v2/models/{model.name}/versions/{version}/infer"] = model.infer
        if len(self._models) == 1:
            self._hot["/v1/predict"] = self._models[0]
        self._siblings = Siblings(sockets, str(os.getpid()), self.metrics) if sockets else None
        self._rest = Starlette(routes=self._routes(), lifespan=self._lifespan)

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

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        await self.service.start()
        try:
            if self._siblings is not None:
                await self._siblings.start()
            self._open_decisions()
            self.ready = True
            log.info("ready: %s on %s", self._settings.name, self._url)
            yield
        finally:
            self.ready = False
            if self._siblings is not None:
                await self._siblings.aclose()
            for model in self._models:
                model.close()
            await self.service.aclose()

    def _predicting(self, name: str) -> Predicting:
        place, limits = self.service.batching[name]
        return Predicting(
            name,
            self.service.predictors[name],
            place=place,
            limits=limits,
            deadline_ms=self._settings.deadline_ms,
            metrics=self.metrics,
        )

    def _open_decisions(self) -> None:
        service = self.service
        recorder = service.recorder
        if recorder is not None:
            self.metrics.add(lambda: record_metrics(recorder.accounts()))
        if service.decider is not None and service.inputs is not None:
            self.metrics.add(graph_metrics)
            self._deciding = self._hot[_DECIDE] = Deciding(
                service.decider,
                service.inputs,
                self._settings.deadline_ms,
                self.metrics,
                recorder=recorder,
                keys=service.idempotency,
            )

    async def _answer(
        self, handler: Handler, scope: http.Scope, receive: http.Receive, send: http.Send
    ) -> None:
        request_id = http.request_id(scope)
        call = http.Call(scope, request_id, [(b"x-request-id", request_id.encode("ascii"))])
        self.metrics.counts.in_flight += 1
        begun = perf_counter()
        try:
            self._admit(scope)
            call.body = await http.read_body(scope, receive, self._settings.body_bytes_max)
            call.begun = begun = perf_counter()  # the caller's own slowness is not ours
            answered = await handler(call)
            status, headers = 200, call.headers
            if http.header(scope, b"x-server-timing") is not None:
                headers.append((b"server-timing", call.stages.server_timing()))
        except http.DisconnectedError:
            self.metrics.reject("disconnected")
            return
        except Exception as error:  # noqa: BLE001 - whatever broke, the caller gets an answer and the log the cause
            protocol = scope["path"].startswith("/v2/")
            status, answered, headers = self._refuse(error, request_id, sentence=protocol)
            if self._deciding is not None and (handler is self._deciding or isinstance(error, OutputError)):
                self._deciding.refused(error, request_id)
        finally:
            self.metrics.counts.in_flight -= 1
        self.metrics.request(scope["path"], status, perf_counter() - begun)
        await http.answer(send, status, answered, headers)

    def _admit(self, scope: http.Scope) -> None:
        """Refuse before any work is done: who may not ask, and what is too much."""
        keys = self.service.keys
        if keys is not None and not keys.admits(http.api_key(scope)):
            raise http.UnauthorizedError
        if self.metrics.counts.in_flight > self._settings.in_flight_max:
            raise OverloadedError(
                f"{self._settings.in_flight_max} requests are in flight", retry_after_seconds=1
            )

    def _refuse(
        self, error: Exception, request_id: str, *, sentence: bool = False
    ) -> tuple[int, bytes, list[http.Header]]:
        status, body, headers = http.refusal(error, request_id, sentence=sentence)
        if status >= 500 and not isinstance(error, UnavailableError):
            log.error("request_id=%s failed: %s", request_id, described(error))
            log.debug("request_id=%s\n%s", request_id, stack(error))
        self.metrics.reject(http.code(error))
        return status, body, headers

    def _routes(self) -> list[Route]:
        routes = [
            Route("/livez", _livez),
            Route("/readyz", self._readyz),
            Route("/metrics", self._metrics),
            Route("/openapi.json", self._openapi),
            Route("/v2", _v2),
            Route("/v2/health/live", _livez),
            Route("/v2/health/ready", self._readyz),
            Route("/v2/models/{name}", self._v2_model),
            Route("/v2/models/{name}/ready", self._v2_model_ready),
            Route("/v2/models/{name}/versions/{version}", self._v2_model),
            Route("/v2/models/{name}/versions/{version}/ready", self._v2_model_ready),
        ]
        if any(hasattr(source, "label") for source in self.service.sources.values()):
            routes.append(Route("/v1/labels", self._labels, methods=["POST"]))
        return routes

    async def _readyz(self, _: Request) -> Response:
        return JSONResponse({"ready": self.ready}, status_code=200 if self.ready else 503)

    async def _metrics(self, _: Request) -> Response:
        counts = await self._siblings.counts() if self._siblings is not None else None
        return Response(self.metrics.exposition(counts), media_type="text/plain; version=0.0.4")

    async def _openapi(self, _: Request) -> Response:
        return JSONResponse(openapi(self.service))

    async def _v2_model(self, request: Request) -> Response:
        predictor = self._v2_predictor(request)
        if predictor is None:
            return JSONResponse({"error": "no such model, or no such version of it"}, status_code=404)
        return JSONResponse(oip.model_metadata(request.path_params["name"], predictor))

    async def _v2_model_ready(self, request: Request) -> Response:
        ready = self.ready and self._v2_predictor(request) is not None
        return JSONResponse({"ready": ready}, status_code=200 if ready else 404)

    def _v2_predictor(self, request: Request) -> Predictor | None:
        predictor = self.service.predictors.get(request.path_params["name"])
        version = request.path_params.get("version")
        return predictor if predictor is not None and version in {None, predictor.model.version} else None

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


async def _v2(_: Request) -> Response:
    return JSONResponse(oip.server_metadata())


async def _livez(_: Request) -> Response:
    return JSONResponse({"live": True})
