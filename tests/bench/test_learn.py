"""The learners' benchmark works: its data, its checks, its report, and both sides give the same answers."""

import json
import subprocess
import sys

import polars as pl
import pytest
from bench.learn import data, report
from bench.learn.__main__ import check_scores
from bench.learn.columns import CATEGORIES, NUMBERS
from bench.learn.measured import OwnFit, measured
from tests.learn.fklearn import ROOT, python_with_fklearn

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench_learn")
    data.write(folder, rows_fit=3_000, rows_score=2_000)
    return folder


def run(python, module, folder):
    command = [str(python), "-m", module, str(folder), "1"]
    return json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True).stdout)


def test_the_data_is_seeded_and_has_all_columns():
    """50 features of which numbers are missing now and then, and categories that training does not have."""
    one, again = data.table(500, seed=1), data.table(500, seed=1)

    assert one.equals(again)
    assert len(one.columns) == 51
    assert all(one[name].null_count() for name in NUMBERS)
    seen, new = data.table(500, seed=1), data.table(2_000, seed=2, unseen=0.05)
    assert all(set(new[name]) - set(seen[name]) for name in CATEGORIES)


def test_a_fit_inside_a_fit_is_told_apart():
    """The seconds of the library's own class are added up until they are taken."""

    class Model:
        def fit(self, rows):
            return sum(range(rows))

    own = OwnFit(Model)
    result, found = measured(lambda: Model().fit(200_000))

    taken = own.taken()
    assert result == sum(range(200_000))
    assert 0 < taken["own_seconds"] <= found["seconds"]
    assert found["peak_mb"] > 10
    assert own.taken()["own_seconds"] == 0


@pytest.mark.timeout(600)  # the first time, fklearn's environment is made
def test_both_sides_give_the_same_answers(folder):
    """What is compared in speed is the same computation: fklearn's own numbers, here."""
    peer = python_with_fklearn()

    ours, theirs = (
        run(sys.executable, "bench.learn.ours", folder),
        run(peer, "bench.learn.fklearn_side", folder),
    )

    assert check_scores(folder) < 1e-9
    assert ours.keys() == theirs.keys() == {"fit", "score"}
    assert ours["fit"][0].keys() == theirs["fit"][0].keys()


def test_different_answers_end_it(tmp_path):
    """No number is reported of things that are not the same."""
    scores = pl.DataFrame({"prediction": [0.5], "prediction_ecdf": [500.0]})
    scores.write_parquet(tmp_path / "ours.parquet")
    scores.with_columns(prediction=0.6).write_parquet(tmp_path / "fklearn.parquet")

    with pytest.raises(SystemExit, match="do not compute the same"):
        check_scores(tmp_path)


def test_the_report_has_both_sides_and_the_aims():
    """Medians of what was measured, and ratios beside what was aimed at."""
    side = {
        "fit": [{"seconds": 3.0, "own_seconds": 1.0, "peak_mb": 300.0}],
        "score": [{"seconds": 1.0, "peak_mb": 500.0}],
    }
    other = {
        "fit": [{"seconds": 31.0, "own_seconds": 1.0, "peak_mb": 900.0}],
        "score": [{"seconds": 25.0, "peak_mb": 2_000.0}],
    }
    facts = {"date": "2026-01-01", "cores": 2, "processor": "p", "memory_gb": 8, "system": "s", "python": "3"}
    boosted = {"rows": 10, "model": [1.2, 1.3, 1.1], "library": [1.0, 1.0, 1.0]}

    text = report.text(
        {
            "machine": facts, "rows_fit": 9, "rows_score": 9, "fklearn_version": "4.2.0",
            "ours": side, "fklearn": other, "boosted": boosted,
        }
    )  # fmt: skip

    assert "| **veredito** | 3.00 | 1.00 | 1.00 | 300 | 500 |" in text
    assert "| fklearn 4.2.0 | 31.00 | 1.00 | 25.00 | 900 | 2,000 |" in text
    assert [line.split("|")[2:4] for line in text.splitlines()[-4:]] == [
        [" 15.00 ", " >= 10 "], [" 25.00 ", " >= 10 "], [" 0.25 ", " <= 0.33 "], [" 1.20 ", " <= 1.25 "],
    ]  # fmt: skip
