"""The Postgres source against a real server: rows, cancelled readers, limits."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from veredito import sources
from veredito.errors import ConfigError, SourceError

QUERY = "select name, age from customers where id = $1"


@asynccontextmanager
async def opened(url, query=QUERY, **more):
    source = sources.open("warehouse", {"kind": "postgres", "url": url, "query": query} | more)
    await source.start()
    try:
        yield source
    finally:
        await source.aclose()


@pytest.fixture(scope="module")
def url(postgres_url):
    import asyncpg

    async def fill():
        connection = await asyncpg.connect(postgres_url)
        await connection.execute("create table customers (id bigint primary key, name text, age int)")
        await connection.execute("insert into customers values (7, 'Ana', 41), (8, 'Rui', null)")
        await connection.close()

    asyncio.run(fill())
    return postgres_url


def test_a_row_is_found_by_its_key(url):
    """Columns by name; NULL is missing; no row is `None`."""

    async def main():
        async with opened(url) as warehouse:
            return [await warehouse.get(key) for key in (7, 8, 9)]

    assert asyncio.run(main()) == [{"name": "Ana", "age": 41}, {"name": "Rui", "age": None}, None]


def test_a_cancelled_reader_leaves_no_row_to_the_next(url):
    """Readers that stop waiting in the middle of a query: those that come after get their own rows."""
    slow = "select $1::bigint as id, pg_sleep(case when $1 < 0 then 60 else 0 end)::text as slept"

    async def main():
        async with opened(url, slow, connections_max=2, timeout_ms=10_000) as warehouse:
            for _ in range(3):
                readers = [asyncio.ensure_future(warehouse.get(-number)) for number in range(1, 5)]
                await asyncio.wait(readers, timeout=0.05)
                for reader in readers:
                    reader.cancel()
                await asyncio.gather(*readers, return_exceptions=True)
                rows = await asyncio.gather(*(warehouse.get(number) for number in range(10)))
                assert [row["id"] for row in rows] == list(range(10))

    asyncio.run(main())


def test_a_query_that_takes_too_long_is_given_up(url):
    """A reader waits for `timeout_ms`, and the source goes on."""
    slow = "select $1::bigint as id, pg_sleep(case when $1 < 0 then 60 else 0 end)::text as slept"

    async def main():
        async with opened(url, slow, timeout_ms=100) as warehouse:
            with pytest.raises(SourceError, match="'warehouse' failed: TimeoutError"):
                await warehouse.get(-1)
            return (await warehouse.get(3))["id"]

    assert asyncio.run(main()) == 3


def test_a_query_that_fails_is_a_source_error(url):
    """The message names the source and the kind of failure; keys and rows stay out of it."""

    async def main():
        async with opened(url, "select 1 / ($1::bigint - 7)") as warehouse:
            with pytest.raises(SourceError, match="'warehouse' failed: DivisionByZeroError") as raised:
                await warehouse.get(7)
        async with opened(url) as warehouse:
            with pytest.raises(SourceError, match="'warehouse' failed: DataError"):
                await warehouse.get("seven")
        return str(raised.value)

    assert "7" not in asyncio.run(main())


def test_a_server_that_is_not_there_stops_the_start(unused_tcp_port):
    """A store that cannot be reached is found out before the service says it is ready."""

    async def main():
        async with opened(f"postgresql://veredito@127.0.0.1:{unused_tcp_port}/postgres"):
            pass

    with pytest.raises(SourceError, match="'warehouse' failed: ConnectionRefusedError"):
        asyncio.run(main())


def test_a_source_that_is_closed_says_so(url):
    """Closing twice is safe."""

    async def main():
        async with opened(url) as warehouse:
            await warehouse.aclose()
            with pytest.raises(SourceError, match="'warehouse' is not started"):
                await warehouse.get(7)

    asyncio.run(main())


def test_a_password_is_taken_from_the_environment(url):
    """The config names the variable; without it there is no start."""
    table = {"kind": "postgres", "url": url, "query": QUERY, "password_environment": "WAREHOUSE_PASSWORD"}

    with pytest.raises(ConfigError, match="the environment variable WAREHOUSE_PASSWORD is not set"):
        asyncio.run(sources.open("warehouse", table).start())


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"url": "postgresql://me:hunter2@host/db"}, "passwords go into password_environment"),
        ({"url": "mysql://host/db"}, "url must be postgresql://"),
        ({"query": "select 1"}, "query must have \\$1 in it"),
        ({"connections_warm": 20, "connections_max": 10}, "connections_warm is above connections_max"),
    ],
)
def test_mistakes_are_found_in_the_config(more, what):
    """Before anything is opened, and without repeating a secret."""
    table = {"kind": "postgres", "url": "postgresql://host/db", "query": QUERY} | more

    with pytest.raises(ConfigError, match=what) as raised:
        sources.open("warehouse", table)

    assert "hunter2" not in str(raised.value)
