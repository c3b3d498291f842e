"""The demo: the whole job, on real sockets and processes, as a user runs it."""

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import demo as module
import pytest
from simulate import World, simulate

if not Path("/proc/self/cwd").exists():
    pytest.skip("processes are found by /proc", allow_module_level=True)
pytest.importorskip("lightgbm")
pytest.importorskip("matplotlib")

SRC = Path(__file__).parents[2] / "src"
ENVIRONMENT = os.environ | {"PYTHONPATH": str(SRC), "COLUMNS": "200"}


@pytest.fixture(scope="module")
def payments(tmp_path_factory):
    path = tmp_path_factory.mktemp("payments") / "payments.parquet"
    simulate(World(customers=500, terminals=1_000, radius=10.0, seed=1)).write_parquet(path)
    return path


def command(payments, out, *more):
    return [
        sys.executable,
        module.__file__,
        "--transactions",
        payments,
        "--out",
        out,
        "--events",
        "400",
        *more,
    ]


def processes_in(folder):
    """The ids of the processes that work in a folder."""
    return {int(cwd.parent.name) for cwd in Path("/proc").glob("[0-9]*/cwd") if _leads_to(cwd, folder)}


def ended(process):
    """Wait until a process that is not our child has ended."""
    with contextlib.suppress(OSError):
        select.select([os.pidfd_open(process)], [], [], 30)


def _leads_to(link, folder):
    try:
        return link.readlink() == folder
    except OSError:  # it has ended, or is somebody else's
        return False


@pytest.fixture(scope="module")
def ran(payments, tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "out"
    return subprocess.run(command(payments, out), capture_output=True, text=True, env=ENVIRONMENT), out


def test_every_answer_has_its_record(ran):
    """What was answered is on disk, each once."""
    completed, out = ran
    report = json.loads((out / "report.json").read_text())

    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert report["answers"] == report["records"] == 400
    assert report["records_match_answers"] is True
    assert report["not_answered"] == 0


def test_the_service_decided_with_the_tables_own_features(ran):
    """Over HTTP, with labels coming in between: the recorded features are the table's, to the bit."""
    report = json.loads((ran[1] / "report.json").read_text())

    assert report["features"]["rows"] > 200
    assert report["features"]["different"] == 0


def test_the_report_says_what_came_of_it(ran):
    """Decisions, frauds, latencies and stages add up."""
    report = json.loads((ran[1] / "report.json").read_text())

    assert sum(report["decisions"].values()) == sum(report["sources"].values()) == 400
    assert set(report["sources"]) == {"policy", "pre_policy"}
    assert 0 <= report["fraud"]["amount_caught"] <= report["fraud"]["amount"]
    assert 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["p95"] <= report["latency_ms"]["p99"]
    assert {"in_schema", "fetching", "in_adapter", "model", "out_adapter", "policy", "out_schema"} <= set(
        report["stages"]
    )
    assert sum(stage["share"] for stage in report["stages"].values()) == pytest.approx(1, abs=0.01)


def test_the_report_is_printed_and_drawn(ran):
    """A person sees the numbers, and a picture."""
    completed, out = ran

    assert "400 and 400: equal" in completed.stdout
    assert "p99" in completed.stdout
    assert (out / "report.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_is_left_running(ran):
    """Whatever the demo started has ended."""
    assert processes_in(ran[1]) == set()


def test_an_interrupt_stops_everything(payments, tmp_path):
    """Ctrl-C in the middle leaves no process behind."""
    out = tmp_path / "out"
    process = subprocess.Popen(
        [*command(payments, out), "--events", "100000"], env=ENVIRONMENT, text=True, stdout=subprocess.PIPE
    )
    try:
        while len(processes_in(out)) < 2:
            assert process.poll() is None, process.communicate()[0]
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()

    assert process.returncode == 130
    assert "stopped, and everything it started" in printed
    assert processes_in(out) == set()


def test_a_kept_service_answers_the_printed_curl_line(payments, tmp_path):
    """With --keep the service stays, and what is printed works as it is."""
    out = tmp_path / "out"
    ran = subprocess.run(command(payments, out, "--keep"), capture_output=True, text=True, env=ENVIRONMENT)
    left = processes_in(out)
    try:
        assert ran.returncode == 0, ran.stdout + ran.stderr
        url, body = re.search(r"curl -s (\S+) -d '(.*)'", ran.stdout).groups()
        request = urllib.request.Request(url, data=body.encode())
        with urllib.request.urlopen(request) as response:
            answer = json.load(response)
        ids = [int(number) for number in re.search(r"kill ([\d ]+)", ran.stdout).group(1).split()]
    finally:
        for process in left:
            os.kill(process, signal.SIGTERM)
        for process in left:
            ended(process)

    assert {"decision_id", "action", "reasons", "score", "source"} <= set(answer)
    assert left == set(ids)


def test_a_table_that_is_too_short_is_said_in_words(tmp_path):
    """Without enough history there is no stack trace, and what is needed is said."""
    path = tmp_path / "short.parquet"
    simulate(World(customers=50, terminals=200, days=20, radius=20.0)).write_parquet(path)
    ran = subprocess.run(command(path, tmp_path / "out"), capture_output=True, text=True, env=ENVIRONMENT)

    assert ran.returncode == 1
    assert "needs payments from" in ran.stdout
    assert "Traceback" not in ran.stderr


def test_a_folder_with_somebodys_files_is_left_alone(payments, tmp_path):
    """Only an earlier demo's folder is emptied."""
    (tmp_path / "thesis.txt").write_text("ten years of work")
    ran = subprocess.run(command(payments, tmp_path), capture_output=True, text=True, env=ENVIRONMENT)

    assert ran.returncode == 1
    assert "holds something other than a demo" in ran.stdout
    assert (tmp_path / "thesis.txt").exists()


def test_the_simulated_table_has_what_the_demo_needs():
    """The default world reaches from the history that features need to a whole test week."""
    events = module.events_of(simulate(World()))
    weeks = module.train.Weeks.earliest(events)

    assert events["at"].max().date() >= weeks.test + 6 * module.train.WEEK / 7
