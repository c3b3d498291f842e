"""The benchmark of one row works: its answers, its stages and its report."""

import json

import pytest
from bench.machine import machine
from bench.row.__main__ import check, stages, whole
from bench.row.report import text
from bench.row.subjects import ByHand, Veredito
from bench.serving.prepare import prepare

pytest.importorskip("lightgbm")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A small model, its subjects, and what they are asked and must answer."""
    folder = prepare(tmp_path_factory.mktemp("bench"), rows=400, trees=5, count=40)
    rows, answers = (json.loads((folder / name).read_text()) for name in ("rows.json", "answers.json"))
    return (Veredito(folder / "model"), ByHand(folder)), [json.dumps(row).encode() for row in rows], answers


def test_every_subject_answers_what_it_must(prepared):
    """Before anything is timed."""
    subjects, bodies, answers = prepared

    for subject in subjects:
        check(subject, bodies, answers)


def test_a_wrong_answer_fails_the_run(prepared):
    """Whoever is wrong is not timed."""
    (ours, _), bodies, answers = prepared

    with pytest.raises(SystemExit, match="must answer"):
        check(ours, bodies, answers[1:] + answers[:1])


def test_every_stage_is_timed(prepared):
    """Each subject, whole and by its own stages; the model is one of them."""
    subjects, bodies, _ = prepared

    assert all(us > 0 for us in whole(subjects, bodies, rounds=1))
    for found in stages(subjects, bodies, rounds=1):
        assert found["model"] > 0
        assert len(found) in {4, 5}


def test_the_report_says_what_was_aimed_at():
    """Beside what was measured."""
    numbers = {"veredito_us": 50.0, "hand_written_us": 40.0, "fklearn_us": 41_000.0}
    shares = {
        "adapter_share": 0.15,
        "adapter_x_hand": 1.2,
        "stages_us": {"model": 42.5},
        "hand_stages_us": {"model": 35.0},
    }

    said = text({**numbers, **shares, "machine": machine()})

    assert "| x by hand | 1.25 | <= 2 |" in said
    assert "| fklearn's time, x ours | 820 | >= 300 |" in said
    assert "| 15% | <= 20 % |" in said
