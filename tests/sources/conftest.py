"""Real servers for the sources: started once, on free ports, stopped at the end."""

import importlib.util
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest


def missing(what):
    """Skip, or fail where everything is required."""
    if os.environ.get("VEREDITO_REQUIRE"):
        pytest.fail(f"{what} is required and not installed")
    pytest.skip(f"{what} is not installed")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def unused_tcp_port():
    return free_port()


def wait_until(ready, process, seconds=30):
    until = time.monotonic() + seconds
    while not ready():
        assert process.poll() is None, "the server ended before it was ready"
        assert time.monotonic() < until, "the server is not ready in time"
        time.sleep(0.02)


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def library(name):
    if importlib.util.find_spec(name) is None:
        missing(name)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory):
    library("redis")
    program = shutil.which("redis-server") or missing("redis-server")
    port = free_port()
    folder = tmp_path_factory.mktemp("redis")
    process = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: answers(port), process)
        yield f"redis://127.0.0.1:{port}/0", process
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="session")
def redis_url(redis_server):
    return redis_server[0]


@pytest.fixture(scope="session")
def redis_process(redis_server):
    return redis_server[1]


def postgres_programs():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else missing("postgres")


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory):
    library("asyncpg")
    programs = postgres_programs()
    folder = Path(tmp_path_factory.mktemp("postgres"))
    as_user = {}
    if os.geteuid() == 0:  # postgres refuses to run as root
        try:
            shutil.chown(folder, "postgres", "postgres")
        except LookupError:
            missing("a user for postgres")
        for parent in (folder, *folder.parents):
            if parent.stat().st_uid == 0 and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)  # the user must reach its own folder
        as_user = {"user": "postgres", "group": "postgres", "extra_groups": []}
    data, port = folder / "data", free_port()
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "veredito", "--auth=trust", "--no-sync"],
        check=True, stdout=subprocess.DEVNULL, cwd=folder, **as_user,
    )  # fmt: skip
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    process = subprocess.Popen(
        [programs / "postgres", "-D", data, *options.split()],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **as_user,
    )  # fmt: skip
    try:
        ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        wait_until(lambda: subprocess.run(ready).returncode == 0, process)
        yield f"postgresql://veredito@127.0.0.1:{port}/postgres"
    finally:
        process.terminate()
        process.wait(20)
