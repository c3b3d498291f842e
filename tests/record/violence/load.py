"""Callers that write down what they were told."""

import asyncio
import threading

import aiohttp
from tests.record.violence.project import event


class Load:
    """Sends payments from several connections until it is stopped, or until nobody answers any more.

    Attributes:
        acknowledged: payment number to the answer of a decision.
        refused: numbers answered with an error.
        unknown: numbers sent and never answered.
    """

    def __init__(self, url, first=0, connections=16, keyed=False):
        self._url, self._number, self._connections, self._keyed = url, first, connections, keyed
        self.acknowledged, self.refused, self.unknown = {}, {}, set()
        self._stopping = threading.Event()
        self._progress = threading.Condition()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def sent(self):
        """The numbers of all payments sent."""
        return self.acknowledged.keys() | self.refused.keys() | self.unknown

    def wait_for(self, answers, timeout_seconds=60):
        """Wait until so many were answered, or all connections have ended."""
        self.wait_until(lambda: len(self.acknowledged) + len(self.refused) >= answers, timeout_seconds)

    def wait_until(self, condition, timeout_seconds=60):
        """Wait until an answer makes the condition true, or all connections have ended."""
        with self._progress:
            over = lambda: condition() or not self._thread.is_alive()  # noqa: E731 - one use
            assert self._progress.wait_for(over, timeout_seconds), "too slow"

    def stop(self):
        """Send no more, and wait for what is under way."""
        self._stopping.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), "a caller still waits for its answer"

    async def _run(self):
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            await asyncio.gather(*(self._call(session) for _ in range(self._connections)))

    async def _call(self, session):
        while not self._stopping.is_set():
            number, self._number = self._number, self._number + 1
            headers = {"idempotency-key": f"k{number}"} if self._keyed else {}
            try:
                async with session.post(
                    f"{self._url}/v1/decide", json=event(number), headers=headers
                ) as reply:
                    status, body = reply.status, await reply.json()
            except aiohttp.ClientError:
                self.unknown.add(number)
                return
            with self._progress:
                if status == 200:
                    self.acknowledged[number] = body
                else:
                    self.refused[number] = status
                self._progress.notify_all()
