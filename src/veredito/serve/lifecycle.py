"""Start and stop of a service.

Start: open the sources and the record, warm up, say ready. Stop: say not ready, serve on for the drain time,
accept no more, finish what is in flight, flush the record, close the sources.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType

import uvicorn

from veredito.serve.app import App
from veredito.serve.assemble import Service

log = logging.getLogger("veredito.serve")


class Server(uvicorn.Server):
    """uvicorn's server, that drains before it stops accepting."""

    def __init__(self, config: uvicorn.Config, app: App, drain_seconds: float) -> None:
        super().__init__(config)
        self._app = app
        self._drain_seconds = drain_seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """First signal: not ready, and stop after the drain time. Second signal: stop now."""
        if not self._app.ready or self._drain_seconds == 0:
            self._app.ready = False
            super().handle_exit(sig, frame)
            return
        self._app.ready = False
        log.info("draining for %s s: /readyz is off, requests are still answered", self._drain_seconds)
        loop = asyncio.get_running_loop()
        loop.call_later(self._drain_seconds, super().handle_exit, sig, frame)


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[App]:
    """The application of a service, from open to closed."""
    await service.start()
    app = App(service)
    try:
        yield app
    finally:
        app.ready = False
        await service.aclose()


async def serve(service: Service) -> None:
    """Serve until a signal says stop.

    Raises:
        OSError: the port cannot be bound.
    """
    settings = service.config.service
    listener = listen(settings.host, settings.port)
    async with running(service) as app:
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=int(settings.stop_seconds) or 1,
            backlog=2048,
        )
        server = Server(config, app, settings.drain_seconds)
        app.ready = True
        log.info("ready: %s on http://%s:%d", settings.name, *listener.getsockname()[:2])
        await server.serve(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; 0 takes a free port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener
