"""Which engine serves is decided by parity first, then by the clock."""

import dataclasses
import math
import shutil

import numpy as np
import polars as pl
import pytest
from tests.model.artifacts import PAYMENTS, SAMPLE, forge

from veredito import learn, model
from veredito.errors import ArtifactError, LearnerError, MissingExtraError
from veredito.learn.models.model_step import ModelStep
from veredito.learn.step import walk
from veredito.model.engines import edge_rows

SPLIT = 0.3
TABLE = pl.DataFrame({"x": [0.1, 0.2, 0.6, None], "y": [1.0, None, 3.0, 4.0]})


class Ways(ModelStep, kind="test_ways"):
    """A stump with engines that are made to be caught."""

    def split_points(self):
        return [(0, SPLIT)]

    def engines(self):
        known = {
            "native": self._slow,
            "right": lambda rows: np.where(rows[:, 0] > SPLIT, 1.0, 0.5),
            "float32": lambda rows: np.where(rows[:, 0].astype(np.float32) > np.float32(SPLIT), 1.0, 0.5),
            "no missing": lambda rows: np.where(np.nan_to_num(rows[:, 0], nan=9.0) > SPLIT, 1.0, 0.5),
            "not alone": lambda rows: np.where(rows[:, 0] > SPLIT, 1.0, 0.5) + (len(rows) == 1),
            "last bit": lambda rows: np.nextafter(np.where(rows[:, 0] > SPLIT, 1.0, 0.5), 2),
            "crashes": lambda _: 1 // 0,
            "one for all": lambda _: np.array([0.5]),
        }
        return {name: lambda way=way: way for name, way in known.items()} | {"absent": self._absent}

    @staticmethod
    def _slow(rows):
        return np.array(
            [
                1.0 if sum([x] * 3_000) > SPLIT * 3_000 - 1e-9 and x > SPLIT else 0.5
                for x in rows[:, 0].tolist()
            ]
        )

    @staticmethod
    def _absent():
        raise MissingExtraError("nowhere", "nowhere")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ways") / "m"
    return model.save(Ways(("x", "y"), ("score",), "native", {}), folder, sample=TABLE), folder


def refused(saved, engine):
    return next(m.refused for m in saved[0].measured if m.engine == engine)


class TestChoosing:
    def test_the_fastest_that_agrees_serves(self, saved):
        """And the manifest says which, and how the others did."""
        manifest, folder = saved

        assert manifest.engines == ["right"]
        assert [m.engine for m in manifest.measured if m.chosen] == ["right"]
        assert model.load(folder).step.engine == "right"

    @pytest.mark.parametrize("engine", ["float32", "no missing", "not alone", "last bit"])
    def test_who_differs_anywhere_is_out(self, saved, engine):
        """Beside a threshold, where a value is missing, in a row alone, or in the last bit."""
        assert "differs from native by" in refused(saved, engine)

    @pytest.mark.parametrize(
        ("engine", "reason"),
        [("crashes", "ZeroDivisionError"), ("absent", "MissingExtraError"), ("one for all", "Error")],
    )
    def test_who_cannot_answer_is_out(self, saved, engine, reason):
        """With its own words."""
        assert reason in refused(saved, engine)

    def test_models_inside_models_of_a_pipeline_are_all_chosen(self, tmp_path):
        """Wherever they are nested."""
        learner = learn.pipeline(
            learn.lightgbm_regressor(["amount"], target="loss", num_trees=3, into="first"),
            learn.pipeline(learn.lightgbm_classifier(["first", "age"], target="fraud", num_trees=3)),
        )
        manifest = model.save(learner(PAYMENTS).step, tmp_path / "m", sample=PAYMENTS.select("amount", "age"))

        assert len(manifest.engines) == 2
        assert {m.step for m in manifest.measured} == {"lightgbm ▸ first", "lightgbm ▸ prediction"}

    def test_lightgbm_through_c_agrees_to_the_bit(self, original):
        """So it may serve wherever it is the faster."""
        measured = {m.engine: m for m in model.load(original).manifest.measured}

        assert measured["c"].difference == 0.0
        assert not measured["c"].refused

    def test_saving_changes_no_fitted_step(self, trained, tmp_path):
        """What was fitted stays as it was; the saved copy has the engine."""
        before = [part.engine for part in walk(trained.step) if isinstance(part, ModelStep)]
        model.save(trained.step, tmp_path / "m", sample=SAMPLE)

        assert [part.engine for part in walk(trained.step) if isinstance(part, ModelStep)] == before


class TestAnEngineThatIsNotThere:
    def test_native_stands_in_and_it_is_said(self, saved, tmp_path, caplog):
        """In the model's notes and in the log."""
        folder = shutil.copytree(saved[1], tmp_path / "m")
        state = (folder / "state.json").read_bytes()
        forge(folder, {"state.json": state.replace(b'"right"', b'"absent"')})

        loaded = model.load(folder)

        assert loaded.step.engine == "native"
        assert "engine 'absent' is not available, native serves" in loaded.notes[0]
        assert "native serves" in caplog.text

    def test_an_engine_that_nobody_knows_is_refused(self, saved, tmp_path):
        """With those that are known."""
        folder = shutil.copytree(saved[1], tmp_path / "m")
        state = (folder / "state.json").read_bytes()
        forge(folder, {"state.json": state.replace(b'"right"', b'"rihgt"')})

        with pytest.raises(ArtifactError, match=r"unknown engine 'rihgt'; available: .*did you mean 'right'"):
            model.load(folder)

    def test_a_step_with_an_unknown_engine_cannot_predict(self):
        """Nor can a fitted one that was changed by hand."""
        step = dataclasses.replace(Ways(("x", "y"), ("score",), "native", {}), engine="none")

        with pytest.raises(LearnerError, match="unknown engine 'none'"):
            step(TABLE)


def test_edge_rows_are_made_to_catch_engines_out():
    """Every feature missing, infinite, and on, beside and rounded to each threshold; and all missing at once."""
    rows = edge_rows(np.array([[1.0, 2.0]]), [(1, 0.3)])

    second = set(rows[~np.isnan(rows[:, 1]), 1].tolist())
    assert {
        0.3,
        math.nextafter(0.3, 1),
        math.nextafter(0.3, 0),
        float(np.float32(0.3)),
        math.inf,
        -math.inf,
    } <= second
    assert np.isnan(rows[-1]).all()
    assert np.isnan(rows[:-1]).any(axis=0).all()
