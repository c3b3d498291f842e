"""Every model that is shipped, once or more; a part of the cases."""

import importlib.util
import os

import pytest
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeRegressor

from veredito import learn

NUMBERS = ["amount", "age", "other"]
MIXED = ["amount", "age", "tenure", "merchant", "weekend", "at"]
WATCHED = learn.on(fraction=0.2, name="validation")

MODELS = {
    "logistic_regression": learn.logistic_regression(["amount", "other"], target="fraud", weight="age"),
    "logistic_multiclass": learn.logistic_regression(
        ["age", "other"], target="grade", params={"max_iter": 5000}
    ),
    "linear_regression": learn.linear_regression(NUMBERS, target="loss"),
    "sklearn_forest": learn.sklearn_classifier(
        ["amount", "age", "tenure"],
        target="fraud",
        estimator=RandomForestClassifier,
        params={"n_estimators": 5},
    ),
    "sklearn_bayes": learn.sklearn_classifier(
        ["amount", "other"], target="grade", estimator=GaussianNB, weight="age"
    ),
    "sklearn_tree": learn.sklearn_regressor(
        NUMBERS, target="loss", estimator=DecisionTreeRegressor, params={"max_depth": 3}
    ),
    "sklearn_histogram": learn.sklearn_regressor(
        ["amount", "tenure"],
        target="loss",
        estimator=HistGradientBoostingRegressor,
        params={"max_iter": 5},
    ),
    "xgboost_classifier": learn.xgboost_classifier(MIXED, target="fraud", num_trees=15),
    "xgboost_multiclass": learn.xgboost_classifier(
        ["amount", "country"], target="grade", num_trees=5, weight="age"
    ),
    "xgboost_regressor": learn.xgboost_regressor(
        NUMBERS, target="loss", num_trees=15, validation=WATCHED, early_stopping=3
    ),
    "catboost_classifier": learn.catboost_classifier(MIXED, target="fraud", num_trees=15),
    "catboost_multiclass": learn.catboost_classifier(
        ["country", "merchant"], target="grade", num_trees=5, weight="age"
    ),
    "catboost_regressor": learn.catboost_regressor(
        NUMBERS, target="loss", num_trees=15, validation=WATCHED, early_stopping=3
    ),
    "keras_classifier": learn.keras_classifier(
        ["age", "other"], target="fraud", network=(4,), epochs=1, weight="amount"
    ),
    "keras_regressor": learn.keras_regressor(
        ["age", "other"], target="loss", network=(), epochs=2, validation=WATCHED, early_stopping=1
    ),
    "isolation_forest": learn.isolation_forest(["amount", "tenure"], params={"n_estimators": 5}),
}

REASONS = {
    "reasons_linear": learn.reason_codes(learn.logistic_regression(NUMBERS, target="fraud"), top=4),
    "reasons_lightgbm": learn.reason_codes(
        learn.lightgbm_classifier(MIXED, target="fraud", num_trees=10), direction="down"
    ),
    "xgboost_reasons": learn.reason_codes(learn.xgboost_classifier(MIXED, target="fraud", num_trees=10)),
    "catboost_reasons": learn.reason_codes(
        learn.catboost_classifier(["amount", "country", "age"], target="grade", num_trees=5),
        output="prediction_b",
        into="because",
    ),
}

AFTER = {
    "platt": learn.platt_calibrator(target="fraud"),
    "platt_of_any_number": learn.platt_calibrator(target="fraud", prediction="amount", weight="age"),
    "beta": learn.beta_calibrator(target="fraud"),
    "beta_weighted": learn.beta_calibrator(target="fraud", prediction="other", weight="age"),
    "bands": learn.bands([0.2, 0.5, 0.9], ["low", "medium", "high", "top"]),
    "bands_in_place": learn.bands([10], ["small", "large"], prediction="amount", into="amount"),
    "blend": learn.blend(["prediction", "other", "amount"], weights=[1, 2, 0.5]),
    "stack": learn.stack(
        learn.lightgbm_classifier(["amount", "merchant"], target="fraud", num_trees=3, into="trees"),
        learn.pipeline(
            learn.imputer(["tenure"]), learn.logistic_regression(["tenure"], target="fraud", into="line")
        ),
        meta=learn.lightgbm_classifier(["trees", "line", "age"], target="fraud", num_trees=3),
        folds=3,
    ),
}

OPTIONAL = ("xgboost", "catboost", "keras")
"""Libraries whose tests are skipped where they are not installed; where all is required, they fail instead."""


def absent(library):
    """Whether tests of a library are to be skipped here."""
    return not os.environ.get("VEREDITO_REQUIRE") and importlib.util.find_spec(library) is None


def needs(library):
    """Marks a test that a missing library skips."""
    return pytest.mark.skipif(absent(library), reason=f"{library} is not installed: it is in the group 'all'")


def needs_onnx():
    """Marks a test of the engine 'onnx'."""
    return needs("onnxruntime")


def marks(case):
    """The marks of a case's tests."""
    return [needs(library) for library in OPTIONAL if case.startswith(library)]
