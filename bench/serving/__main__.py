"""Measure every subject, one after another, in interleaved rounds, and take medians.

python -m bench.serving [--only veredito,limit] [--quick] [--rounds 2] [--seconds 3]

Writes bench/results/serving.json ({subject: {"c1"|"c16"|"c64": {"rps", "p50_ms", "p99_ms"}}}), service.json
beside it (readiness, memory, batches, open loop), and the marked part of docs/benchmarks.md with its plot.
"""

import argparse
import functools
import json
import operator
import shutil
import statistics
from pathlib import Path

from bench.environments import make_environment
from bench.machine import machine
from bench.serving.measure import batch, check_answers, closed_loop, open_loop, write_bodies
from bench.serving.prepare import prepare
from bench.serving.report import report
from bench.serving.servers import Server
from bench.serving.steps import STORE
from bench.serving.subjects import BESIDE, REQUIREMENTS, SUBJECTS

RESULTS = Path("bench/results")
CONCURRENCY = (1, 16, 64)
CHECKED = 200
WARM_UP_SECONDS = 1


def options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", help="subjects, comma separated; results of the others stay as they are")
    parser.add_argument(
        "--quick", action="store_true", help="one round of one second, to see that it works; writes nothing"
    )
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=3, help="of each closed loop, after the warm-up")
    given = parser.parse_args()
    given.names = given.only.split(",") if given.only else list(SUBJECTS)
    if unknown := sorted(set(given.names) - set(SUBJECTS)):
        parser.error(f"unknown subject {', '.join(unknown)}; available: {', '.join(SUBJECTS)}")
    if given.quick:
        given.rounds, given.seconds = 1, 1
    return given


def one_round(names, folder, seconds):
    """Every subject once: its answers checked, then loaded at each concurrency."""
    rows, answers = (json.loads((folder / name).read_text()) for name in ("rows.json", "answers.json"))
    measured = {}
    for name in names:
        with Server(SUBJECTS[name], folder) as server:
            server.settled(rows[0])
            worst = check_answers(server, rows[:CHECKED], answers[:CHECKED])
            bodies = write_bodies(server, rows, folder)
            closed = {f"c{c}": _closed(server, bodies, c, seconds) for c in CONCURRENCY}
            measured[name] = {
                "closed": closed,
                "ready_s": server.ready_seconds,
                "rss_mb": server.resident_mb(),
            }
            if server.subject.many:
                measured[name]["batch"] = batch(server, rows, seconds)
        rates = "  ".join(f"{c} {numbers['rps']:8.1f}/s" for c, numbers in closed.items())
        print(f"{name:18} answers within {worst:.0e}   {rates}", flush=True)
    return measured


def _closed(server, bodies, connections, seconds):
    closed_loop(server, bodies, connections, WARM_UP_SECONDS)
    return closed_loop(server, bodies, connections, seconds)


def open_loops(names, rate, folder, seconds):
    """Every subject in the open loop at the same rate."""
    rows = json.loads((folder / "rows.json").read_text())
    measured = {}
    for name in names:
        with Server(SUBJECTS[name], folder) as server:
            server.settled(rows[0])
            bodies = write_bodies(server, rows, folder)
            closed_loop(server, bodies, 1, WARM_UP_SECONDS)
            measured[name] = open_loop(server, bodies, rate, seconds)
        print(f"{name:18} open loop at {rate:.0f}/s: {measured[name]}", flush=True)
    return measured


def median_of(rounds, *keys):
    """The median of one number over rounds."""
    return statistics.median(functools.reduce(operator.getitem, keys, one) for one in rounds)


def combined(rounds, name):
    """One subject's rounds as the two entries that are stored."""
    mine = [one[name] for one in rounds]
    serving = {
        f"c{c}": {what: median_of(mine, "closed", f"c{c}", what) for what in ("rps", "p50_ms", "p99_ms")}
        for c in CONCURRENCY
    }
    service = {what: round(median_of(mine, what), 2) for what in ("ready_s", "rss_mb")}
    if "batch" in mine[0]:
        rate = median_of(mine, "batch", "rows_per_second")
        service["batch"] = {
            "rows": mine[0]["batch"]["rows"],
            "ms": median_of(mine, "batch", "ms"),
            "rows_per_second": rate,
            "x_single_rows": round(rate / serving["c1"]["rps"], 2),  # one caller here, one caller there
            "x_single_rows_c64": round(rate / serving["c64"]["rps"], 2),
        }
    return serving, service


def peers_in(serving):
    return [name for name in serving if name not in ("veredito", "limit", *BESIDE)]


def stored(name):
    path = RESULTS / name
    return json.loads(path.read_text()) if path.exists() else {}


def store(name, content):
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / name).write_text(json.dumps(content, indent=2) + "\n")


def main():
    given = options()
    if shutil.which("wrk") is None:
        raise SystemExit("the closed loop needs wrk: apt-get install wrk")
    folder = prepare(STORE)
    for name in given.names:
        if home := SUBJECTS[name].home:
            make_environment(home, REQUIREMENTS / f"{home}.txt")
    rounds = [one_round(given.names, folder, given.seconds) for _ in range(given.rounds)]
    serving, service = stored("serving.json"), stored("service.json")
    for name in given.names:
        closed, rest = combined(rounds, name)
        service[name] = service.get(name, {}) | rest
        if name in BESIDE:
            service[name]["closed"] = closed
        else:
            serving[name] = closed
    rate = max((serving[name]["c64"]["rps"] for name in peers_in(serving)), default=1000.0) / 2
    for name, result in open_loops(
        _in_open_loop(given.names, serving), rate, folder, given.seconds + 2
    ).items():
        service[name]["open_loop"] = result
    service["machine"] = machine()
    if given.quick:
        return
    store("serving.json", {name: serving[name] for name in SUBJECTS if name in serving})
    store("service.json", service)
    report()


def _in_open_loop(names, serving):
    """Ours, the limit, and the peer that sets the rate: the others cannot keep it up, or barely."""
    best = max(peers_in(serving), key=lambda name: serving[name]["c64"]["rps"], default=None)
    return [name for name in names if name in ("veredito", "limit", best)]


if __name__ == "__main__":
    main()
