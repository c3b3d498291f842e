"""A service as a process of its own, on a free port: what a test of the whole thing talks to."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from veredito.errors import VereditoError

_READY = re.compile(r"ready: \S+ on (http://[^\s,]+)")


class ServiceFailedError(VereditoError):
    """The service ended before it was ready; the message is what it logged."""


class ServiceProcess:
    """A running service.

    Attributes:
        url: where it answers, such as ``http://127.0.0.1:43210``.
        pid: of its process.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: list[str] = []
        self._ready = threading.Event()
        self._logged = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = ""
        self.pid = process.pid

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return "".join(self._lines)

    def wait_ready(self, timeout_seconds: float) -> None:
        """Wait until it answers.

        Raises:
            ServiceFailedError: it ended, or was not ready in time.
        """
        in_time = self._ready.wait(timeout_seconds)
        if not self.url:
            why = "ended" if in_time else f"was not ready after {timeout_seconds} s"
            raise ServiceFailedError(f"the service {why}:\n{self.log}")

    def wait_logged(self, text: str, timeout_seconds: float = 30) -> str:
        """Wait until a line with this text is logged: an answer may be here before its line is.

        Returns:
            The first such line.

        Raises:
            ServiceFailedError: there was none in time.
        """
        with self._logged:
            if not self._logged.wait_for(lambda: self._line_with(text), timeout_seconds):
                raise ServiceFailedError(f"nothing with '{text}' was logged:\n{self.log}")
        return self._line_with(text)

    def _line_with(self, text: str) -> str:
        return next((line for line in self._lines if text in line), "")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait(self, timeout_seconds: float = 30) -> int:
        """Wait until it has ended; its exit code."""
        code = self._process.wait(timeout_seconds)
        self._reader.join(timeout_seconds)
        return code

    def stop(self, timeout_seconds: float = 30) -> int:
        """Ask it to stop, and wait; its exit code. A process that does not stop is killed."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self.wait()

    def _read(self) -> None:
        if self._process.stderr is None:
            raise AssertionError("a service is started with its log on a pipe")
        with self._process.stderr as log:
            for line in log:
                with self._logged:
                    self._lines.append(line)
                    self._logged.notify_all()
                if found := _READY.search(line):
                    self.url = found.group(1)
                    self._ready.set()
        self._ready.set()


@contextmanager
def running_service(
    config: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    timeout_seconds: float = 60,
) -> Iterator[ServiceProcess]:
    """Serve a config in a process of its own, on a free port, for as long as the block lasts.

    Args:
        config: the TOML file.
        *arguments: more of ``veredito serve``'s.
        environment: variables beside the present ones.
        timeout_seconds: how long it may take to be ready.

    Raises:
        ServiceFailedError: it ended, or was not ready in time.
    """
    process = subprocess.Popen(  # noqa: S603 - our own command line
        [sys.executable, "-m", "veredito", "serve", str(config), *arguments],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "VEREDITO__SERVICE__PORT": "0", **(environment or {})},
    )
    service = ServiceProcess(process)
    try:
        service.wait_ready(timeout_seconds)
        yield service
    finally:
        service.stop()
