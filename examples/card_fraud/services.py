"""The company's other services, played by one process: customers, cards, terminals and devices.

What is said of a key follows from the key and the seed alone. How long it takes is drawn: log-normal around
a median, and now and then far longer, as services are; some answers are errors.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import uvicorn

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

JSON = [(b"content-type", b"application/json")]


@dataclass(frozen=True)
class Manners:
    """How the services behave.

    Args:
        median_ms: half of the answers take less.
        spread: of the logarithm; 0.5 puts the 99th percentile at about 3.2 medians.
        tail: share of answers that take `tail_ms` more.
        tail_ms: on average; exponential.
        errors: share of answers that are 503.
        unknown: share of keys that nothing is known of: 404.
        seed: the same seed gives the same answers, and the same delays to the same order of requests.
    """

    median_ms: float = 3.0
    spread: float = 0.5
    tail: float = 0.005
    tail_ms: float = 60.0
    errors: float = 0.001
    unknown: float = 0.01
    seed: int = 0

    def delay_seconds(self, chance: random.Random) -> float:
        """How long the next answer takes."""
        delay_ms = self.median_ms * chance.lognormvariate(0.0, self.spread)
        if chance.random() < self.tail:
            delay_ms += chance.expovariate(1.0 / self.tail_ms)
        return delay_ms / 1e3


def customer(chance: random.Random) -> dict[str, Any]:
    """Who pays."""
    return {
        "segment": chance.choices(("standard", "premium", "student"), (80, 15, 5))[0],
        "since_days": chance.randrange(1, 5_000),
        "age": chance.randrange(18, 90),
    }


def card(chance: random.Random) -> dict[str, Any]:
    """What the issuer knows of the card."""
    state = "reported_lost" if chance.random() < 0.01 else "active"
    return {"state": state, "limit": 500 * chance.randrange(1, 20), "contactless": chance.random() < 0.9}


def terminal(chance: random.Random) -> dict[str, Any]:
    """Where the payment is made."""
    return {
        "category": chance.choice(("grocery", "fuel", "travel", "online", "restaurant")),
        "since_days": chance.randrange(1, 3_000),
        "disputes_open": chance.choices((0, 1, 2, 3, 5), (80, 12, 5, 2, 1))[0],
    }


def device(chance: random.Random) -> dict[str, Any]:
    """What is said of the device."""
    return {"reputation": round(chance.betavariate(8, 2), 3), "seen_days": chance.randrange(0, 900)}


PROFILES = {"customers": customer, "cards": card, "terminals": terminal, "devices": device}


def profile(kind: str, key: str, manners: Manners) -> dict[str, Any] | None:
    """What a service says of a key; `None` if nothing is known of it.

    Example:
        >>> profile("cards", "7", Manners()) == profile("cards", "7", Manners())
        True
    """
    chance = random.Random(zlib.crc32(f"{manners.seed}/{kind}/{key}".encode()))
    return None if chance.random() < manners.unknown else PROFILES[kind](chance)


class Services:
    """The services, as an ASGI application.

    Args:
        manners: how they behave.
    """

    def __init__(self, manners: Manners) -> None:
        self._manners = manners
        self._chance = random.Random(manners.seed)
        self._bodies: dict[str, bytes] = {}

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        """Answer ``GET /KIND/KEY``."""
        if scope["path"] == "/livez":
            await _answer(send, 200, b"{}")
            return
        if scope["method"] == "OPTIONS":  # a caller warming its connections up
            await _answer(send, 200, b"")
            return
        await asyncio.sleep(self._manners.delay_seconds(self._chance))
        if self._chance.random() < self._manners.errors:
            await _answer(send, 503, b'{"error": "unavailable"}')
            return
        body = self._body(scope["path"])
        await _answer(send, 200 if body else 404, body or b'{"error": "not found"}')

    def _body(self, path: str) -> bytes:
        """The answer's body, empty if there is none; made once, there are few keys."""
        if path not in self._bodies:
            kind, _, key = path.removeprefix("/").partition("/")
            said = profile(kind, key, self._manners) if kind in PROFILES else None
            self._bodies[path] = b"" if said is None else json.dumps(said).encode()
        return self._bodies[path]


async def _answer(send: Send, status: int, body: bytes) -> None:
    length = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": JSON + length})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    """Serve until told to stop."""
    manners = Manners()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=9001)
    for name in ("median_ms", "spread", "tail", "tail_ms", "errors", "unknown"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=getattr(manners, name))
    parser.add_argument("--seed", type=int, default=manners.seed)
    arguments = vars(parser.parse_args())
    port = arguments.pop("port")
    app = Services(Manners(**arguments))
    uvicorn.run(app, port=port, log_level="warning", access_log=False, lifespan="off", ws="none")


if __name__ == "__main__":
    main()
