"""Send events to the service as a payment network would: in order, over kept connections, some at a time."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
import msgspec
from features import LABEL_DELAY_DAYS, Transaction

LABEL_DELAY = dt.timedelta(days=LABEL_DELAY_DAYS)


class Answer(msgspec.Struct):
    """What came back for one event.

    Attributes:
        transaction_id: of the event.
        status: of HTTP.
        latency_ms: from sending to having read the answer.
        decision: what the service said; empty if it gave no decision.
    """

    transaction_id: int
    status: int
    latency_ms: float
    decision: dict[str, Any]


class Report(msgspec.Struct, frozen=True):
    """A fraud that is reported some days after it happened."""

    transaction_id: int
    at: dt.datetime


async def send(
    url: str,
    events: Sequence[Transaction],
    frauds: Sequence[Report],
    *,
    in_flight: int,
    sent: Callable[[], None],
) -> list[Answer]:
    """Send every event, and each fraud's label when the events' time is a week past it.

    Events go out in order. One waits for those before it of the same customer or at the same terminal, as it
    would in life; so the service sees each customer's and each terminal's payments in the order they happened.

    Args:
        url: of the service.
        events: in order of time.
        frauds: in order of time, those of the past included.
        in_flight: most events unanswered at once.
        sent: called after each answer.

    Returns:
        The answers, in the order of the events.
    """
    connector = aiohttp.TCPConnector(limit=in_flight + 1, keepalive_timeout=60)
    async with aiohttp.ClientSession(url, connector=connector) as session:
        sender = _Sender(session, in_flight, sent)
        return await sender.send(events, deque(frauds))


class _Sender:
    def __init__(self, session: aiohttp.ClientSession, in_flight: int, sent: Callable[[], None]) -> None:
        self._session = session
        self._slots = asyncio.Semaphore(in_flight)
        self._sent = sent
        self._last: dict[tuple[str, int], asyncio.Task[Answer]] = {}
        self._encode = msgspec.json.Encoder().encode

    async def send(self, events: Sequence[Transaction], frauds: deque[Report]) -> list[Answer]:
        answers = []
        async with asyncio.TaskGroup() as tasks:
            for event in events:
                await self._report(frauds, event.at - LABEL_DELAY)
                await self._predecessors(event)
                await self._slots.acquire()
                answers.append(tasks.create_task(self._decide(event)))
                for key in _keys(event):
                    self._last[key] = answers[-1]
        return [answer.result() for answer in answers]

    async def _predecessors(self, event: Transaction) -> None:
        before = [task for key in _keys(event) if (task := self._last.get(key)) and not task.done()]
        if before:
            await asyncio.wait(before)

    async def _report(self, frauds: deque[Report], until: dt.datetime) -> None:
        labels = []
        while frauds and frauds[0].at <= until:
            labels.append({"id": str(frauds.popleft().transaction_id), "label": True})
        if labels:
            async with self._session.post("/v1/labels", data=self._encode(labels)) as response:
                response.raise_for_status()

    async def _decide(self, event: Transaction) -> Answer:
        body = self._encode(event)
        begun = time.perf_counter()
        try:
            async with self._session.post("/v1/decide", data=body) as response:
                answered, status = await response.read(), response.status
        finally:
            self._slots.release()
        latency_ms = (time.perf_counter() - begun) * 1e3
        self._sent()
        decision = msgspec.json.decode(answered) if status == 200 else {}
        return Answer(event.transaction_id, status, latency_ms, decision)


def _keys(event: Transaction) -> tuple[tuple[str, int], tuple[str, int]]:
    return ("customer", event.customer_id), ("terminal", event.terminal_id)
