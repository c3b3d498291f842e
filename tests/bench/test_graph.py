"""The graph's benchmark works: every subject gives the answer, and the page has what was measured."""

import asyncio
import json

import pytest
from bench.graph import __main__ as case
from bench.graph import report, workload
from bench.graph.subjects import by_hand, veredito


@pytest.mark.parametrize("subject", [veredito, by_hand], ids=["veredito", "by_hand"])
def test_every_subject_gives_the_same_answer(subject):
    """What is compared does the same work."""
    run = subject.make(workload.even(None))

    assert asyncio.run(run()) == workload.ANSWER


def test_the_critical_path_of_ragged_latencies_is_shorter_than_its_layers():
    """Else there would be nothing to win."""
    latencies = workload.ragged()

    assert workload.critical_seconds(latencies) < 0.95 * workload.layered_seconds(latencies)
    assert workload.critical_seconds(workload.even(0.1)) == pytest.approx(0.4)


def test_results_have_the_form_that_was_promised_and_reach_the_page(tmp_path, monkeypatch):
    """graph.json has its keys; the page has both tables between its marks."""
    figures = {(name, subject): FIGURES for name in case.CASES for subject in case.SUBJECTS}
    result, detail = case.combined([figures | {("own", "veredito"): OWN}])
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- graph: begin -->\nold\n<!-- graph: end -->\nafter\n")
    (tmp_path / "graph.json").write_text(json.dumps(result))
    (tmp_path / "graph_detail.json").write_text(json.dumps(detail))
    monkeypatch.setattr(report, "PAGE", page)
    monkeypatch.setattr(report, "RESULTS", tmp_path)

    report.report()

    assert set(result) == {"cpu_us_per_run", "wall_ms", "pure_node_us"}
    assert set(result["cpu_us_per_run"]) == {"veredito", "by_hand", "hamilton"}
    assert set(result["wall_ms"]) == {"alone", "critical_path", "concurrent_200", "by_hand_200"}
    assert "| one run, x the critical path | 1.010 | <= 1.02 |" in page.read_text()
    assert page.read_text().startswith("before\n")
    assert "old" not in page.read_text()


FIGURES = {"cpu_us_per_run": 500.0, "wall_ms": 404.0, "kb_per_run": 10.0}
OWN = {"pure_node_us": 0.2, "build_ms": 200.0, "plan_ms": 500.0}
