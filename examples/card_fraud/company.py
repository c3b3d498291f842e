"""Processes of the demo: started, awaited, and stopped again whatever happens."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

READY_SECONDS = 60.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.05


class NotReadyError(Exception):
    """A process ended, or did not get ready; the message ends with its log."""


class Company:
    """The processes that were started, stopped in the reverse order at the end.

    Args:
        folder: where their logs go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, arguments: Sequence[str | Path], *, cwd: Path, ready: str) -> None:
        """Start a Python process and wait until a URL answers 200.

        Raises:
            NotReadyError: it did not.
        """
        with (self._folder / f"{name}.log").open("ab") as log, undisturbed():
            self._running[name] = subprocess.Popen(
                [sys.executable, *map(str, arguments)],
                cwd=cwd,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the demo, which then stops them in order
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
        try:
            wait_until_live(ready, self._running[name])
        except NotReadyError as error:
            text = (self._folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")
            raise NotReadyError(f"{name} {error}:\n{text[-4_000:]}") from None

    def stop(self, name: str) -> int:
        """Ask a process to stop, and wait; its exit code. One that does not stop is killed."""
        process = self._running.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def leave(self) -> dict[str, int]:
        """Let the processes run on; their ids."""
        ids = {name: process.pid for name, process in self._running.items()}
        for process in self._running.values():
            process.returncode = 0  # ours no longer: nobody waits for it
        self._running.clear()
        return ids

    def close(self) -> None:
        """Stop whatever still runs."""
        with undisturbed():
            for name in reversed(list(self._running)):
                self.stop(name)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Signals wait for the end of the block: a process half started or half stopped would be left behind."""
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda number, _: came.append(number)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)


@contextlib.contextmanager
def company(folder: Path) -> Iterator[Company]:
    """A company whose processes do not outlive the block, on a signal either."""
    processes = Company(folder)
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    try:
        yield processes
    finally:
        signal.signal(signal.SIGTERM, before)
        processes.close()


def wait_until_live(url: str, process: subprocess.Popen[bytes], seconds: float = READY_SECONDS) -> None:
    """Wait until a process answers 200 at a URL.

    Raises:
        NotReadyError: it ended, or time ran out.
    """
    until = time.monotonic() + seconds
    while not _answers(url):
        if process.poll() is not None:
            raise NotReadyError(f"ended with code {process.returncode}")
        if time.monotonic() > until:
            raise NotReadyError(f"was not ready after {seconds:g} s")
        time.sleep(POLL_SECONDS)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as response:  # noqa: S310 - our own http URL
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
