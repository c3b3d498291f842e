"""Models give their library's own numbers, stop where it stops, and say what it cannot take."""

import sys

import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import LinearSVC
from tests.learn.cases import payments
from tests.learn.model_cases import needs

from veredito import learn
from veredito.errors import LearnerError, MissingExtraError
from veredito.model import load, save

PAYMENTS = payments()
NUMBERS = ["amount", "age", "other"]
X = PAYMENTS.select(NUMBERS).cast(pl.Float64).to_numpy()
FRAUD = PAYMENTS["fraud"].to_numpy()
WATCHED = learn.on(fraction=0.25, name="validation")


def predictions(learner, table=PAYMENTS):
    return learner(table).step(table)["prediction"].to_numpy()


class TestTheLibrarysOwnNumbers:
    """Trees and boosters to the last bit; linear models but for the order of a sum."""

    def test_forest(self):
        found = predictions(
            learn.sklearn_classifier(NUMBERS, target="fraud", estimator=RandomForestClassifier)
        )

        direct = RandomForestClassifier(random_state=0).fit(X, FRAUD).predict_proba(X)[:, 1]
        assert np.array_equal(found, direct)

    @needs("xgboost")
    def test_xgboost(self):
        import xgboost

        found = predictions(learn.xgboost_classifier(NUMBERS, target="fraud", num_trees=20))

        data = xgboost.DMatrix(X, label=FRAUD)
        direct = xgboost.train({"objective": "binary:logistic", "seed": 0}, data, 20).predict(data)
        assert np.array_equal(found, direct.astype(float))

    @needs("catboost")
    def test_catboost_with_texts(self):
        import catboost

        found = predictions(learn.catboost_classifier([*NUMBERS, "country"], target="fraud", num_trees=20))

        rows = PAYMENTS.select([*NUMBERS, "country"]).to_pandas()
        model = catboost.CatBoostClassifier(
            iterations=20, random_seed=0, allow_writing_files=False, verbose=False
        )
        direct = model.fit(rows, FRAUD, cat_features=["country"]).predict_proba(rows)[:, 1]
        assert np.array_equal(found, direct)

    def test_logistic(self):
        found = predictions(learn.logistic_regression(NUMBERS, target="fraud"))

        direct = LogisticRegression(max_iter=1000).fit(X, FRAUD).predict_proba(X)[:, 1]
        assert np.allclose(found, direct, rtol=1e-12, atol=0)

    def test_softmax(self):
        step = learn.logistic_regression(NUMBERS, target="grade")(PAYMENTS).step

        direct = LogisticRegression(max_iter=1000).fit(X, PAYMENTS["grade"].to_list()).predict_proba(X)
        assert np.allclose(step(PAYMENTS).select(step.writes).to_numpy(), direct, rtol=1e-12, atol=0)

    def test_linear(self):
        found = predictions(learn.linear_regression(NUMBERS, target="loss", weight="mcc"), weighted())

        mcc = weighted()["mcc"].to_numpy()
        direct = LinearRegression().fit(X, PAYMENTS["loss"].to_numpy(), sample_weight=mcc).predict(X)
        assert np.allclose(found, direct, rtol=1e-9, atol=1e-9)


def weighted():
    return PAYMENTS.with_columns(pl.col("mcc").fill_null(1))


BOOSTERS = [
    pytest.param(learn.lightgbm_regressor, id="lightgbm"),
    pytest.param(learn.xgboost_regressor, id="xgboost", marks=needs("xgboost")),
    pytest.param(learn.catboost_regressor, id="catboost", marks=needs("catboost")),
]


