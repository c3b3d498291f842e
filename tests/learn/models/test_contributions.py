"""What each feature contributed: the library's own exact numbers, in tables and in rows."""

import numpy as np
import polars as pl
import pytest
from tests.learn.cases import payments, strange
from tests.learn.model_cases import needs

from veredito import learn
from veredito.errors import LearnerError
from veredito.model import load, save

PAYMENTS = payments(200)
MIXED = ["amount", "age", "country", "tenure"]
NUMBERS = ["amount", "age"]


def log_odds(shares):
    return np.log(shares / (1 - shares))


BINARY = [
    pytest.param(learn.logistic_regression(NUMBERS, target="fraud"), id="linear"),
    pytest.param(learn.lightgbm_classifier(MIXED, target="fraud", num_trees=8), id="lightgbm"),
    pytest.param(
        learn.xgboost_classifier(MIXED, target="fraud", num_trees=8), id="xgboost", marks=needs("xgboost")
    ),
    pytest.param(
        learn.catboost_classifier(MIXED, target="fraud", num_trees=8), id="catboost", marks=needs("catboost")
    ),
]
SEVERAL = [
    pytest.param(learn.logistic_regression(NUMBERS, target="grade"), id="linear"),
    pytest.param(learn.lightgbm_classifier(MIXED, target="grade", num_trees=4), id="lightgbm"),
    pytest.param(
        learn.xgboost_classifier(MIXED, target="grade", num_trees=4), id="xgboost", marks=needs("xgboost")
    ),
    pytest.param(
        learn.catboost_classifier(MIXED, target="grade", num_trees=4), id="catboost", marks=needs("catboost")
    ),
]
NUMERIC = [
    pytest.param(learn.linear_regression(NUMBERS, target="loss"), id="linear"),
    pytest.param(learn.lightgbm_regressor(MIXED, target="loss", num_trees=8), id="lightgbm"),
    pytest.param(
        learn.xgboost_regressor(MIXED, target="loss", num_trees=8), id="xgboost", marks=needs("xgboost")
    ),
    pytest.param(
        learn.catboost_regressor(MIXED, target="loss", num_trees=8), id="catboost", marks=needs("catboost")
    ),
]


class TestTheyAddUp:
    @pytest.mark.parametrize("learner", BINARY)
    def test_to_the_log_odds_of_two_classes(self, learner):
        step = learner(PAYMENTS).step

        found = step.contributions(PAYMENTS)

        assert found.columns == [*step.features, "expected_score"]
        expected = log_odds(step(PAYMENTS)["prediction"].to_numpy())
        assert found.sum_horizontal().to_numpy() == pytest.approx(expected, rel=1e-4, abs=1e-4)

    @pytest.mark.parametrize("learner", NUMERIC)
    def test_to_the_number_of_a_regression(self, learner):
        step = learner(PAYMENTS).step

        found = step.contributions(PAYMENTS).sum_horizontal().to_numpy()
        assert found == pytest.approx(step(PAYMENTS)["prediction"].to_numpy(), rel=1e-4, abs=1e-3)

    @pytest.mark.parametrize("learner", SEVERAL)
    def test_to_a_score_for_each_of_several_classes(self, learner):
        """The shares are the softmax of the scores."""
        step = learner(PAYMENTS).step

        scores = [step.contributions(PAYMENTS, name).sum_horizontal().to_numpy() for name in step.outputs]

        powers = np.exp(np.column_stack(scores))
        shares = powers / powers.sum(axis=1, keepdims=True)
        assert shares == pytest.approx(step(PAYMENTS).select(step.outputs).to_numpy(), rel=1e-4)


