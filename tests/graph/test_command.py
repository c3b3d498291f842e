"""`veredito graph`, as a command: of the card example, whose picture in the docs is the current one."""

import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from veredito import learn
from veredito import model as vm

pytest.importorskip("lightgbm")

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "card_fraud"
EVENT = """{"transaction_id": 1, "at": "2018-06-01T10:00:00Z", "customer_id": 1, "terminal_id": 2, "amount": 20}"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The example, with a model that has its columns and nothing to say; nobody plays the company."""
    folder = tmp_path_factory.mktemp("card_fraud")
    for name in ("features.py", "policy.py", "service.toml"):
        shutil.copy(EXAMPLE / name, folder)
    config = (folder / "service.toml").read_text(encoding="utf-8")
    (folder / "service.toml").write_text(
        config.replace('seed = "var/history.parquet"\n', ""), encoding="utf-8"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLE))
        import features
    names = list(features.FEATURES)
    rng = np.random.default_rng(1)
    columns = {name: rng.uniform(0, 100, 300) for name in names}
    flags = {name: rng.integers(0, 2, 300).astype(bool) for name in names if name.startswith("is_")}
    table = pl.DataFrame({**columns, **flags, "fraud": rng.integers(0, 2, 300)})
    learner = learn.pipeline(
        learn.lightgbm_classifier(features=names, target="fraud", num_trees=2),
        learn.isotonic_calibrator(target="fraud"),
        learn.ecdf(into="prediction_ecdf"),
    )
    step, _, log = learner(table)
    outputs = ["prediction", "calibrated", "prediction_ecdf"]
    vm.save(step, folder / "models" / "fraud", sample=table, outputs=outputs, log=log)
    return folder


def drawn(project, out, *more):
    ran = subprocess.run(
        [sys.executable, "-m", "veredito", "graph", "service.toml", "--out", out, *more],
        cwd=project, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split()


def test_the_picture_in_the_docs_is_what_the_command_draws(project, tmp_path):
    """To draw it again: `veredito graph service.toml` in the example, and its graph.svg to docs/card_fraud.svg."""
    shown = drawn(project, tmp_path)
    picture = (tmp_path / "graph.svg").read_text(encoding="utf-8")

    assert shown == [str(tmp_path / "graph.svg"), str(tmp_path / "graph.mmd")]
    assert picture == (ROOT / "docs" / "card_fraud.svg").read_text(encoding="utf-8")


def test_with_an_event_the_picture_shows_its_run_and_a_waterfall_where_its_time_went(project, tmp_path):
    """The company is not there: its effects come to their defaults, and the decision is made."""
    (tmp_path / "event.json").write_text(EVENT)
    shown = drawn(project, tmp_path / "out", "--event", tmp_path / "event.json")
    waterfall = (tmp_path / "out" / "waterfall.svg").read_text()

    assert shown[-1] == str(tmp_path / "out" / "waterfall.svg")
    assert "default(" in waterfall
    assert {"customer", "history", "decision"} <= {
        element.text for element in ET.fromstring(waterfall).iter()
    }
