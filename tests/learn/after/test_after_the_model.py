"""What turns scores into what a policy reads: calibrated, banded, blended, stacked."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeRegressor
from tests.learn.cases import payments

from veredito import learn
from veredito.errors import LearnerError

PAYMENTS = payments()
CALIBRATORS = [learn.platt_calibrator, learn.beta_calibrator, learn.isotonic_calibrator]


def drawn(rows, seed=0):
    """Scores that are probabilities already: outcomes are drawn by them."""
    rng = np.random.default_rng(seed)
    scores = rng.random(rows)
    return pl.DataFrame({"prediction": scores, "y": (rng.random(rows) < scores).astype(int)})


@pytest.mark.parametrize("calibrator", CALIBRATORS)
class TestEveryCalibrator:
    def test_the_mean_of_its_probabilities_is_the_rate_of_outcomes(self, calibrator):
        """The likelihood is greatest there; Platt's smoothing moves it by less than one row in the table."""
        table = calibrator(target="y")(drawn(2_000)).table

        assert table["calibrated"].mean() == pytest.approx(table["y"].mean(), abs=1 / 2_000)

    def test_a_better_score_is_never_a_worse_probability(self, calibrator):
        step = calibrator(target="fraud", prediction="other")(PAYMENTS).step

        found = step(pl.DataFrame({"other": np.linspace(0, 1, 200)}))["calibrated"].to_numpy()
        assert (np.diff(found) >= 0).all() or (np.diff(found) <= 0).all()

    def test_a_missing_score_has_no_probability_and_no_score_leaves_0_to_1(self, calibrator):
        """A NaN score never becomes the best or the worst."""
        step = calibrator(target="y")(drawn(200)).step

        found = step(pl.DataFrame({"prediction": [None, float("nan"), -float("inf"), 0, 1, float("inf")]}))
        assert found["calibrated"].is_null().to_list() == [True, True, False, False, False, False]
        assert found["calibrated"].drop_nulls().is_between(0, 1).all()

    def test_it_is_fitted_on_held_out_rows_by_construction(self, calibrator):
        """The model has none of the calibrator's rows; without `on` the log says what to mind."""
        part = learn.on(fraction=0.25)
        model = learn.logistic_regression(["other"], target="fraud")

        log = learn.pipeline(model, calibrator(target="fraud", on=part))(PAYMENTS).log
        alone = calibrator(target="fraud")(PAYMENTS).log

        assert [step["rows"] for step in log["steps"]] == [300, 100]
        assert "if the model has seen them" in alone["notes"][0]

    def test_weights_count_as_rows(self, calibrator):
        """A row of weight 2 is the same row twice."""
        table = drawn(60).with_columns(w=pl.Series([1, 2] * 30))
        twice = pl.concat([table, table.filter(pl.col("w") == 2)])

        one = calibrator(target="y", weight="w")(table).step
        other = calibrator(target="y")(twice).step

        scores = pl.DataFrame({"prediction": [0.1, 0.5, 0.8]})
        assert one(scores)["calibrated"].to_list() == pytest.approx(
            other(scores)["calibrated"].to_list(), rel=1e-4
        )


class TestBeta:
    def test_what_is_calibrated_stays_as_it_is(self):
        """The identity is in the family."""
        step = learn.beta_calibrator(target="y")(drawn(40_000)).step

        scores = np.linspace(0.05, 0.95, 19)
        found = step(pl.DataFrame({"prediction": scores}))["calibrated"].to_numpy()
        assert np.abs(found - scores).max() < 0.02

    def test_a_score_that_is_no_probability_is_an_error(self):
        table = pl.DataFrame({"prediction": [-1.0, 0.5, 2.0], "y": [0, 1, 1]})

        with pytest.raises(LearnerError, match=r"goes from -1 to 2.*use platt_calibrator"):
            learn.beta_calibrator(target="y")(table)

    def test_outcomes_that_a_score_parts_wholly_are_borne(self):
        """The likeliest curve is a step; it is steep, and finite."""
        table = pl.DataFrame({"prediction": [0.1, 0.2, 0.8, 0.9], "y": [0, 0, 1, 1]})

        found = learn.beta_calibrator(target="y")(table).table["calibrated"].to_list()
        assert found == pytest.approx([0, 0, 1, 1], abs=0.01)


