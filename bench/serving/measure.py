"""The measurements of one running subject. Whatever is not answered with 200 fails the run."""

import json
import subprocess
import sys
import time
from pathlib import Path

from bench.serving.steps import OUTPUTS

HERE = Path(__file__).parent
TOLERANCE = 1e-9
BODIES = 64
SLOW_SECONDS = 60  # an answer later than this is a broken one


def check_answers(server, rows, answers):
    """Compare what a subject answers with what every subject must answer; gives the largest difference.

    Raises:
        RuntimeError: an output differs by more than the tolerance.
    """
    worst = 0.0
    for place, (got, wanted) in enumerate(zip(server.predict(rows), answers, strict=True)):
        for name, value in zip(OUTPUTS, got, strict=True):
            difference = abs(value - wanted[name])
            worst = max(worst, difference)
            if not difference <= TOLERANCE:
                raise RuntimeError(
                    f"{server.subject.name}, row {place}: {name} is {value}, and must be {wanted[name]}"
                )
    return worst


def write_bodies(server, rows, folder):
    """The requests of a load, one a line."""
    path = Path(folder) / f"{server.subject.name}.bodies"
    path.write_bytes(b"\n".join(server.subject.body(row) for row in rows[:BODIES]))
    return path


def closed_loop(server, bodies, connections, seconds):
    """Throughput and latency with a fixed number of callers, each with one request at a time.

    Where not one answer came in that time it is doubled, up to a minute: some are that slow on a busy machine.

    Raises:
        RuntimeError: something was refused or broken, or nothing was answered.
    """
    url = f"http://127.0.0.1:{server.port}{server.subject.path}"
    options = [
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--timeout",
        f"{SLOW_SECONDS}s",
        "-s",
        HERE / "closed.lua",
    ]
    output = subprocess.run(
        ["wrk", *options, url, "--", bodies], capture_output=True, text=True, check=True
    ).stdout
    result = json.loads(output.partition("RESULT ")[2])
    if not result["requests"] and not result["refused"] + result["broken"] and seconds < SLOW_SECONDS:
        return closed_loop(server, bodies, connections, seconds * 2)
    if result["refused"] or result["broken"] or not result["requests"]:
        raise RuntimeError(f"{server.subject.name} at c={connections} was not all answers of 200: {result}")
    return {
        "rps": round(result["requests"] / result["seconds"], 1),
        "p50_ms": round(result["p50_ms"], 3),
        "p99_ms": round(result["p99_ms"], 3),
    }


def open_loop(server, bodies, rate, seconds):
    """Latency when requests come when they come; see open_loop.py.

    A peer may refuse some: its batching does, where it expects to be late. They are counted and shown.

    Raises:
        RuntimeError: we, or the limit, did not answer all with 200; or nobody was answered.
    """
    arguments = [
        str(server.port),
        server.subject.path,
        str(bodies),
        "--rate",
        str(rate),
        "--seconds",
        str(seconds),
    ]
    command = [sys.executable, "-m", "bench.serving.open_loop", *arguments]
    result = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    answered = result["requests"] - result["failed"]
    if not answered or (result["failed"] and server.subject.home is None):
        raise RuntimeError(f"{server.subject.name} in the open loop was not all answers of 200: {result}")
    return result


def batch(server, rows, seconds):
    """Rows a second when a thousand of them come in each request, one request after another.

    Raises:
        RuntimeError: an answer was not 200, or had another number of rows.
    """
    body = json.dumps(rows).encode()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        begun = time.perf_counter()
        status, answered = server.ask("POST", server.subject.path, body)
        times.append(time.perf_counter() - begun)
        if status != 200 or (len(times) == 1 and len(json.loads(answered)) != len(rows)):
            raise RuntimeError(
                f"{server.subject.name} answered {status} to {len(rows)} rows: {answered[:300]!r}"
            )
    typical = sorted(times)[len(times) // 2]
    return {"rows": len(rows), "ms": round(typical * 1e3, 2), "rows_per_second": round(len(rows) / typical)}
