"""Fit and score fklearn's seven steps on both sides, and LightGBM behind a table.

python -m bench.learn [--quick] [--rounds 3]

Writes bench/results/learn.json and the marked part of docs/benchmarks.md.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl

from bench.environments import FKLEARN_PINS, make_environment
from bench.learn import data, report
from bench.machine import machine

STORE = Path("var/bench/learn")
ROWS_FIT, ROWS_SCORE, ROWS_BOOSTED = 200_000, 1_000_000, 200_000
TOLERANCE = 1e-6  # of probabilities: two releases of scikit-learn stop a hair apart


def main():
    given = options()
    shrink = 50 if given.quick else 1
    rows_fit, rows_score, rows_boosted = (rows // shrink for rows in (ROWS_FIT, ROWS_SCORE, ROWS_BOOSTED))
    peer = make_environment("fklearn", FKLEARN_PINS)
    data.write(STORE, rows_fit, rows_score)
    found = {
        "machine": machine(),
        "rows_fit": rows_fit,
        "rows_score": rows_score,
        "fklearn_version": pinned("fklearn"),
        "ours": run(sys.executable, "bench.learn.ours", STORE, given.rounds),
        "fklearn": run(peer, "bench.learn.fklearn_side", STORE, min(2, given.rounds)),
        "difference": check_scores(STORE),
        "boosted": run(sys.executable, "bench.learn.boosted", rows_boosted, 2 * given.rounds + 1),
    }
    for what, value, aim in report.ratios(found):
        print(f"{value:8.2f}  {aim:8}  {what}", flush=True)
    if given.quick:
        return
    report.RESULTS.parent.mkdir(parents=True, exist_ok=True)
    report.RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    report.report()


def options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="small tables, to see that it works; writes nothing"
    )
    parser.add_argument("--rounds", type=int, default=3, help="medians are taken; fklearn has two at most")
    given = parser.parse_args()
    if given.quick:
        given.rounds = 1
    return given


def run(python, module, *arguments):
    """A subject's own measurements, as it prints them."""
    command = [str(python), "-m", module, *map(str, arguments)]
    print("  ".join(command[1:]), flush=True)
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)


def check_scores(folder):
    """The largest difference between the two sides' probabilities; their ranks must be apart as little.

    Raises:
        SystemExit: they do not compute the same thing, and nothing that was measured means anything.
    """
    ours, theirs = (pl.read_parquet(folder / f"{side}.parquet") for side in ("ours", "fklearn"))
    worst = float(np.abs(ours["prediction"].to_numpy() - theirs["prediction"].to_numpy()).max())
    ranks = float(np.abs(ours["prediction_ecdf"].to_numpy() - theirs["prediction_ecdf"].to_numpy()).max())
    print(f"same answers: probabilities within {worst:.1e}, ranks of 1000 within {ranks:.3f}", flush=True)
    if not (worst <= TOLERANCE and ranks <= 1.0):
        raise SystemExit(f"the two sides do not compute the same: {worst} and {ranks}")
    return worst


def pinned(package):
    lines = FKLEARN_PINS.read_text(encoding="utf-8").splitlines()
    return next(line.partition("==")[2] for line in lines if line.startswith(f"{package}=="))


if __name__ == "__main__":
    main()
