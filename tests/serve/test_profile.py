"""`veredito profile` says where a request's time goes, and draws it."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET

import polars as pl
import pytest
from tests.serve.conftest import EVENT, post

from veredito import learn
from veredito import model as vm
from veredito.testing.service import running_service


def profile(project, *options):
    return subprocess.run(
        [sys.executable, "-m", "veredito", "profile", str(project / "service.toml"), *options],
        capture_output=True,
        text=True,
        cwd=project,
    )


@pytest.fixture
def with_table_step(tmp_path):
    """A model alone, one of whose steps has no row form."""
    table = pl.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [2.0, 3.0, 4.0, 5.0]})
    learner = learn.pipeline(
        learn.imputer(["a"]), learn.expression([(pl.col("a") / pl.col("b")).alias("rate")])
    )
    step, _, _ = learner(table)
    vm.save(step, tmp_path / "model", sample=table, outputs=["rate"])
    (tmp_path / "service.toml").write_text('[service]\nname = "rates"\n[models.rate]\nartifact = "model"\n')
    return tmp_path


def test_a_model_is_profiled_by_stage_and_by_step(with_table_step):
    """The stages of real requests, and what the step costs that makes a table for every row."""
    done = profile(with_table_step, "--count", "50")

    assert done.returncode == 0, done.stderr
    assert "50 rows to model rate" in done.stdout
    for word in ("in_schema", "in_adapter", "model", "out_adapter", "out_schema", "rest"):
        assert word in done.stdout
    marked = [line for line in done.stdout.splitlines() if "a table for every row" in line]
    assert len(marked) == 1
    assert "expression" in marked[0]
    picture = ET.parse(with_table_step / "profile.svg").getroot()
    assert "50 rows to model rate" in "".join(picture.itertext())


def test_rows_of_the_users_own_are_sent(with_table_step):
    """One JSON object a line; a row that is refused is named by its place."""
    rows = with_table_step / "rows.jsonl"
    rows.write_text("\n".join(json.dumps({"a": float(a), "b": 2.0}) for a in range(5)))

    good = profile(with_table_step, "--requests", str(rows), "--count", "7")
    rows.write_text('{"a": 1.0, "b": 2.0}\n{"a": "x"}\n')
    bad = profile(with_table_step, "--requests", str(rows))

    assert "7 rows of rows.jsonl to model rate" in good.stdout
    assert bad.returncode == 2
    assert "request 2: is answered with 422" in bad.stderr


def test_decisions_are_profiled_from_their_record(project):
    """What was recorded of real decisions is what is shown."""
    with running_service(project / "service.toml") as service:
        for _ in range(3):
            assert post(service, "/v1/decide", EVENT).status == 200

    done = profile(project, "--count", "30")

    assert done.returncode == 0, done.stderr
    assert "3 decisions of the record" in done.stdout
    for word in ("fetching", "policy", "lightgbm"):
        assert word in done.stdout
