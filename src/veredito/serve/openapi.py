"""The service's interface as OpenAPI 3.1, made from the same schemas that check it."""

from __future__ import annotations

from typing import Any

from veredito import __version__
from veredito.schema import Field, Schema
from veredito.serve.assemble import Service

LABEL = Schema(
    "Label",
    [
        Field("id", "text", length_max=256, description="the event's id"),
        Field("label", "bool", description="whether it turned out to be what the model looks for"),
    ],
)

ANSWER: dict[str, Any] = {
    "title": "Answer",
    "type": "object",
    "properties": {
        "decision_id": {"type": "string", "description": "leads to the record"},
        "action": {"type": "string"},
        "reasons": {"type": "array", "items": {"type": "string"}},
        "score": {"type": ["number", "null"]},
        "source": {"enum": ["policy", "pre_policy", "fallback"]},
    },
    "required": ["decision_id", "action", "reasons", "score", "source"],
    "additionalProperties": False,
}

_ERROR: dict[str, Any] = {
    "title": "Error",
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "request_id": {"type": "string"},
                "problems": {"type": "array", "items": {"type": "object"}},
            },
            "required": ["code", "message", "request_id", "problems"],
        }
    },
    "required": ["error"],
}

_REFUSALS = {
    "400": "not JSON",
    "401": "no key, or an unknown one",
    "413": "the body is over the limit",
    "422": "fields do not fit; each is named",
    "500": "something broke in the service",
    "504": "the deadline passed",
    "503": "a limit is reached, or the service is stopping; see Retry-After",
}


def openapi(service: Service) -> dict[str, Any]:
    """The OpenAPI document of a service."""
    paths: dict[str, Any] = {}
    if service.inputs is not None:
        paths["/v1/decide"] = _post("Decide on one event.", service.inputs.json_schema(), ANSWER)
    for name, predictor in service.predictors.items():
        row, out = predictor.in_schema.json_schema(), predictor.answering.json_schema(predictor.out_schema)
        operation = _post(f"Score rows with the model '{name}'.", _one_or_many(row), _one_or_many(out))
        paths[f"/v1/predict/{name}"] = operation
        if len(service.predictors) == 1:
            paths["/v1/predict"] = operation
    if any(hasattr(source, "label") for source in service.sources.values()):
        counts = {
            "type": "object",
            "properties": {"known": {"type": "integer"}, "unknown": {"type": "integer"}},
        }
        paths["/v1/labels"] = _post(
            "Say what became of events.", {"type": "array", "items": LABEL.json_schema()}, counts
        )
    for path, summary in {"/livez": "Alive?", "/readyz": "Ready for requests?"}.items():
        paths[path] = {"get": {"summary": summary, "responses": {"200": {"description": "yes"}}}}
    paths["/readyz"]["get"]["responses"]["503"] = {"description": "no"}
    paths["/metrics"] = {
        "get": {
            "summary": "Metrics in Prometheus' text format.",
            "responses": {"200": {"description": "all"}},
        }
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": service.config.service.name, "version": __version__},
        "paths": paths,
    }


def _one_or_many(form: dict[str, Any]) -> dict[str, Any]:
    return {"oneOf": [form, {"type": "array", "items": form, "minItems": 1}]}


def _post(summary: str, body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    refusals = {status: {"description": text, "content": _json(_ERROR)} for status, text in _REFUSALS.items()}
    return {
        "post": {
            "summary": summary,
            "requestBody": {"required": True, "content": _json(body)},
            "responses": {"200": {"description": "answered", "content": _json(answer)}, **refusals},
        }
    }


def _json(form: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": form}}
