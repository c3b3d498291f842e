"""Starting and stopping a subject: its process group, how soon it is ready, what it weighs."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

READY_SECONDS = 90
STOP_SECONDS = 20


class Server:
    """A running subject; a context manager."""

    def __init__(self, subject, log_folder):
        self.subject = subject
        self.port, *self.more_ports = free_ports(3)
        self.log = Path(log_folder) / f"{subject.name}.log"
        self.ready_seconds = float("nan")

    def __enter__(self):
        begun = time.perf_counter()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.subject.command(self.port),
                env=self.subject.variables(self.port, self.more_ports),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            while self.ask("GET", self.subject.ready)[0] != 200:
                self._still_starting(begun)
            self.ready_seconds = time.perf_counter() - begun
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        """Ask it to stop, wait, and then end what is left of the processes that it started."""
        started = descendants(self.process.pid)
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            print(f"{self.subject.name} did not stop in {STOP_SECONDS} s and was killed", file=sys.stderr)
        for pid in (self.process.pid, *started):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def _still_starting(self, begun):
        if self.process.poll() is not None or time.perf_counter() - begun > READY_SECONDS:
            tail = self.log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{self.subject.name} did not become ready:\n{tail}")
        time.sleep(0.01)

    def ask(self, method, path, body=None):
        """Status and body of one request; status 0 where nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def predict(self, rows):
        """The outputs for rows asked one by one, over one connection.

        Raises:
            RuntimeError: an answer was not 200.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            return [self._one(connection, row) for row in rows]

    def _one(self, connection, row):
        connection.request(
            "POST", self.subject.path, self.subject.body(row), {"Content-Type": "application/json"}
        )
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise RuntimeError(f"{self.subject.name} answered {response.status}: {body[:500]!r}")
        return self.subject.read(json.loads(body))

    def resident_mb(self):
        """Resident memory of all its processes together; pages that they share are counted once a process."""
        pages = sum(_resident_pages(pid) for pid in (self.process.pid, *descendants(self.process.pid)))
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def settled(self, row):
        """Wait for the first prediction: some say that they are ready before they can be asked."""
        deadline = time.perf_counter() + READY_SECONDS
        while self.ask("POST", self.subject.path, self.subject.body(row))[0] != 200:
            if time.perf_counter() > deadline:
                raise RuntimeError(f"{self.subject.name} gives no answer:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.05)


def free_ports(count):
    """Ports that were free a moment ago."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def descendants(pid):
    """The processes that a process started, and those that they started."""
    children = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(folder.name))
    found = list(children.get(pid, ()))
    for one in found:
        found.extend(children.get(one, ()))
    return found


def _resident_pages(pid):
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
