"""Redis: ``await source.get(key)`` gives what is stored under a key.

A command once sent is always read to its end. Cancelling a reader in the middle would leave the reply in the
connection, for the next to take as its own, or cost a reconnect for every timeout; so a caller that stops
waiting leaves its command to finish alone, within `timeout_ms`.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

import msgspec

from veredito.errors import MissingExtraError, SourceError
from veredito.sources.resilience import ResilienceSettings
from veredito.sources.secrets import from_environment

KEY = "{key}"


class RedisSettings(ResilienceSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[sources.NAME]`` of kind ``redis``; the policies of `ResilienceSettings` go into it too.

    Attributes:
        url: ``redis://host:port/database``, without a password.
        password_environment: the environment variable with the password.
        key: what is read, with ``{key}`` where the key goes.
        form: ``json`` and ``text`` are values read with GET, ``hash`` is a mapping of texts (HGETALL).
        connections_max: open connections, and so commands in flight; others wait for one.
        connections_warm: opened before the service is ready.
        timeout_ms: longest wait for a connection, and for one reply.
    """

    kind: Literal["redis"] = "redis"
    url: str
    password_environment: str | None = None
    key: str = KEY
    form: Literal["json", "text", "hash"] = "json"
    connections_max: Annotated[int, msgspec.Meta(ge=1)] = 64
    connections_warm: Annotated[int, msgspec.Meta(ge=0)] = 4
    timeout_ms: Annotated[float, msgspec.Meta(gt=0)] = 1000.0

    def __post_init__(self) -> None:
        if not self.url.startswith(("redis://", "rediss://", "unix://")) or "@" in self.url:
            message = "url must be redis://host:port/database; passwords go into password_environment"
            raise ValueError(message)
        if KEY not in self.key:
            message = "key must have {key} in it, where the key goes"
            raise ValueError(message)


class RedisSource:
    """Values by key.

    Args:
        name: as in the config.
        settings: the config.

    Raises:
        MissingExtraError: redis-py is not installed.
    """

    def __init__(self, name: str, settings: RedisSettings) -> None:
        try:
            import redis.asyncio
        except ImportError:
            raise MissingExtraError("redis", "redis", purpose=f"[sources.{name}]") from None
        self.name = name
        self.settings = settings
        self._library = redis.asyncio
        self._client: Any = None
        self._before, _, self._after = settings.key.partition(KEY)
        self._commands: set[asyncio.Task[Any]] = set()

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
        pool = self._library.BlockingConnectionPool.from_url(
            settings.url,
            password=password,
            max_connections=settings.connections_max,
            timeout=settings.timeout_ms / 1e3,
            socket_timeout=settings.timeout_ms / 1e3,
            socket_connect_timeout=settings.timeout_ms / 1e3,
            retry=None,
            decode_responses=settings.form != "json",
        )
        self._client = self._library.Redis.from_pool(pool)
        warm = min(max(1, settings.connections_warm), settings.connections_max)
        results = await asyncio.gather(*(self._ask("PING") for _ in range(warm)), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                await self.aclose()
                raise result

    async def aclose(self) -> None:
        """Close the connections; commands that nobody waits for any more are given up."""
        client, self._client = self._client, None
        for command in self._commands:
            command.cancel()
        if self._commands:
            await asyncio.wait(self._commands)
        if client is not None:
            await client.aclose()

    async def get(self, key: object) -> Any:
        """What is stored under a key.

        Args:
            key: put into the configured template, as text.

        Returns:
            JSON, text or a mapping, as configured; `None` where there is nothing.

        Raises:
            SourceError: no connection or reply in time, or the value is not of the configured form.
        """
        place = f"{self._before}{key}{self._after}"
        if self.settings.form == "hash":
            return await self._ask("HGETALL", place) or None
        value = await self._ask("GET", place)
        if value is None or self.settings.form == "text":
            return value
        try:
            return msgspec.json.decode(value)
        except msgspec.DecodeError:
            raise SourceError(f"source '{self.name}' holds something other than JSON") from None

    async def _ask(self, *command: str) -> Any:
        if self._client is None:
            raise SourceError(f"source '{self.name}' is not started")
        task = asyncio.ensure_future(self._client.execute_command(*command))
        self._commands.add(task)
        task.add_done_callback(self._finished)
        try:
            return await asyncio.shield(task)
        except (self._library.RedisError, OSError) as error:
            raise SourceError(f"source '{self.name}' failed: {type(error).__name__}") from error

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._commands.discard(task)
        if not task.cancelled():
            task.exception()  # read it, so that one nobody waited for is not reported as forgotten
