"""One answer to `/metrics` from several worker processes.

Each worker answers its counts on a Unix socket in a folder that they share; whoever is asked for the metrics
asks the others and adds up. Nothing is kept on disk, and a worker that has ended is not counted again.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import msgspec

from veredito.serve.metrics import Counts, Metrics

log = logging.getLogger("veredito.serve")

_ANSWER_SECONDS_MAX = 1.0  # a worker that is busy for longer is left out of this scrape, and said so


class Siblings:
    """The workers that share a folder.

    Args:
        folder: where their sockets are.
        name: this worker's own.
        metrics: what this worker counts.
    """

    def __init__(self, folder: Path, name: str, metrics: Metrics) -> None:
        self._folder, self._name, self._metrics = folder, name, metrics
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Answer the others from now on."""
        self._server = await asyncio.start_unix_server(self._answer, self._path(self._name))

    async def aclose(self) -> None:
        """Answer no more, and leave the folder."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._path(self._name).unlink(missing_ok=True)

    async def counts(self) -> list[Counts]:
        """The counts of all workers, this one's first."""
        others = [path for path in sorted(self._folder.glob("*.sock")) if path != self._path(self._name)]
        found = await asyncio.gather(*(self._ask(path) for path in others))
        return [self._metrics.counts, *(counts for counts in found if counts is not None)]

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.sock"

    async def _answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(msgspec.msgpack.encode(self._metrics.counts))
        await writer.drain()
        writer.close()

    async def _ask(self, path: Path) -> Counts | None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS_MAX):
                reader, writer = await asyncio.open_unix_connection(path)
                try:
                    return msgspec.msgpack.decode(await reader.read(), type=Counts)
                finally:
                    writer.close()
        except (OSError, TimeoutError, msgspec.DecodeError) as error:
            log.warning("the metrics of worker %s are left out: %s", path.stem, type(error).__name__)
            return None
