"""Models that answer nonsense: each has its error, and the next request its answer."""

import numpy as np
import polars as pl
import pytest

from veredito import model
from veredito.errors import ArtifactError, OutputError
from veredito.learn.models.model_step import ModelStep
from veredito.model import RowPlan
from veredito.schema import Field, Schema

INPUTS = Schema("In", [Field("x", "float"), Field("y", "float")])
OUTPUTS = Schema("Out", [Field("score", "float", minimum=0.0, maximum=1.0)])
ROW = {"x": 0.25, "y": 0.5}


class Moody(ModelStep, kind="test_moody"):
    """A model that does what it is told, once; then it answers its first feature."""

    mood = "good"

    def engines(self):
        return {"native": lambda: self.answer}

    @classmethod
    def answer(cls, features):
        mood, cls.mood = cls.mood, "good"
        return MOODS[mood](features)


def _raise(error):
    raise error


MOODS = {
    "good": lambda features: features[:, 0],
    "missing": lambda features: features[:, 0] * np.nan,
    "infinite": lambda features: features[:, 0] + np.inf,
    "above": lambda features: features[:, 0] + 1,
    "one more": lambda features: np.append(features[:, 0], 0.0),
    "one less": lambda features: features[1:, 0],
    "one for all": lambda _: 0.5,
    "two a row": lambda features: features,
    "texts": lambda features: np.array(["much"] * len(features)),
    "objects": lambda features: np.array([{}] * len(features)),
    "nothing": lambda _: None,
    "its own error": lambda _: _raise(RuntimeError("row 0.25 is bad")),
    "no memory": lambda _: _raise(MemoryError()),
}  # fmt: skip
SAID = {
    "missing": "its output 'score' must not be missing",
    "infinite": "its output 'score' must be finite",
    "above": "its output 'score' must be at most 1.0",
    "nothing": "model 'moody'( failed: |: its output 'score' must not be missing)",
}


@pytest.fixture
def plan():
    return RowPlan(Moody(("x", "y"), ("score",), "native", {}), INPUTS, OUTPUTS, name="moody")


@pytest.mark.parametrize("rows", [1, 3, 40])
@pytest.mark.parametrize("mood", sorted(set(MOODS) - {"good"}))
def test_nonsense_is_an_output_error(plan, mood, rows):
    """It says which model and what, repeats no value, and the next request is answered."""
    if (mood, rows) == ("one for all", 1):
        pytest.skip("one answer for one row is an answer")
    Moody.mood = mood

    with pytest.raises(OutputError, match=SAID.get(mood, "model 'moody' failed: ")) as caught:
        plan([ROW] * rows)

    assert "0.25" not in str(caught.value)
    assert [answer.score for answer in plan([ROW] * rows)] == [0.25] * rows


def test_a_missing_score_is_an_answer_where_the_schema_allows_it():
    """And never the best or the worst one."""
    plan = RowPlan(
        Moody(("x", "y"), ("score",), "native", {}),
        INPUTS,
        Schema("Out", [Field("score", "float", nullable=True)]),
    )
    Moody.mood = "missing"

    assert plan([ROW])[0].score is None


@pytest.mark.parametrize("mood", ["one less", "two a row", "texts", "its own error"])
def test_nonsense_is_not_saved(tmp_path, mood):
    """The sample is answered before anything is written."""

    class Always(Moody, kind=f"test_always_{mood.replace(' ', '_')}"):
        @classmethod
        def answer(cls, features):
            return MOODS[mood](features)

    with pytest.raises(ArtifactError, match="sample: the model cannot answer it"):
        model.save(
            Always(("x", "y"), ("score",), "native", {}), tmp_path / "m", sample=pl.DataFrame([ROW] * 3)
        )

    assert list(tmp_path.iterdir()) == []
