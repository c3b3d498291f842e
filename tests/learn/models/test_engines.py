"""Faster engines: the same answers wherever a tree splits, chosen by parity and the clock, never trusted."""

import sys

import numpy as np
import pytest
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeRegressor
from tests.learn.cases import payments
from tests.learn.model_cases import needs, needs_onnx

from veredito import learn
from veredito.errors import ArtifactError
from veredito.learn import step_of
from veredito.model import load, save
from veredito.model.engines import edge_rows
from veredito.model.parity import difference

PAYMENTS = payments(300)
HOLES = ["amount", "age", "tenure"]  # tenure has missing values
WHOLE = ["amount", "age", "other"]


def forest(estimator, features=HOLES, target="fraud", trees=10, **params):
    learner = learn.sklearn_classifier if hasattr(estimator, "predict_proba") else learn.sklearn_regressor
    return learner(features, target=target, estimator=estimator, params={"n_estimators": trees, **params})


ONNX = [
    pytest.param(forest(RandomForestClassifier), id="forest"),
    pytest.param(forest(ExtraTreesClassifier, target="grade"), id="extra_trees_of_three_classes"),
    pytest.param(forest(RandomForestRegressor, target="loss"), id="forest_of_numbers"),
    pytest.param(learn.sklearn_regressor(WHOLE, target="loss", estimator=DecisionTreeRegressor), id="tree"),
    pytest.param(learn.isolation_forest(HOLES, params={"n_estimators": 10}), id="isolation"),
    pytest.param(
        learn.isolation_forest(WHOLE, params={"n_estimators": 10, "max_features": 2}),
        id="isolation_of_some_features",
    ),
    pytest.param(
        learn.xgboost_classifier(HOLES, target="fraud", num_trees=20), id="xgboost", marks=needs("xgboost")
    ),
    pytest.param(
        learn.xgboost_classifier(HOLES, target="grade", num_trees=8),
        id="xgboost_of_three_classes",
        marks=needs("xgboost"),
    ),
    pytest.param(
        learn.xgboost_regressor(["amount", "tenure"], target="age", num_trees=8),
        id="xgboost_of_numbers",
        marks=needs("xgboost"),
    ),
]


def answers(step, engine):
    """What an engine says of rows on and beside every split, missing and infinite; each alone, and together."""
    features = step.matrix(PAYMENTS[:40])
    rows = np.concatenate([features, edge_rows(features, step.split_points())])[:1500]
    predict = step.engines()[engine]()
    shape = (-1, len(step.outputs))
    together = np.reshape(predict(rows), shape)
    return together, np.concatenate(
        [np.reshape(predict(rows[i : i + 1]), shape) for i in range(0, len(rows), 50)]
    )


@needs_onnx()
class TestOnnx:
    @pytest.mark.parametrize("learner", ONNX)
    def test_it_answers_as_the_library_does(self, learner):
        """Float32 sums apart, also where a value lies exactly on a threshold."""
        step = learner(PAYMENTS).step

        truth, _ = answers(step, "native")
        together, alone = answers(step, "onnx")

        assert difference(truth, together).max() < 1e-5
        assert difference(truth[::50], alone).max() < 1e-5

    def test_it_serves_a_forest_and_is_in_the_manifest(self, tmp_path):
        """Scikit-learn takes milliseconds for a row: whatever the machine does, ONNX Runtime is chosen."""
        step = forest(RandomForestClassifier)(PAYMENTS).step

        manifest = save(step, tmp_path / "model", sample=PAYMENTS[:60])

        assert manifest.engines == ["onnx"]
        assert manifest.tolerance == 1e-5
        assert load(tmp_path / "model").manifest.engines == ["onnx"]

    def test_where_it_is_not_installed_the_library_itself_serves(self, tmp_path, monkeypatch):
        """Loading says so, and the answers are within the same tolerance."""
        step = forest(RandomForestClassifier)(PAYMENTS).step
        save(step, tmp_path / "model", sample=PAYMENTS[:60])
        monkeypatch.setitem(sys.modules, "onnxruntime", None)

        model = load(tmp_path / "model")

        assert "engine 'onnx' is not available, native serves" in model.notes[0]
        assert "pip install 'veredito[onnx]'" in model.notes[0]

    def test_what_it_does_not_know_it_does_not_offer(self):
        """Sets of categories and histogram boosting stay with their libraries."""
        model = learn.sklearn_regressor(
            ["amount"], target="loss", estimator=HistGradientBoostingRegressor, params={"max_iter": 2}
        )

        assert list(model(PAYMENTS).step.engines()) == ["native"]

    @needs("xgboost")
    def test_categories_stay_with_xgboost(self):
        step = learn.xgboost_classifier(["amount", "country"], target="fraud", num_trees=2)(PAYMENTS).step

        assert list(step.engines()) == ["native"]


@needs("catboost")
class TestCatBoostInNumpy:
    @pytest.mark.parametrize(
        "learner",
        [
            learn.catboost_classifier(HOLES, target="fraud", num_trees=40),
            learn.catboost_regressor(HOLES, target="loss", num_trees=40),
        ],
        ids=["classes", "numbers"],
    )
    def test_it_gives_catboosts_own_bits(self, learner):
        """For few rows in numpy, for many by CatBoost: nobody can tell."""
        step = learner(PAYMENTS).step

        truth, _ = answers(step, "native")
        together, alone = answers(step, "numpy")

        assert np.array_equal(truth, together)
        assert np.array_equal(truth[::50], alone)

    def test_it_is_not_offered_for_texts(self):
        step = learn.catboost_classifier(["country"], target="fraud", num_trees=2)(PAYMENTS).step

        assert list(step.engines()) == ["native"]


class TestDamage:
    """Who loads a damaged model is told so in our words, whichever engine meets it first."""

    def test_a_damaged_xgboost_model_is_an_artifact_error(self):
        step = step_of("xgboost")(("amount",), ("prediction",), "onnx", {}, '{"learner": {}}')

        with pytest.raises(ArtifactError, match=r"XGBoost model: its JSON cannot be read \(KeyError"):
            _ = step.predict

    def test_a_network_that_numpy_cannot_read_is_left_to_keras(self):
        step = step_of("keras")(("amount",), ("prediction",), "native", {}, '{"layers": []}', ())

        assert list(step.engines()) == ["native"]
