"""What recording adds to a decision, how fast a backlog drains into each sink, and how fast an outbox is ready.

python -m bench.record [--quick] [--records 1000000] [--folder FOLDER]

Writes bench/results/record.json and the marked part of docs/benchmarks.md. A full run needs 4 GB in FOLDER (by
default a temporary one) and, for the topic, Java and Maven. With --quick a fifth of the time, a twentieth of the
records, and nothing written.
"""

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.machine import machine
from bench.page import rewrite
from bench.record.latency import measure
from bench.record.report import text

RESULTS = Path("bench/results/record.json")


def options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--records", type=int, help="of the backlog")
    parser.add_argument("--folder", help="on the disk to be measured")
    given = parser.parse_args()
    given.records = given.records or (50_000 if given.quick else 1_000_000)
    return given


def part(*arguments):
    """A part of the backlog's case, in a process of its own."""
    command = [sys.executable, "-m", "bench.record.backlog", *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


@contextlib.contextmanager
def broker(folder):
    """A broker with a topic; `None` where there is no Java or no Maven."""
    if not (shutil.which("java") and shutil.which("mvn")):
        yield None
        return
    from confluent_kafka.admin import AdminClient, NewTopic

    started = subprocess.run(
        ["scripts/kafka", "start", folder], check=True, stdout=subprocess.PIPE, text=True
    )
    try:
        servers = started.stdout.strip()
        admin = AdminClient({"bootstrap.servers": servers})
        admin.create_topics([NewTopic("decisions", 6, 1)])["decisions"].result(60)
        yield servers
    finally:
        subprocess.run(["scripts/kafka", "stop", folder], check=True)


def backlog(folder, records):
    """The same backlog into the table and into the topic."""
    outbox = folder / "backlog"
    measured = {"fill": part("fill", outbox, records), "parquet": part("drain", outbox, "parquet")}
    shutil.rmtree(outbox)
    with broker(folder / "kafka") as servers:
        if servers:
            part("fill", outbox, records)
            measured["kafka"] = part("drain", outbox, "kafka", servers, "decisions")
    return measured


def main():
    given = options()
    seconds = 1 if given.quick else 5
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        results = {
            "acknowledge": {
                name: measure(Path(folder) / name, name, seconds) for name in ("durable", "queued")
            },
            **backlog(Path(folder), given.records),
            "machine": machine(),
        }
    print(text(results))
    if not given.quick:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=2) + "\n")
        rewrite("record", text(results))


if __name__ == "__main__":
    main()
