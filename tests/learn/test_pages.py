"""The learners' pages: every learner is on one of them, and what they show runs."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from tests.learn.fklearn import ROOT, python_with_fklearn

from veredito import learn

DOCS = ROOT / "docs"


def names_in(module, *kinds):
    return [
        name
        for name in (getattr(module, "__all__", None) or dir(module))
        if isinstance(getattr(module, name), type) and issubclass(getattr(module, name), kinds)
    ]


def test_every_learner_split_metric_perturbation_and_plot_is_on_the_page():
    """One page lists them all."""
    page = (DOCS / "learners.md").read_text(encoding="utf-8")
    abstract = {"Learner", "ModelLearner", "Split", "Metric", "Function", "Perturbation"}
    names = {
        *names_in(learn, learn.Learner),
        *names_in(learn.splits, learn.splits.Split),
        *names_in(learn.metrics, learn.metrics.Metric),
        *names_in(learn.perturb, learn.perturb.Perturbation),
        *("calibration", "precision_recall", "score_distribution", "stability"),
    }

    assert {name for name in names - abstract if not name.startswith("_") and f"`{name}" not in page} == set()


@pytest.mark.timeout(600)  # the first time, fklearn's environment is made
def test_the_page_for_those_who_come_from_fklearn_runs_with_fklearn(tmp_path):
    """Its blocks, one after the other, where fklearn 4.2 is."""
    page = (DOCS / "from_fklearn.md").read_text(encoding="utf-8")
    program = tmp_path / "page.py"
    program.write_text("\n\n".join(re.findall(r"^```py\n(.*?)^```", page, re.MULTILINE | re.DOTALL)))
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "PYTHONWARNINGS": "ignore"}

    run = subprocess.run(
        [python_with_fklearn(), program], cwd=tmp_path, env=environment, capture_output=True, text=True
    )

    assert run.returncode == 0, run.stderr[-3_000:]
    assert "train the same steps with veredito.learn" in run.stdout


@pytest.mark.timeout(900)
def test_the_walkthrough_runs_on_the_published_payments(tmp_path, monkeypatch):
    """The page as it stands, on the payments that papers are about; on simulated ones it runs with all pages."""
    path = os.environ.get("VEREDITO_TRANSACTIONS")
    if not path or not Path(path).is_file():
        pytest.skip("VEREDITO_TRANSACTIONS does not name a file of payments")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "payments.parquet").symlink_to(Path(path).resolve())
    page = (DOCS / "walkthrough.md").read_text(encoding="utf-8")
    names = {"__name__": "walkthrough"}

    for block in re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        exec(block, names)

    found = dict(names["found"].group_by("metric").agg("value").iter_rows())
    assert min(found["roc_auc"]) > 0.84
    assert min(found["average_precision"]) > 0.6
    assert (tmp_path / "fraud" / "manifest.json").is_file()
