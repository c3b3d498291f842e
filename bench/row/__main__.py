"""One row, JSON bytes to JSON bytes, in one process and one thread; no server.

python -m bench.row [--quick]

Ours and the hand-written code take turns, so that both meet the same caches and the same neighbours; fklearn is
timed in an environment of its own, on the same rows. Writes bench/results/row.json and its part of
docs/benchmarks.md; with --quick only says what it found.
"""

import argparse
import json
import os
import statistics
import subprocess
from pathlib import Path
from time import perf_counter_ns

from bench.environments import FKLEARN_PINS, make_environment
from bench.machine import machine
from bench.page import rewrite
from bench.row.report import text
from bench.row.subjects import ByHand, Veredito
from bench.serving.prepare import prepare
from bench.serving.steps import OUTPUTS, STORE

RESULT = Path("bench/results/row.json")
ROWS, ROUNDS, TURN = 500, 20, 25
FKLEARN_ROWS = 60


def check(subject, bodies, answers):
    """Every answer is what it must be, to 1e-9, before anything is timed."""
    for body, expected in zip(bodies, answers, strict=True):
        found = json.loads(subject.answer(body))
        wrong = [name for name in OUTPUTS if abs(found[name] - expected[name]) > 1e-9]
        if wrong:
            raise SystemExit(f"{type(subject).__name__} answers {found}, and must answer {expected}")


def whole(subjects, bodies, rounds):
    """The median time of each subject for one row, in microseconds; they take turns of some rows."""
    taken = {subject: [] for subject in subjects}
    for _ in range(rounds):
        for start in range(0, len(bodies), TURN):
            for subject, times in taken.items():
                answer = subject.answer
                for body in bodies[start : start + TURN]:
                    begun = perf_counter_ns()
                    answer(body)
                    times.append(perf_counter_ns() - begun)
    return [statistics.median(times) / 1_000 for times in taken.values()]


def stages(subjects, bodies, rounds):
    """The median time of each stage of each subject, in microseconds, by name."""
    found = {subject: [] for subject in subjects}
    for _ in range(rounds):
        for start in range(0, len(bodies), TURN):
            for subject, rows in found.items():
                rows += [subject.stages(body) for body in bodies[start : start + TURN]]
    return [
        {name: statistics.median(row[name] for row in rows) / 1_000 for name in rows[0]}
        for rows in found.values()
    ]


def fklearn(rows):
    """The median time of fklearn for one row, in microseconds."""
    python = make_environment("fklearn", FKLEARN_PINS)
    command = [python, "-m", "bench.row.fklearn_subject", str(rows)]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"fklearn failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])["us"]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few rows, no fklearn; writes nothing")
    quick = parser.parse_args().quick
    folder = prepare(STORE)
    rows, answers = (json.loads((folder / name).read_text())[:ROWS] for name in ("rows.json", "answers.json"))
    bodies = [json.dumps(row).encode() for row in rows]
    subjects = Veredito(folder / "model"), ByHand(folder)
    for subject in subjects:
        check(subject, bodies, answers)
    rounds = 2 if quick else ROUNDS
    ours, by_hand = whole(subjects, bodies, rounds)
    our_stages, hand_stages = stages(subjects, bodies, rounds)
    ours_around, hand_around = (
        sum(us for name, us in found.items() if name != "model") for found in (our_stages, hand_stages)
    )
    result = {
        "veredito_us": round(ours, 1),
        "hand_written_us": round(by_hand, 1),
        "fklearn_us": None if quick else round(fklearn(FKLEARN_ROWS), 1),
        "adapter_share": round(ours_around / (ours_around + our_stages["model"]), 3),
        "adapter_x_hand": round(ours_around / hand_around, 2),
        "stages_us": {name: round(us, 1) for name, us in our_stages.items()},
        "hand_stages_us": {name: round(us, 1) for name, us in hand_stages.items()},
        "machine": machine(),
    }
    print(json.dumps(result, indent=2))
    if not quick:
        RESULT.parent.mkdir(parents=True, exist_ok=True)
        RESULT.write_text(json.dumps(result, indent=2) + "\n")
        rewrite("row", text(result))


if __name__ == "__main__":
    main()
