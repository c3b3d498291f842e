"""Open loop: requests are sent when they are due, whether or not earlier ones were answered.

Arrivals are Poisson and seeded. Latency counts from the moment a request was due, so that a stall is felt by
all that were due during it (no coordinated omission), and every latency is kept: percentiles are exact.
`select` is used for its timers of microseconds; `epoll`'s, in Python, have milliseconds.

python -m bench.serving.open_loop PORT PATH BODIES --rate 400 --seconds 5
"""

import argparse
import asyncio
import collections
import json
import random
import selectors
import time
from pathlib import Path

CONNECTIONS = 128


class Connection(asyncio.Protocol):
    """One kept-alive connection; it has one request at a time."""

    def __init__(self, load):
        self.load = load
        self.received = b""
        self.due = 0.0
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport

    def send(self, request, due):
        self.received, self.due = b"", due
        self.transport.write(request)

    def data_received(self, data):
        self.received += data
        if complete(self.received):
            self.load.answered(self, status(self.received))

    def connection_lost(self, _):
        if self in self.load.busy:
            self.load.answered(self, 0)
        self.closed.set_result(None)


def complete(received):
    """Whether a response is whole: by its length, or by its last chunk."""
    head, found, body = received.partition(b"\r\n\r\n")
    if not found:
        return False
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line[15:])
    return body.endswith(b"0\r\n\r\n")


def status(received):
    return int(received[9:12])


class Load:
    """The arrivals, the connections that are free, and what was measured."""

    def __init__(self, bodies, port, path):
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: "
        self.requests = [head.encode() + b"%d\r\n\r\n" % len(body) + body for body in bodies]
        self.port = port
        self.idle, self.busy, self.waiting = [], set(), collections.deque()
        self.quiet = asyncio.Event()
        self.latencies, self.lateness, self.failed = [], [], 0

    async def run(self, rate, seconds, seed):
        loop = asyncio.get_running_loop()
        made = [
            await loop.create_connection(lambda: Connection(self), "127.0.0.1", self.port)
            for _ in range(CONNECTIONS)
        ]
        self.idle = [connection for _, connection in made]
        await self.send(rate, seconds, random.Random(seed))
        if self.busy:
            await self.quiet.wait()
        for transport, connection in made:
            transport.close()
            await connection.closed

    async def send(self, rate, seconds, arrivals):
        """Start each request when it is due; those due at once are started at once."""
        due = time.perf_counter() + 0.1
        end = due + seconds
        place = 0
        while due < end:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            self.lateness.append(time.perf_counter() - due)
            self.start(self.requests[place % len(self.requests)], due)
            place += 1
            due += arrivals.expovariate(rate)

    def start(self, request, due):
        if not self.idle:
            self.waiting.append((request, due))
            return
        connection = self.idle.pop()
        self.busy.add(connection)
        connection.send(request, due)

    def answered(self, connection, code):
        self.latencies.append(time.perf_counter() - connection.due)
        self.failed += code != 200
        self.busy.discard(connection)
        if not connection.transport.is_closing():
            self.idle.append(connection)
        if self.waiting and self.idle:
            self.start(*self.waiting.popleft())
        self.quiet.clear() if self.busy else self.quiet.set()


def percentile(values, part):
    """The smallest value that `part` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * part // 100) - 1)]


async def loaded(port, path, bodies, rate, seconds, seed):
    load = Load(bodies, port, path)
    async with asyncio.timeout(seconds + 30):
        await load.run(rate, seconds, seed)
    return load


def measure(port, path, bodies, rate, seconds, seed=1):
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        load = runner.run(loaded(port, path, bodies, rate, seconds, seed))
    return {
        "rate": round(rate, 1),
        "requests": len(load.latencies),
        "failed": load.failed,
        "p50_ms": round(percentile(load.latencies, 50) * 1e3, 4),
        "p99_ms": round(percentile(load.latencies, 99) * 1e3, 4),
        "late_p99_ms": round(percentile(load.lateness, 99) * 1e3, 4),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("bodies", type=Path)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    bodies = given.bodies.read_bytes().splitlines()
    print(json.dumps(measure(given.port, given.path, bodies, given.rate, given.seconds)))


if __name__ == "__main__":
    main()
