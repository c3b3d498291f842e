"""Postgres: ``await source.get(key)`` gives the row that a query finds for a key."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from veredito.errors import MissingExtraError, SourceError
from veredito.sources.resilience import ResilienceSettings
from veredito.sources.secrets import from_environment


class PostgresSettings(ResilienceSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[sources.NAME]`` of kind ``postgres``; the policies of `ResilienceSettings` go into it too.

    Attributes:
        query: one statement with ``$1`` where the key goes; its first row is the answer.
        url: ``postgresql://user@host:port/database``, without a password.
        password_environment: the environment variable with the password.
        connections_max: open connections, and so queries in flight; others wait for one.
        connections_warm: opened before the service is ready.
        timeout_ms: longest wait for a connection, and for one row. A query that takes longer is cancelled on
            the server too.
    """

    kind: Literal["postgres"] = "postgres"
    query: str
    url: str
    password_environment: str | None = None
    connections_max: Annotated[int, msgspec.Meta(ge=1)] = 16
    connections_warm: Annotated[int, msgspec.Meta(ge=0)] = 2
    timeout_ms: Annotated[float, msgspec.Meta(gt=0)] = 1000.0

    def __post_init__(self) -> None:
        if not self.url.startswith(("postgresql://", "postgres://")) or _has_password(self.url):
            message = (
                "url must be postgresql://user@host:port/database; passwords go into password_environment"
            )
            raise ValueError(message)
        if "$1" not in self.query:
            message = "query must have $1 in it, where the key goes"
            raise ValueError(message)
        if self.connections_warm > self.connections_max:
            message = "connections_warm is above connections_max"
            raise ValueError(message)


class PostgresSource:
    """Rows by key.

    Args:
        name: as in the config.
        settings: the config.

    Raises:
        MissingExtraError: asyncpg is not installed.
    """

    def __init__(self, name: str, settings: PostgresSettings) -> None:
        try:
            import asyncpg
        except ImportError:
            raise MissingExtraError("asyncpg", "postgres", purpose=f"[sources.{name}]") from None
        self.name = name
        self.settings = settings
        self._library = asyncpg
        self._pool: Any = None

    async def start(self) -> None:
        """Open the first connections.

        Raises:
            SourceError: the server does not answer, or refuses us.
            ConfigError: the password's environment variable is not set.
        """
        settings, variable = self.settings, self.settings.password_environment
        password = (
            from_environment(f"[sources.{self.name}].password_environment", variable) if variable else None
        )
        try:
            self._pool = await self._library.create_pool(
                settings.url,
                password=password,
                min_size=settings.connections_warm,
                max_size=settings.connections_max,
                timeout=settings.timeout_ms / 1e3,
                command_timeout=settings.timeout_ms / 1e3,
            )
        except (self._library.PostgresError, OSError) as error:
            raise self._failed(error) from error

    async def aclose(self) -> None:
        """Close the connections; what still runs on them is given up."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()

    async def get(self, key: object) -> dict[str, Any] | None:
        """The first row that the query finds.

        Args:
            key: of the type that the query compares it to: an int for a bigint, text for a text.

        Returns:
            Column to value; `None` where there is no row.

        Raises:
            SourceError: no connection or row in time, or the query fails.
        """
        if self._pool is None:
            raise SourceError(f"source '{self.name}' is not started")
        try:
            async with self._pool.acquire(timeout=self.settings.timeout_ms / 1e3) as connection:
                row = await connection.fetchrow(self.settings.query, key)
        except (self._library.PostgresError, self._library.InterfaceError, OSError) as error:
            raise self._failed(error) from error
        return None if row is None else dict(row)

    def _failed(self, error: Exception) -> SourceError:
        return SourceError(f"source '{self.name}' failed: {type(error).__name__}")


def _has_password(url: str) -> bool:
    user, at, _ = url.partition("://")[2].rpartition("@")
    return bool(at) and ":" in user