class TestOnDemand:
    def test_an_output_that_is_not_there_is_named(self):
        step = learn.lightgbm_classifier(NUMBERS, target="grade", num_trees=2)(PAYMENTS).step

        with pytest.raises(LearnerError, match="has several outputs: say which; available: prediction_a"):
            step.contributions(PAYMENTS)
        with pytest.raises(LearnerError, match="no output is named 'prediction_d'"):
            step.contributions(PAYMENTS, "prediction_d")

    def test_a_library_without_an_exact_method_says_so(self):
        step = learn.isolation_forest(NUMBERS, params={"n_estimators": 2})(PAYMENTS).step

        with pytest.raises(LearnerError, match=r"has no exact method.*explain a linear model"):
            step.contributions(PAYMENTS)

    def test_the_explainer_is_made_once(self, monkeypatch):
        step = learn.lightgbm_classifier(NUMBERS, target="fraud", num_trees=2)(PAYMENTS).step
        made = []
        explainer = type(step).explainer
        monkeypatch.setattr(type(step), "explainer", lambda self: made.append(self) or explainer(self))

        step.contributions(PAYMENTS)
        step.contributions(PAYMENTS)

        assert len(made) == 1

    @pytest.mark.parametrize("learner", BINARY)
    def test_strange_values_are_explained_too(self, learner):
        """Unseen texts, missing values and infinities have contributions, or none; never an error."""
        found = learner(PAYMENTS).step.contributions(strange(PAYMENTS))

        assert found.height == PAYMENTS.height

    def test_an_empty_table_has_no_contributions(self):
        step = learn.lightgbm_classifier(NUMBERS, target="fraud", num_trees=2)(PAYMENTS).step

        assert step.contributions(PAYMENTS[:0]).columns == [*NUMBERS, "expected_score"]


class TestReasonCodes:
    def test_they_are_the_features_that_raised_the_score_most(self):
        step = learn.reason_codes(learn.lightgbm_classifier(MIXED, target="fraud", num_trees=8), top=2)(
            PAYMENTS
        ).step

        found = step(PAYMENTS).select("reason_1", "reason_2").rows()

        given = step.model.contributions(PAYMENTS).select(MIXED).rows(named=True)
        for reasons, row in zip(found, given, strict=True):
            least = max(map(abs, row.values())) * 1e-6
            raised = [name for name in sorted(row, key=row.get, reverse=True) if row[name] > least]
            assert list(reasons) == [*raised, None, None][:2]

    def test_what_rounding_left_over_is_no_reason(self):
        """A feature that the trees never split by has a contribution of some 1e-17, and did nothing."""
        table = pl.DataFrame({"x": [0.0, 1.0] * 50, "idle": ["a", "b", "a", "b"] * 25, "y": [0, 1] * 50})
        model = learn.lightgbm_classifier(["x", "idle"], target="y", num_trees=20)

        found = learn.reason_codes(model, top=2)(table).table["reason_2"]

        assert found.is_null().all()

    def test_down_names_what_lowered_it(self):
        table = pl.DataFrame({"x": [0.0, 1.0, 2.0], "y": [0.0, 1.0, 2.0]})
        learner = learn.reason_codes(learn.linear_regression(["x"], target="y"), top=2, direction="down")

        found = learner(table).table

        assert found["reason_1"].to_list() == ["x", None, None]
        assert found["reason_2"].to_list() == [None, None, None]

    def test_they_are_served_with_the_prediction(self, tmp_path):
        """Saved, loaded, and answered for a request's row."""
        learner = learn.pipeline(
            learn.imputer(["tenure"]),
            learn.reason_codes(learn.lightgbm_classifier(MIXED, target="fraud", num_trees=8), top=1),
        )
        step = learner(PAYMENTS).step
        save(step, tmp_path / "model", sample=PAYMENTS)

        model = load(tmp_path / "model")
        answer = model.rows([PAYMENTS.select(model.in_schema.names).row(0, named=True)])[0]

        assert answer.prediction == step(PAYMENTS)["prediction"][0]
        assert answer.reason_1 == step(PAYMENTS)["reason_1"][0]

    def test_only_a_models_learner_has_reasons(self):
        with pytest.raises(LearnerError, match=r"(?s)no learner of a model.*top is 0.*unknown direction"):
            learn.reason_codes(learn.capper(["amount"]), top=0, direction="sideways")

    def test_a_model_that_cannot_be_explained_is_refused_when_it_is_fitted(self):
        from sklearn.naive_bayes import GaussianNB

        model = learn.sklearn_classifier(NUMBERS, target="fraud", estimator=GaussianNB)

        with pytest.raises(LearnerError, match="has no exact method"):
            learn.reason_codes(model)(PAYMENTS)