@pytest.mark.parametrize("booster", BOOSTERS)
class TestEveryBooster:
    def test_it_stops_when_the_watched_rows_gain_nothing(self, booster):
        """Fewer trees than allowed, and never those after the best."""
        log = booster(["other"], target="loss", num_trees=400, validation=WATCHED, early_stopping=5)(
            PAYMENTS
        ).log

        assert log["fitted"]["trees"] < 100

    def test_early_stopping_needs_rows_to_watch(self, booster):
        """What would have no effect is refused."""
        with pytest.raises(LearnerError, match="early_stopping needs rows to watch"):
            booster(["other"], target="loss", early_stopping=5)

    def test_an_unknown_parameter_is_an_error(self, booster):
        """A misspelt parameter is said by name, not ignored."""
        with pytest.raises(LearnerError, match="dept"):
            booster(["other"], target="loss", params={"dept": 3})(PAYMENTS)

    def test_no_trees_are_an_error(self, booster):
        """Numbers without sense are refused before anything is read."""
        with pytest.raises(LearnerError, match="num_trees is 0"):
            booster(["other"], target="loss", num_trees=0)

    def test_its_log_says_which_features_mattered(self, booster):
        """The share of each feature is there, by its name."""
        log = booster(["amount", "other"], target="loss", num_trees=5)(PAYMENTS).log
        weights = log["fitted"].get("gain") or log["fitted"]["importance"]

        assert list(weights) == ["amount", "other"]
        assert weights["amount"] > weights["other"]


class TestScikitLearn:
    def test_an_unknown_parameter_is_an_error(self):
        with pytest.raises(
            LearnerError, match=r"RandomForestClassifier has no parameter 'tree'.*n_estimators"
        ):
            learn.sklearn_classifier(
                NUMBERS, target="fraud", estimator=RandomForestClassifier, params={"tree": 3}
            )

    def test_a_classifier_without_probabilities_is_an_error(self):
        with pytest.raises(LearnerError, match="LinearSVC gives no probabilities"):
            learn.sklearn_classifier(NUMBERS, target="fraud", estimator=LinearSVC)

    def test_a_regressor_is_no_classifier(self):
        with pytest.raises(LearnerError, match="no class of a scikit-learn classifier"):
            learn.sklearn_classifier(NUMBERS, target="fraud", estimator=LinearRegression)

    def test_an_estimator_that_could_not_be_read_back_is_an_error(self):
        """A type that is not listed would be code from outside: it is refused when fitted, not when loaded."""

        class Own(RandomForestClassifier):
            pass

        with pytest.raises(LearnerError, match="cannot be saved as data"):
            learn.sklearn_classifier(NUMBERS, target="fraud", estimator=Own, params={"n_estimators": 2})(
                PAYMENTS
            )

    def test_it_takes_no_texts(self):
        with pytest.raises(LearnerError, match="column 'country' must be number, and is text"):
            learn.sklearn_classifier(["country"], target="fraud", estimator=RandomForestClassifier)(PAYMENTS)

    def test_missing_values_that_it_cannot_take_are_named(self):
        with pytest.raises(LearnerError, match=r"feature 'tenure' has missing values.*impute"):
            learn.logistic_regression(["tenure"], target="fraud")(PAYMENTS)


LEARNERS = {
    "linear": learn.logistic_regression(NUMBERS, target="fraud"),
    "forest": learn.sklearn_classifier(
        NUMBERS, target="fraud", estimator=RandomForestClassifier, params={"n_estimators": 5}
    ),
    "xgboost": learn.xgboost_classifier([*NUMBERS, "merchant"], target="fraud", num_trees=5),
    "catboost": learn.catboost_classifier([*NUMBERS, "merchant"], target="fraud", num_trees=5),
}


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=[needs(case)] if case in {"xgboost", "catboost"} else []) for case in LEARNERS],
)
def test_a_saved_model_gives_the_same_numbers(case, tmp_path):
    """Through the artifact, with whichever engine was chosen."""
    step = LEARNERS[case](PAYMENTS).step

    manifest = save(step, tmp_path / "model", sample=PAYMENTS)

    model = load(tmp_path / "model")
    assert np.allclose(
        model(PAYMENTS)["prediction"].to_numpy(),
        step(PAYMENTS)["prediction"].to_numpy(),
        rtol=max(manifest.tolerance, 1e-300),
    )


@pytest.mark.parametrize("module", ["xgboost", "catboost"])
def test_a_missing_library_says_how_to_install_it(module, monkeypatch):
    """The learner can be written down without its library; fitting needs it."""
    monkeypatch.setitem(sys.modules, module, None)
    learner = getattr(learn, f"{module}_classifier")(NUMBERS, target="fraud")

    with pytest.raises(MissingExtraError, match=rf"pip install 'veredito\[{module}\]'"):
        learner(PAYMENTS)
