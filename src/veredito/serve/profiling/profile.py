"""Stage times of many requests: as a record kept them, or of rows that are sent through the application now."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from time import perf_counter
from typing import Any

import msgspec

from veredito.errors import InputError, Problem
from veredito.record import DecisionRecord
from veredito.serve.app import App
from veredito.serve.stages import STAGES

REST = "rest"  # headers, ids, metrics, and the way through the application
_WARM_UP = 20  # requests that are not counted: caches fill, and the first of everything is slow
_TIMING = re.compile(rb"(\w+);dur=([0-9.]+)")


class Share(msgspec.Struct, frozen=True):
    """One stage of many requests.

    Attributes:
        stage: its name.
        p50_us: the median, in microseconds.
        p99_us: the 99th percentile.
        part: of all the time of all requests.
    """

    stage: str
    p50_us: float
    p99_us: float
    part: float


class Profile(msgspec.Struct, frozen=True):
    """Where the time of requests of one sort goes.

    Attributes:
        title: which requests they are.
        requests: how many.
        shares: in the order of the stages.
    """

    title: str
    requests: int
    shares: list[Share]


def shares(times: Sequence[Mapping[str, float]]) -> list[Share]:
    """The share of each stage.

    Args:
        times: stage to microseconds, a mapping a request, at least one; a stage that is not there took none.

    Example:
        >>> [(s.stage, s.p50_us, s.part) for s in shares([{"model": 90.0, "rest": 10.0}, {"model": 110.0}])]
        [('model', 90.0, 0.9523809523809523), ('rest', 0.0, 0.047619047619047616)]
    """
    total = sum(sum(one.values()) for one in times) or 1.0
    found = {stage for one in times for stage in one}
    return [
        Share(stage, _percentile(values, 50), _percentile(values, 99), sum(values) / total)
        for stage in (*STAGES, REST)
        if stage in found
        for values in [sorted(one.get(stage, 0.0) for one in times)]
    ]


def recorded(records: Iterable[DecisionRecord]) -> Profile | None:
    """Where the time of recorded decisions went; `None` where none was answered."""
    times = [record.stages_us for record in records if record.status == "answered" and record.stages_us]
    return Profile("decisions of the record", len(times), shares(times)) if times else None


async def requested(app: App, path: str, bodies: Sequence[bytes], title: str) -> Profile:
    """Where the time goes of requests that are made now, one after another, in this process.

    Args:
        app: of the service.
        path: the endpoint, such as ``/v1/predict/fraud``.
        bodies: of the requests, at least one.
        title: which requests they are.

    Raises:
        InputError: one of them is not answered with 200; its place is named.
    """
    for body in bodies[:_WARM_UP]:
        await _times(app, path, body)
    times = []
    for place, body in enumerate(bodies):
        status, stages = await _times(app, path, body)
        if status != 200:
            hint = "send it to the service to see what is wrong with it"
            raise InputError(Problem(f"request {place + 1}", f"is answered with {status}", hint=hint))
        times.append(stages)
        await asyncio.sleep(0)  # a turn of the loop of its own, as for a caller who is alone
    return Profile(title, len(times), shares(times))


async def _times(app: App, path: str, body: bytes) -> tuple[int, dict[str, float]]:
    """Status, and stage to microseconds, of one request through the application."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"x-server-timing", b"1")]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers}
    begun = perf_counter()
    await app(scope, receive, send)
    total_us = (perf_counter() - begun) * 1e6
    timing = dict(sent[0]["headers"]).get(b"server-timing", b"")
    stages = {name.decode(): float(ms) * 1e3 for name, ms in _TIMING.findall(timing)}
    return sent[0]["status"], stages | {REST: max(0.0, total_us - sum(stages.values()))}


def _percentile(ordered: Sequence[float], part: int) -> float:
    return ordered[max(0, -(-len(ordered) * part // 100) - 1)]
