"""The HTTP source against a real server: what it asks, what it makes of the answers, how it holds its connections."""

import asyncio
import warnings
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from veredito import sources
from veredito.errors import ConfigError, SourceError


class Company:
    """A server that says what it was asked, and behaves as the path tells it to."""

    def __init__(self):
        self.paths = []
        self.connections = set()
        self.headers = {}
        self.in_flight = self.in_flight_most = 0
        self.asked, self.held = asyncio.Event(), asyncio.Event()

    async def answer(self, request):
        self.connections.add(request.transport)
        self.in_flight += 1
        self.in_flight_most = max(self.in_flight, self.in_flight_most)
        try:
            return await self.say(request)
        finally:
            self.in_flight -= 1

    async def say(self, request):
        if request.method == "OPTIONS":
            return web.Response()
        self.paths.append(request.raw_path)
        self.asked.set()
        self.headers = dict(request.headers)
        kind, _, key = request.path.strip("/").partition("/")
        if kind == "status":
            return web.Response(status=int(key), headers={"Location": "/profiles/elsewhere"})
        if kind == "text":
            return web.Response(text="hello")
        if kind == "long":
            return web.json_response("x" * 2_000)
        if kind == "held" and key == "slow":
            await self.held.wait()
        return web.json_response({"key": key}, headers={"Set-Cookie": "who=1"})


@asynccontextmanager
async def company():
    server = Company()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        server.held.set()
        await runner.cleanup()


@asynccontextmanager
async def opened(url, **more):
    source = sources.open("crm", {"kind": "http", "url": url} | more)
    await source.start()
    try:
        yield source
    finally:
        await source.aclose()


def test_a_key_is_put_into_the_url_quoted():
    """Whatever a key holds, it stays one part of the path."""

    async def main():
        async with company() as server, opened(server.url + "/customers/{key}/profile?full=1") as crm:
            for key in (7, "a/../b?c=d&e#f", "ação %41"):
                await crm.get(key)
            return server.paths

    assert asyncio.run(main()) == [
        "/customers/7/profile?full=1",
        "/customers/a%2F..%2Fb%3Fc%3Dd%26e%23f/profile?full=1",
        "/customers/a%C3%A7%C3%A3o%20%2541/profile?full=1",
    ]


@pytest.mark.parametrize("key", ["", ".", ".."])
def test_a_key_that_means_another_place_is_not_asked_for(key):
    """Quoting does not help here: servers resolve dots, and an empty part names the collection."""

    async def main():
        async with company() as server, opened(server.url + "/customers/{key}") as crm:
            with pytest.raises(SourceError, match="'crm' cannot be asked for such a key"):
                await crm.get(key)
            return server.paths

    assert asyncio.run(main()) == []


def test_the_answer_is_its_json():
    """What the service says comes back as data."""

    async def main():
        async with company() as server, opened(server.url + "/profiles/{key}") as crm:
            return await crm.get("k")

    assert asyncio.run(main()) == {"key": "k"}


def test_not_found_is_an_answer():
    """404 says that nothing is known of the key, and is no failure."""

    async def main():
        async with company() as server, opened(server.url + "/status/{key}") as crm:
            return await crm.get(404)

    assert asyncio.run(main()) is None


@pytest.mark.parametrize(
    ("path", "key", "message"),
    [
        ("/status/{key}", 500, "source 'crm' answered 500"),
        ("/status/{key}", 302, "source 'crm' answered 302"),
        ("/text/{key}", "k", "something other than JSON"),
        ("/long/{key}", "k", "more than 1000 bytes"),
    ],
)
def test_what_is_no_answer_is_a_source_error(path, key, message):
    """Errors, redirects, other formats and floods are failures that name the source, and never the key."""

    async def main():
        async with company() as server, opened(server.url + path, body_bytes_max=1000) as crm:
            with pytest.raises(SourceError, match=message):
                await crm.get(key)

    asyncio.run(main())


def test_an_answer_that_takes_too_long_is_given_up():
    """The source's own limit ends what nobody waits for any more."""

    async def main():
        async with company() as server, opened(server.url + "/held/{key}", timeout_ms=50) as crm:
            with pytest.raises(SourceError, match="no answer in 50 ms"):
                await crm.get("slow")
            return await crm.get("quick")

    assert asyncio.run(main()) == {"key": "quick"}