class TestBands:
    @given(st.lists(st.floats(-1, 2), min_size=1, max_size=20))
    def test_a_score_is_in_the_band_whose_edges_hold_it(self, scores):
        """At or above the edge below, under the edge above."""
        step = learn.bands([0.0, 0.5, 1.0], ["a", "b", "c", "d"])(pl.DataFrame({"prediction": [0.1]})).step

        found = step(pl.DataFrame({"prediction": scores}, schema={"prediction": pl.Float64}))["band"]
        expected = ["a" if s < 0 else "b" if s < 0.5 else "c" if s < 1 else "d" for s in scores]
        assert found.to_list() == expected

    def test_all_that_is_wrong_is_said_at_once(self):
        with pytest.raises(
            LearnerError, match=r"(?s)edges must be numbers that rise.*3 bands.*'a' is given twice"
        ):
            learn.bands([0.5, 0.2], ["a", "a"])


class TestBlend:
    def test_a_missing_prediction_makes_the_mean_missing(self):
        """A mean of fewer models is another score: it is not passed off as the same."""
        table = pl.DataFrame({"a": [0.2, None, float("inf")], "b": [0.4, 0.5, -float("inf")]})

        found = learn.blend(["a", "b"])(table).table["prediction"].to_list()
        assert found[0] == pytest.approx(0.3)
        assert found[1:] == [None, None]

    @pytest.mark.parametrize(
        ("weights", "said"), [([1], "2 predictions have 1 weights"), ([1, 0], "must be above 0")]
    )
    def test_weights_without_sense_are_an_error(self, weights, said):
        with pytest.raises(LearnerError, match=said):
            learn.blend(["a", "b"], weights=weights)


def memory(into="memory"):
    """A tree that remembers every row it was fitted on."""
    return learn.sklearn_regressor(["other"], target="loss", estimator=DecisionTreeRegressor, into=into)


class TestStack:
    def test_the_top_never_sees_what_a_learner_says_of_its_own_rows(self):
        """The tree knows the outcomes of its rows; the answers that the top is fitted on do not hold them."""
        learner = learn.stack(memory(), meta=learn.linear_regression(["memory"], target="loss"))

        step, table, _ = learner(PAYMENTS)

        loss = PAYMENTS["loss"].to_numpy()
        assert np.array_equal(step(PAYMENTS)["memory"].to_numpy(), loss)
        assert np.mean(table["memory"].to_numpy() == loss) < 0.9

    def test_each_fold_is_answered_by_the_rows_outside_of_it(self):
        """By hand, the same numbers."""
        learner = learn.stack(memory(), meta=learn.linear_regression(["memory"], target="loss"), folds=4)
        fold = np.random.default_rng(0).permutation(PAYMENTS.height) % 4

        found = learner(PAYMENTS).table["memory"].to_numpy()

        for number in range(4):
            inside = pl.Series(fold == number)
            step = memory()(PAYMENTS.filter(~inside)).step
            expected = step(PAYMENTS.filter(inside))["memory"].to_numpy()
            assert np.array_equal(found[fold == number], expected)

    def test_a_column_that_the_top_misses_is_said_before_anything_is_fitted(self):
        learner = learn.stack(memory(), meta=learn.linear_regression(["memry"], target="loss"))

        with pytest.raises(
            LearnerError, match=r"stack\.meta: column 'memry' is missing.*did you mean 'memory'"
        ):
            learner(PAYMENTS)

    def test_one_fold_and_no_learner_are_errors(self):
        with pytest.raises(LearnerError, match="folds must be 2 or more"):
            learn.stack(memory(), meta=memory("m"), folds=1)
        with pytest.raises(LearnerError, match="meta is 3, which is no learner"):
            learn.stack(memory(), meta=3)

    def test_calibration_on_held_out_rows_works_inside_a_pipeline_with_a_stack(self):
        """The stack is fitted on the rows that nobody holds out."""
        learner = learn.pipeline(
            learn.stack(memory(), meta=learn.linear_regression(["memory"], target="loss", into="score")),
            learn.platt_calibrator(target="fraud", prediction="score", on=learn.on(fraction=0.2)),
        )

        log = learner(PAYMENTS).log

        assert [step["rows"] for step in log["steps"]] == [320, 80]
