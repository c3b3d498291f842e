"""Sources under stress: what a table asks for is done to the real source, and nothing else."""

import asyncio

import pytest
from aiohttp import web

from veredito import sources
from veredito.errors import OverloadedError, SourceError
from veredito.graph.resilience import BreakerOpenError
from veredito.sources.http import HttpSource


class Moody:
    """A server that fails, is slow or answers, as its script says; when the script ends, it answers."""

    def __init__(self, script=()):
        self.script = list(script)
        self.asked = []
        self.held = asyncio.Event()
        self.arrived = asyncio.Semaphore(0)

    async def answer(self, request):
        if request.method == "OPTIONS":
            return web.Response()
        self.asked.append(request.path)
        self.arrived.release()
        mood = self.script.pop(0) if self.script else "answer"
        if mood == "hold":
            await self.held.wait()
        return web.Response(status=503) if mood == "fail" else web.json_response({"times": len(self.asked)})


def with_source(script, table, use):
    """What `use(source, server)` gives, with a source of that table in front of a server of that script."""

    async def main():
        server = Moody(script)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", server.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/{{key}}"
        source = sources.open("crm", {"kind": "http", "url": url} | table)
        try:
            await source.start()
            return await use(source, server)
        finally:
            server.held.set()
            await source.aclose()
            await runner.cleanup()

    return asyncio.run(main())


def test_a_failure_is_tried_again():
    """`retry` hides one bad answer from the caller."""

    async def use(crm, server):
        return await crm.get("k"), len(server.asked)

    assert with_source(["fail"], {"retry": {"attempts": 2, "backoff_ms": 0}}, use) == ({"times": 2}, 2)


def test_without_policies_a_failure_is_a_failure():
    """Nothing is done that was not asked for: the source is the plain one."""

    async def use(crm, server):
        with pytest.raises(SourceError, match="answered 503"):
            await crm.get("k")
        return type(crm), len(server.asked)

    assert with_source(["fail"], {}, use) == (HttpSource, 1)


def test_a_slow_attempt_leaves_time_for_another():
    """`attempt_timeout_ms` gives the first up, `retry` makes the second."""

    async def use(crm, server):
        return await crm.get("k")

    table = {"attempt_timeout_ms": 50, "retry": {"attempts": 2, "backoff_ms": 0}}
    assert with_source(["hold"], table, use) == {"times": 2}


def test_a_late_answer_is_asked_for_a_second_time():
    """`hedge` takes the answer that comes first, once it knows what is usual."""

    async def use(crm, server):
        for _ in range(10):
            await crm.get("k")
        server.script = ["hold"]
        return (await crm.get("k"))["times"]

    assert with_source([], {"hedge": {"samples_min": 5, "share": 1.0}}, use) == 12


def test_what_keeps_failing_is_not_asked():
    """`breaker` opens, and the server has its peace."""

    async def use(crm, server):
        for _ in range(2):
            with pytest.raises(SourceError, match="answered 503"):
                await crm.get("k")
        with pytest.raises(BreakerOpenError, match="'crm' keeps failing"):
            await crm.get("k")
        return len(server.asked)

    assert with_source(["fail"] * 9, {"breaker": {"failures": 2}}, use) == 2


def test_more_than_the_limit_is_refused_at_once():
    """`limit` bounds what is in flight and what waits for it."""

    async def use(crm, server):
        held = asyncio.ensure_future(crm.get("a"))
        await server.arrived.acquire()
        with pytest.raises(OverloadedError, match="'crm' has 1 calls in flight"):
            await crm.get("b")
        server.held.set()
        await held
        return len(server.asked)

    assert with_source(["hold"], {"limit": {"in_flight_max": 1, "waiting_max": 0}}, use) == 1


def test_an_answer_is_kept_for_a_while():
    """`cache` asks once for each key."""

    async def use(crm, server):
        for key in ("a", "a", "b", "a"):
            await crm.get(key)
        return server.asked

    assert with_source([], {"cache": {"ttl_ms": 60_000}}, use) == ["/a", "/b"]


def test_callers_at_the_same_time_share_one_call():
    """`single_flight` asks once for all who wait for the same key."""

    async def use(crm, server):
        callers = [asyncio.ensure_future(crm.get("a")) for _ in range(5)]
        await server.arrived.acquire()
        server.held.set()
        await asyncio.gather(*callers)
        return server.asked

    assert with_source(["hold"], {"single_flight": True}, use) == ["/a"]


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("http", {"url": "http://host/{key}"}),
        ("redis", {"url": "redis://host/0"}),
        ("postgres", {"url": "postgresql://host/db", "query": "select $1"}),
    ],
)
def test_mistakes_in_policies_are_found_in_the_config(kind, more):
    """Each with its place, like every other mistake."""
    table = {"kind": kind, "retry": {"attempt": 3}, "limit": {}, "caches": {"ttl_ms": 1}}

    problems = sources.check("it", table | more)

    assert {(problem.place, problem.what) for problem in problems} == {
        ("[sources.it.retry].attempt", "unknown key"),
        ("[sources.it.limit].in_flight_max", "is required"),
        ("[sources.it.caches]", "unknown key"),
    }


@pytest.mark.parametrize("kind", ["table", "windows"])
def test_what_is_in_memory_takes_no_policies(kind):
    """An option that would have no effect is a mistake."""
    problems = sources.check("it", {"kind": kind, "breaker": {}})

    assert "[sources.it.breaker]" in [problem.place for problem in problems if problem.what == "unknown key"]