def test_connections_are_open_before_the_first_request_and_stay_open():
    """The first decision pays for no connecting; later ones use the same connections."""

    async def main():
        async with company() as server, opened(server.url + "/profiles/{key}", connections_warm=3) as crm:
            warm = set(server.connections)
            for number in range(20):
                await crm.get(number)
            return len(warm), server.connections == warm

    assert asyncio.run(main()) == (3, True)


def test_no_more_requests_are_in_flight_than_connections():
    """`connections_max` bounds what one service can be asked at once; the rest waits its turn."""

    async def main():
        async with (
            company() as server,
            opened(server.url + "/profiles/{key}", connections_max=2, connections_warm=0) as crm,
        ):
            answers = await asyncio.gather(*(crm.get(number) for number in range(50)))
            return answers, server.in_flight_most

    answers, most = asyncio.run(main())
    assert answers == [{"key": str(number)} for number in range(50)]
    assert most <= 2


def test_a_cancelled_request_leaves_its_answer_to_nobody():
    """After a cancel, the next request on the source gets its own answer."""

    async def main():
        async with (
            company() as server,
            opened(server.url + "/held/{key}", connections_max=1, connections_warm=1) as crm,
        ):
            slow = asyncio.ensure_future(crm.get("slow"))
            await server.asked.wait()
            slow.cancel()
            with pytest.raises(asyncio.CancelledError):
                await slow
            server.held.set()
            return [await crm.get(number) for number in range(5)]

    assert asyncio.run(main()) == [{"key": str(number)} for number in range(5)]


def test_one_callers_cookie_is_not_sent_for_another():
    """Nothing of an answer is carried into the next request."""

    async def main():
        async with company() as server, opened(server.url + "/profiles/{key}") as crm:
            await crm.get(1)
            await crm.get(2)
            return server.headers

    assert "Cookie" not in asyncio.run(main())


def test_headers_and_secrets_are_sent(monkeypatch):
    """A fixed header is in the config; a secret is in the environment, and the config names the variable."""
    monkeypatch.setenv("CRM_KEY", "s3cret")

    async def main():
        async with (
            company() as server,
            opened(
                server.url + "/profiles/{key}",
                headers={"X-Team": "fraud"},
                headers_environment={"Authorization": "CRM_KEY"},
            ) as crm,
        ):
            await crm.get(1)
            return server.headers["X-Team"], server.headers["Authorization"]

    assert asyncio.run(main()) == ("fraud", "s3cret")


def test_a_secret_that_is_not_set_is_said_at_the_start():
    """The message names the variable and where the config asks for it."""
    source = sources.open(
        "crm",
        {"kind": "http", "url": "http://127.0.0.1/{key}", "headers_environment": {"X-Key": "NOT_SET_HERE"}},
    )

    with pytest.raises(
        ConfigError, match=r"headers_environment.X-Key: the environment variable NOT_SET_HERE"
    ):
        asyncio.run(source.start())


def test_a_service_that_is_down_does_not_keep_ours_from_starting(caplog, unused_tcp_port):
    """It is said in the log; the effects that ask it fail by name, or have their defaults."""

    async def main():
        async with opened(f"http://127.0.0.1:{unused_tcp_port}/{{key}}", connections_warm=1) as crm:
            with pytest.raises(SourceError, match="source 'crm' failed: ClientConnectorError"):
                await crm.get(1)

    asyncio.run(main())
    assert "source crm: cannot connect yet" in caplog.text


def test_closing_twice_is_safe_and_leaves_nothing_open():
    """After `aclose` nothing is left to warn of, and asking says that the source is not started."""

    async def main():
        async with company() as server, opened(server.url + "/profiles/{key}") as crm:
            await crm.get(1)
            await crm.aclose()
            await crm.aclose()
            with pytest.raises(SourceError, match="'crm' is not started"):
                await crm.get(1)

    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        asyncio.run(main())


@pytest.mark.parametrize("url", ["ftp://host/{key}", "/customers/{key}", "http://{key}.host/", "crm"])
def test_a_url_that_cannot_be_asked_is_refused(url):
    """Said when the config is checked; a key may never choose the host."""
    problems = sources.check("crm", {"kind": "http", "url": url})

    assert [problem.what for problem in problems] == [
        "url must be http://host/path or https://host/path, and {key} may not name the host"
    ]
