"""Start and stop of a service.

Start: open the sources and the record, say ready. Stop: say not ready, serve on for the drain time, accept
no more, finish what is in flight, flush the record, close the sources.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import uvicorn
import uvicorn.supervisors

from veredito.serve.app import App
from veredito.serve.assemble import Role, Service, assemble

log = logging.getLogger("veredito.serve")

_BACKLOG = 2048  # connections not yet accepted; the kernel's own limit may be lower

# How a worker process learns what to serve: it is started with an import string, and nothing else.
_WORKER = "VEREDITO_WORKER"


class _Worker(msgspec.Struct):
    """What a worker process has to know: the config's path, where it answers, and the folder it shares."""

    config: str
    url: str
    sockets: str


class Server(uvicorn.Server):
    """uvicorn's server, that drains before it stops accepting."""

    def __init__(self, config: uvicorn.Config, app: App, drain_seconds: float) -> None:
        super().__init__(config)
        self._app = app
        self._drain_seconds = drain_seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """First signal: not ready, and stop after the drain time. Second signal: stop now."""
        draining, self._app.ready = not self._app.ready, False
        if draining or self._drain_seconds == 0:
            super().handle_exit(sig, frame)
            return
        log.info("draining for %s s: /readyz is off, requests are still answered", self._drain_seconds)
        asyncio.get_running_loop().call_later(self._drain_seconds, super().handle_exit, sig, frame)


def serve(service: Service, path: Path) -> None:
    """Serve until a signal says stop.

    Args:
        service: assembled from `path`, not yet started.
        path: the config file; worker processes read it again.

    Raises:
        OSError: the port cannot be bound.
    """
    settings = service.config.service
    for number in (signal.SIGINT, signal.SIGTERM):
        # uvicorn raises the signal again when it has stopped; by then it has been obeyed.
        signal.signal(number, lambda *_: None)
    with listen(settings.host, settings.port) as listener:
        host, port = listener.getsockname()[:2]
        url = f"http://{host}:{port}"
        if settings.workers > 1:
            _serve_workers(settings.workers, settings.stop_seconds, path, listener, url)
            return
        app = App(service, url=url)
        config = uvicorn.Config(app, **_options(settings.stop_seconds))
        Server(config, app, settings.drain_seconds).run(sockets=[listener])


def _serve_workers(workers: int, stop_seconds: float, path: Path, listener: socket.socket, url: str) -> None:
    """N processes on one socket; uvicorn starts, watches and replaces them."""
    with tempfile.TemporaryDirectory(prefix="veredito-") as folder:
        os.environ[_WORKER] = msgspec.json.encode(_Worker(str(path), url, folder)).decode()
        config = uvicorn.Config(
            "veredito.serve.lifecycle:worker", factory=True, workers=workers, **_options(stop_seconds)
        )
        log.info("%d workers on %s", workers, url)
        uvicorn.supervisors.Multiprocess(config, sockets=[listener]).run()


def worker() -> App:
    """The application of one worker process."""
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s %(message)s")
    about = msgspec.json.decode(os.environ[_WORKER], type=_Worker)
    service = assemble(Path(about.config), role=Role.MODEL)
    return App(service, url=f"{about.url}, worker {os.getpid()}", sockets=Path(about.sockets))


def _options(stop_seconds: float) -> dict[str, Any]:
    return {
        "loop": "uvloop",
        "http": "httptools",
        "ws": "none",
        "lifespan": "on",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,  # nothing here depends on who the client is, and a proxy may not be one of ours
        "backlog": _BACKLOG,
        "timeout_graceful_shutdown": max(1, round(stop_seconds)),
    }


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; 0 takes a free port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(
            _BACKLOG
        )  # who connects between "ready" and the server's first accept waits, and is served
    except OSError:
        listener.close()
        raise
    listener.set_inheritable(True)
    return listener
