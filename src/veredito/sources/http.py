"""HTTP: ``await source.get(key)`` asks another service and gives its JSON.

One session a source, its connections opened before the service says it is ready, kept alive, and bounded.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

import msgspec

from veredito.errors import SourceError
from veredito.sources.resilience import ResilienceSettings
from veredito.sources.secrets import from_environment

log = logging.getLogger("veredito.sources")

KEY = "{key}"
_ELSEWHERE = {"", ".", ".."}  # as a part of a path these name something other than a key


class HttpSettings(ResilienceSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[sources.NAME]`` of kind ``http``; the policies of `ResilienceSettings` go into it too.

    Attributes:
        url: with ``{key}`` where the key goes; the key is quoted.
        connections_max: open connections, and so requests in flight; others wait for one. At 5 ms an answer,
            64 are 12,000 answers a second.
        connections_warm: opened before the service is ready.
        keep_alive_seconds: how long an idle connection is kept. It should be below the other side's own.
        timeout_ms: longest wait for one answer, connecting included. The effect that asks has its own
            timeout; this one ends what nobody waits for any more.
        dns_seconds: how long an address is remembered.
        body_bytes_max: longest answer, 1 MiB.
        headers: sent with each request.
        headers_environment: headers whose values are in these environment variables.
    """

    kind: Literal["http"] = "http"
    url: str
    connections_max: Annotated[int, msgspec.Meta(ge=1)] = 64
    connections_warm: Annotated[int, msgspec.Meta(ge=0)] = 4
    keep_alive_seconds: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    timeout_ms: Annotated[float, msgspec.Meta(gt=0)] = 1000.0
    dns_seconds: Annotated[int, msgspec.Meta(ge=0)] = 60
    body_bytes_max: Annotated[int, msgspec.Meta(ge=1)] = 1 << 20
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    headers_environment: dict[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.netloc or KEY in parts.netloc:
            message = "url must be http://host/path or https://host/path, and {key} may not name the host"
            raise ValueError(message)
        if self.connections_warm > self.connections_max:
            message = "connections_warm is above connections_max"
            raise ValueError(message)


class HttpSource:
    """Another service's JSON, by key.

    Args:
        name: as in the config.
        settings: the config.
    """

    def __init__(self, name: str, settings: HttpSettings) -> None:
        self.name = name
        self.settings = settings
        self._session: Any = None
        self._before, _, self._after = settings.url.partition(KEY)
        self._keyed = KEY in settings.url

    async def start(self) -> None:
        """Open the session and its first connections.

        A service that is down does not keep ours from starting: its effects have defaults, or fail by name.

        Raises:
            ConfigError: a header's environment variable is not set.
        """
        import aiohttp

        settings = self.settings
        connector = aiohttp.TCPConnector(
            limit=settings.connections_max,
            ttl_dns_cache=settings.dns_seconds,
            keepalive_timeout=settings.keep_alive_seconds,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers=settings.headers | _from_environment(self.name, settings.headers_environment),
            timeout=aiohttp.ClientTimeout(total=settings.timeout_ms / 1e3),
            cookie_jar=aiohttp.DummyCookieJar(),  # one caller's cookies are no other's business
            auto_decompress=True,
        )
        await asyncio.gather(*(self._warm() for _ in range(settings.connections_warm)))

    async def aclose(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def get(self, key: object = "") -> Any:
        """The JSON at the key's URL.

        Args:
            key: quoted into the URL, as text.

        Returns:
            What the JSON says; `None` where the service answers 404: it knows of no such key.

        Raises:
            SourceError: no connection, no answer in time, another status, too long a body, no JSON, or a key
                that would name another place (empty, or dots).
        """
        import aiohttp

        if self._session is None:
            raise SourceError(f"source '{self.name}' is not started")
        try:
            async with self._session.get(self._url(key), allow_redirects=False) as response:
                if response.status == 404:
                    return None
                if response.status != 200:
                    raise SourceError(f"source '{self.name}' answered {response.status}")
                return msgspec.json.decode(await self._body(response))
        except TimeoutError:
            raise SourceError(
                f"source '{self.name}' gave no answer in {self.settings.timeout_ms:g} ms"
            ) from None
        except aiohttp.ClientError as error:
            raise SourceError(f"source '{self.name}' failed: {type(error).__name__}") from error
        except msgspec.DecodeError:
            raise SourceError(f"source '{self.name}' answered with something other than JSON") from None

    def _url(self, key: object) -> Any:
        import yarl

        quoted = quote(str(key), safe="")
        if self._keyed and quoted in _ELSEWHERE:
            raise SourceError(f"source '{self.name}' cannot be asked for such a key")
        text = self._before + (quoted + self._after if self._keyed else "")
        return yarl.URL(text, encoded=True)

    async def _body(self, response: Any) -> bytes:
        """The body, read no further than the limit."""
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > self.settings.body_bytes_max:
                response.close()
                raise SourceError(
                    f"source '{self.name}' answered with more than {self.settings.body_bytes_max} bytes"
                )
        return bytes(body)

    async def _warm(self) -> None:
        """Open a connection with a harmless question. Not HEAD: its answers without a length close connections."""
        import aiohttp

        try:
            async with self._session.options(self._url("warm-up"), allow_redirects=False) as response:
                await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("source %s: cannot connect yet: %s", self.name, type(error).__name__)


def _from_environment(name: str, variables: dict[str, str]) -> dict[str, str]:
    return {
        header: from_environment(f"[sources.{name}].headers_environment.{header}", variable)
        for header, variable in variables.items()
    }
