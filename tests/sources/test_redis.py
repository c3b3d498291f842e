"""The Redis source against a real server: forms of values, cancelled readers, limits."""

import asyncio
import signal
from contextlib import asynccontextmanager, contextmanager

import pytest

from veredito import sources
from veredito.errors import ConfigError, SourceError


@asynccontextmanager
async def opened(url, **more):
    source = sources.open("cache", {"kind": "redis", "url": url} | more)
    await source.start()
    try:
        yield source
    finally:
        await source.aclose()


@contextmanager
def silence(process):
    """A server that is there and says nothing."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def administrator(url):
    from redis.asyncio import Redis

    client = Redis.from_url(url)
    try:
        yield client
    finally:
        await client.aclose()


def test_values_come_in_the_configured_form(redis_url):
    """JSON as data, text as text, a hash as a mapping; nothing stored is `None` in every form."""

    async def main():
        async with administrator(redis_url) as admin:
            await admin.set("customer:7", '{"age": 41}')
            await admin.hset("hash:7", mapping={"age": "41"})
        found = []
        for key, form in (("customer:{key}", "json"), ("customer:{key}", "text"), ("hash:{key}", "hash")):
            async with opened(redis_url, key=key, form=form) as cache:
                found += [await cache.get(7), await cache.get("nobody")]
        return found

    assert asyncio.run(main()) == [{"age": 41}, None, '{"age": 41}', None, {"age": "41"}, None]


def test_a_value_of_another_form_is_a_source_error(redis_url):
    """What cannot be read is a failure that names the source, and not the value."""

    async def main():
        async with administrator(redis_url) as admin:
            await admin.set("broken", "{not json")
            await admin.hset("mapping", mapping={"a": "1"})
        async with opened(redis_url) as cache:
            with pytest.raises(SourceError, match="'cache' holds something other than JSON"):
                await cache.get("broken")
            with pytest.raises(SourceError, match="'cache' failed: ResponseError"):
                await cache.get("mapping")

    asyncio.run(main())


def test_a_cancelled_reader_leaves_no_reply_to_the_next(redis_url, redis_process):
    """Readers that stop waiting while the server is silent: all that come after get their own values."""

    async def main():
        async with (
            administrator(redis_url) as admin,
            opened(redis_url, connections_max=2, connections_warm=2, form="text") as cache,
        ):
            for number in range(20):
                await admin.set(f"n{number}", str(number))
            before = {client["id"] for client in await admin.client_list()}
            for _ in range(5):
                with silence(redis_process):
                    readers = [asyncio.ensure_future(cache.get(f"n{number}")) for number in range(6)]
                    await asyncio.wait(readers, timeout=0.02)
                    for reader in readers[:4]:
                        reader.cancel()
                kept = await asyncio.gather(*readers, return_exceptions=True)
                assert kept[4:] == ["4", "5"]
                assert all(isinstance(reader, asyncio.CancelledError) for reader in kept[:4])
                assert [await cache.get(f"n{number}") for number in range(20)] == [str(n) for n in range(20)]
            return before, {client["id"] for client in await admin.client_list()}

    before, after = asyncio.run(main())
    assert after == before, "no connection was lost, and none was added"


def test_a_silent_server_is_given_up_in_time(redis_url, redis_process):
    """A reader waits for `timeout_ms`, and the source works again when the server does."""

    async def main():
        async with administrator(redis_url) as admin, opened(redis_url, timeout_ms=100, form="text") as cache:
            await admin.set("k", "v")
            with silence(redis_process), pytest.raises(SourceError, match="'cache' failed: TimeoutError"):
                await cache.get("k")
            return await cache.get("k")

    assert asyncio.run(main()) == "v"


def test_closing_gives_up_what_still_waits(redis_url, redis_process):
    """A stop does not wait for a silent server; its readers are told."""

    async def main():
        async with opened(redis_url, timeout_ms=60_000) as cache:
            with silence(redis_process):
                reader = asyncio.ensure_future(cache.get("k"))
                await asyncio.wait([reader], timeout=0.02)
                await cache.aclose()
                with pytest.raises(asyncio.CancelledError):
                    await reader
            with pytest.raises(SourceError, match="'cache' is not started"):
                await cache.get("k")

    asyncio.run(main())


def test_a_server_that_is_not_there_stops_the_start(unused_tcp_port):
    """A store that cannot be reached, or refuses us, is found out before the service says it is ready."""

    async def main():
        async with opened(f"redis://127.0.0.1:{unused_tcp_port}/0"):
            pass

    with pytest.raises(SourceError, match="'cache' failed: ConnectionError"):
        asyncio.run(main())


def test_a_password_is_taken_from_the_environment(redis_url, monkeypatch):
    """A password that is not set, or is wrong, is found at the start; the right one opens."""

    async def open_with_password():
        async with opened(redis_url, password_environment="CACHE_PASSWORD", form="text") as cache:
            return await cache.get("nobody")

    async def main():
        async with administrator(redis_url) as admin:
            await admin.config_set("requirepass", "right")
            try:
                with pytest.raises(ConfigError, match="the environment variable CACHE_PASSWORD is not set"):
                    await open_with_password()
                monkeypatch.setenv("CACHE_PASSWORD", "wrong")
                with pytest.raises(SourceError, match="'cache' failed: Auth"):
                    await open_with_password()
                monkeypatch.setenv("CACHE_PASSWORD", "right")
                return await open_with_password()
            finally:
                await admin.config_set("requirepass", "")

    assert asyncio.run(main()) is None


def test_secrets_and_keys_are_checked_in_the_config():
    """A password in the URL, or a template without a place for the key, is refused before anything opens."""
    secret = sources.check("cache", {"kind": "redis", "url": "redis://:hunter2@host/0"})
    keyless = sources.check("cache", {"kind": "redis", "url": "redis://host/0", "key": "customer"})

    assert ["password_environment" in str(problem) for problem in secret] == [True]
    assert "hunter2" not in str(secret[0])
    assert [problem.what for problem in keyless] == ["key must have {key} in it, where the key goes"]
