"""The raw ASGI path: reading a bounded body, answering bytes, and errors as JSON.

The hot endpoints pass through here and nothing else: no request object, no middleware, no re-encoding.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from time import monotonic, perf_counter
from typing import Any, Literal, TypeAlias

import msgspec
import uuid_utils

from veredito.errors import (
    DeadlineError,
    InputError,
    OverloadedError,
    Problem,
    UnavailableError,
    VereditoError,
)
from veredito.serve.stages import Stages

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Header: TypeAlias = tuple[bytes, bytes]

_CONFLICTS = {
    "other_body": "the idempotency key was used with another body",
    "in_progress": "the first request with this idempotency key is still being decided",
}
_TIMEOUT_HEADER = b"x-request-timeout-ms"
_JSON = (b"content-type", b"application/json")
_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")  # printable and short, or it is not echoed into logs


class BodyTooLargeError(VereditoError):
    """The request's body is over the limit."""


class UnauthorizedError(VereditoError):
    """The request has no key, or one that is not known."""


class IdempotencyConflictError(VereditoError):
    """An idempotency key belongs to another body, or its first request is still being decided."""

    def __init__(self, reason: Literal["other_body", "in_progress"]) -> None:
        super().__init__(_CONFLICTS[reason])
        self.reason = reason


class DisconnectedError(VereditoError):
    """The client left before its request was whole."""


class Call(msgspec.Struct):
    """One request on a hot path.

    Attributes:
        scope: ASGI's.
        request_id: the caller's, or a new one.
        headers: of the answer, so far.
        body: once it is read.
        begun: when the body was whole, on `time.perf_counter()`.
        stages: where the time goes.
    """

    scope: Scope
    request_id: str
    headers: list[Header]
    body: bytes = b""
    begun: float = 0.0
    stages: Stages = msgspec.field(default_factory=Stages)


class Refusal(msgspec.Struct, frozen=True):
    """What an error looks like to a caller. It repeats no value that was sent.

    Attributes:
        code: stable, for programs.
        message: for people.
        request_id: leads to the log.
        problems: one a fault, each with `place`, `what` and, where there is one, `hint`.
    """

    code: str
    message: str
    request_id: str
    problems: list[dict[str, str]] = []


def new_id() -> str:
    """A UUIDv7: unique, and sorted by time."""
    return str(uuid_utils.uuid7())


def header(scope: Scope, name: bytes) -> bytes | None:
    """A request header's value; the last one where it is repeated."""
    found = None
    for key, value in scope["headers"]:
        if key == name:
            found = value
    return found


def deadline(call: Call, deadline_ms: float) -> float:
    """When a call's answer is due, on `time.monotonic()`: the service's deadline, or the caller's earlier one.

    Raises:
        InputError: the caller's is not a whole number of milliseconds.
    """
    asked = header(call.scope, _TIMEOUT_HEADER)
    if asked is not None:
        if not asked.isdigit() or int(asked) == 0:
            what = "must be a whole number of milliseconds, above 0"
            raise InputError(Problem(_TIMEOUT_HEADER.decode(), what))
        deadline_ms = min(int(asked), deadline_ms)
    return monotonic() - (perf_counter() - call.begun) + deadline_ms / 1e3


def api_key(scope: Scope) -> bytes:
    """The key a caller shows: ``X-API-Key``, or ``Authorization: Bearer``."""
    shown = header(scope, b"x-api-key")
    if shown is not None:
        return shown
    scheme, _, token = (header(scope, b"authorization") or b"").partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else b""


def request_id(scope: Scope) -> str:
    """The caller's ``X-Request-ID``, or a new one."""
    given = header(scope, b"x-request-id")
    return given.decode("ascii") if given and _REQUEST_ID.fullmatch(given) else new_id()


async def read_body(scope: Scope, receive: Receive, bytes_max: int) -> bytes:
    """The whole body.

    Raises:
        BodyTooLargeError: it is longer than allowed, by its header or in fact.
        DisconnectedError: the client left.
    """
    length = header(scope, b"content-length")
    if length is not None and length.isdigit() and int(length) > bytes_max:
        raise BodyTooLargeError
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        if len(body) > bytes_max:
            raise BodyTooLargeError
        return body
    parts, size = [], 0
    while message["type"] == "http.request":
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > bytes_max:
            raise BodyTooLargeError
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()
    raise DisconnectedError


async def answer(send: Send, status: int, body: bytes, headers: Sequence[Header] = ()) -> None:
    """Send a JSON answer."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [_JSON, (b"content-length", b"%d" % len(body)), *headers],
        }
    )
    await send({"type": "http.response.body", "body": body})


def refusal(error: Exception, request: str, *, sentence: bool = False) -> tuple[int, bytes, list[Header]]:
    """Status, body and headers for an error.

    Args:
        error: what broke.
        request: the request's id.
        sentence: write ``error`` as one text, as the inference protocol has it, and the rest beside it.
    """
    status, code, message = _kind(error)
    problems = [_plain(problem) for problem in error.problems] if isinstance(error, InputError) else []
    headers = [(b"x-request-id", request.encode("ascii"))]
    if isinstance(error, UnavailableError) and status == 503:
        headers.append((b"retry-after", b"%d" % max(1, round(error.retry_after_seconds or 1))))
    if sentence:
        text = "; ".join([message, *(f"{problem['place']}: {problem['what']}" for problem in problems)])
        body: dict[str, Any] = {"error": text, "code": code, "request_id": request, "problems": problems}
    else:
        body = {"error": Refusal(code, message, request, problems)}
    return status, msgspec.json.encode(body), headers


def code(error: Exception) -> str:
    """The stable code of an error, for metrics."""
    return _kind(error)[1]


def _kind(error: Exception) -> tuple[int, str, str]:
    match error:
        case InputError():
            broken = [problem.place for problem in error.problems] == ["body"]
            return (400 if broken else 422), "invalid_input", "the request does not fit the schema"
        case BodyTooLargeError():
            return 413, "body_too_large", "the body is over the limit"
        case IdempotencyConflictError(reason="in_progress"):
            return 409, "idempotency_conflict", str(error)
        case IdempotencyConflictError():
            return 422, "idempotency_conflict", str(error)
        case UnauthorizedError():
            return 401, "unauthorized", "a valid key is needed: X-API-Key, or Authorization: Bearer"
        case OverloadedError():
            return 503, "overloaded", str(error)
        case DeadlineError():
            return 504, "deadline", "the deadline passed before there was an answer"
        case UnavailableError():
            return 503, "unavailable", "the service cannot answer now"
        case _:
            return 500, "internal", "something broke here; the log has the request id"


def _plain(problem: Problem) -> dict[str, str]:
    parts = {"place": problem.place, "what": problem.what, "hint": problem.hint}
    return {key: value for key, value in parts.items() if value}
