"""Measure the graph beside gathering by hand and beside Hamilton, each figure in a process of its own.

python -m bench.graph [--quick] [--rounds=3]

Subjects take turns in every round, and each figure is the median of the rounds. Writes
bench/results/graph.json, graph_detail.json beside it, and the marked part of docs/benchmarks.md.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from bench.environments import make_environment
from bench.graph.measure import CASES
from bench.graph.report import report
from bench.graph.workload import LAYER_MS, LAYERS, critical_seconds, layered_seconds, ragged
from bench.machine import machine

RESULTS = Path("bench/results")
SUBJECTS = ("veredito", "by_hand", "hamilton")


def options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="one round, to see that it works; writes nothing"
    )
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def told(python, module, *arguments):
    """The JSON object that a module prints."""
    ran = subprocess.run([python, "-m", module, *arguments], capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(f"{module} {' '.join(arguments)} failed:\n{ran.stderr[-2000:]}")
    return json.loads(ran.stdout)


def one_round(pythons):
    """Every case of every subject, and veredito's own figures."""
    figures = {}
    for case in CASES:
        for subject, python in pythons.items():
            figures[case, subject] = told(python, "bench.graph.measure", subject, case)
            print(f"{case:12} {subject:10} {_shown(figures[case, subject])}", flush=True)
    figures["own", "veredito"] = told(sys.executable, "bench.graph.own")
    print(f"{'own':12} {'veredito':10} {_shown(figures['own', 'veredito'])}", flush=True)
    return figures


def _shown(figures):
    return "  ".join(f"{name} {value:.2f}" for name, value in figures.items())


def combined(rounds):
    """The medians, as graph.json and graph_detail.json hold them."""

    def median(case, subject, what):
        return round(statistics.median(one[case, subject][what] for one in rounds), 3)

    critical_ms = LAYERS * LAYER_MS
    result = {
        "cpu_us_per_run": {subject: median("cpu", subject, "cpu_us_per_run") for subject in SUBJECTS},
        "wall_ms": {
            "alone": median("alone", "veredito", "wall_ms"),
            "critical_path": critical_ms,
            "concurrent_200": median("together", "veredito", "wall_ms"),
            "by_hand_200": median("together", "by_hand", "wall_ms"),
        },
        "pure_node_us": median("own", "veredito", "pure_node_us"),
    }
    detail = {
        "machine": machine(),
        "alone_ms": {subject: median("alone", subject, "wall_ms") for subject in SUBJECTS},
        "concurrent_200_ms": {subject: median("together", subject, "wall_ms") for subject in SUBJECTS},
        "ragged_ms": {
            "critical_path": round(critical_seconds(ragged()) * 1e3, 3),
            "layered": round(layered_seconds(ragged()) * 1e3, 3),
            **{subject: median("stragglers", subject, "wall_ms") for subject in SUBJECTS},
        },
        "memory_kb_per_run": {subject: median("memory", subject, "kb_per_run") for subject in SUBJECTS},
        "build_ms": median("own", "veredito", "build_ms"),
        "plan_ms": median("own", "veredito", "plan_ms"),
    }
    return result, detail


def main():
    given = options()
    peer = make_environment("hamilton", Path(__file__).parent / "requirements.txt").absolute()
    pythons = {"veredito": sys.executable, "by_hand": sys.executable, "hamilton": str(peer)}
    result, detail = combined([one_round(pythons) for _ in range(1 if given.quick else given.rounds)])
    if given.quick:
        print(json.dumps(result, indent=2))
        return
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name, content in (("graph", result), ("graph_detail", detail)):
        (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")
    report()


if __name__ == "__main__":
    main()
