"""Metrics: one number of a scored table, or none and the reason."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veredito.errors import LearnerError
from veredito.learn import metrics

sklearn_metrics = pytest.importorskip("sklearn.metrics")


def scored(rows=300, seed=0):
    rng = np.random.default_rng(seed)
    prediction = np.round(rng.random(rows), 2)
    return pl.DataFrame(
        {
            "fraud": (rng.random(rows) < prediction**2).astype(int),
            "prediction": prediction,
            "amount": rng.lognormal(3, 1, rows),
            "weight": rng.random(rows) + 0.5,
        }
    )


SCORED = scored()


class TestScikitLearns:
    @pytest.mark.parametrize(
        ("metric", "function"),
        [
            (metrics.roc_auc, "roc_auc_score"),
            (metrics.average_precision, "average_precision_score"),
            (metrics.log_loss, "log_loss"),
            (metrics.brier_score, "brier_score_loss"),
            (metrics.mean_squared_error, "mean_squared_error"),
            (metrics.mean_absolute_error, "mean_absolute_error"),
            (metrics.r2, "r2_score"),
        ],
    )
    def test_the_librarys_number(self, metric, function):
        """The same number as the library, with weights and without."""
        expected = getattr(sklearn_metrics, function)
        columns = SCORED["fraud"], SCORED["prediction"]

        assert metric("fraud")(SCORED) == pytest.approx(expected(*columns))
        assert metric("fraud", weight="weight")(SCORED) == pytest.approx(
            expected(*columns, sample_weight=SCORED["weight"])
        )

    @pytest.mark.parametrize("metric", [metrics.roc_auc, metrics.average_precision, metrics.log_loss])
    def test_one_class_is_undefined(self, metric):
        """With one class there is no number, and a reason; never 0.5."""
        found = metric("fraud").measure(SCORED.with_columns(fraud=0))

        assert found == (None, "undefined: one class only (0)")

    def test_a_constant_target_has_no_r2(self):
        assert (
            metrics.r2("fraud").measure(SCORED.with_columns(fraud=1)).note
            == "undefined: the target is constant"
        )


class TestThresholds:
    def test_precision_and_recall(self):
        """As the library has them, on flags."""
        flags = (SCORED["prediction"] >= 0.6).cast(int)

        assert metrics.precision_at_threshold("fraud", threshold=0.6)(SCORED) == pytest.approx(
            sklearn_metrics.precision_score(SCORED["fraud"], flags)
        )
        assert metrics.recall_at_threshold("fraud", threshold=0.6, weight="weight")(SCORED) == pytest.approx(
            sklearn_metrics.recall_score(SCORED["fraud"], flags, sample_weight=SCORED["weight"])
        )

    def test_nothing_flagged_is_undefined(self):
        found = metrics.precision_at_threshold("fraud", threshold=2.0).measure(SCORED)

        assert found == (None, "undefined: no row reaches the threshold")

    def test_no_fraud_has_no_recall(self):
        found = metrics.recall_at_threshold("fraud", threshold=0.5).measure(SCORED.with_columns(fraud=0))

        assert found == (None, "undefined: no row is positive")

    def test_money_at_stake(self):
        """Frauds that go through cost their amount, and stopped honest rows the cost of a false alarm."""
        metric = metrics.money_at_stake("fraud", threshold=0.5, amount="amount", false_alarm_cost=2.0)
        through = SCORED.filter(pl.col("fraud") == 1, pl.col("prediction") < 0.5)["amount"].sum()
        alarms = SCORED.filter(pl.col("fraud") == 0, pl.col("prediction") >= 0.5).height

        assert metric(SCORED) == pytest.approx(through + 2 * alarms)
        assert metric.name == "money_at_stake(0.5)"


class TestAtK:
    def test_the_highest_k(self):
        table = pl.DataFrame({"fraud": [1, 0, 1, 0, 1], "prediction": [0.9, 0.8, 0.7, 0.2, 0.1]})

        assert metrics.precision_at_k("fraud", k=2)(table) == 0.5
        assert metrics.recall_at_k("fraud", k=3)(table) == pytest.approx(2 / 3)

    def test_ties_for_the_last_place_count_in_part(self):
        """Two rows for one place, one of them a fraud: half a fraud."""
        table = pl.DataFrame({"fraud": [1, 0, 1], "prediction": [0.5, 0.5, 0.9]})

        assert metrics.precision_at_k("fraud", k=2)(table) == 0.75

    def test_fewer_rows_than_k(self):
        """All rows there are."""
        assert metrics.precision_at_k("fraud", k=10)(SCORED[:4]) == SCORED["fraud"][:4].mean()

    @given(st.integers(1, 320), st.integers(0, 20))
    def test_the_order_of_rows_does_not_matter(self, k, seed):
        """Nor does it where many predictions are equal."""
        table = SCORED.with_columns(pl.col("prediction").round(1))
        shuffled = table.sample(fraction=1.0, shuffle=True, seed=seed)

        for metric in (metrics.precision_at_k("fraud", k=k), metrics.recall_at_k("fraud", k=k)):
            assert metric(table) == pytest.approx(metric(shuffled), rel=1e-12)


def payments(*rows):
    return pl.DataFrame(
        [(dt.date(2018, 4, day), who, score, fraud) for day, who, score, fraud in rows],
        schema=["at", "who", "prediction", "fraud"],
        orient="row",
    )


def card_precision(**keywords):
    return metrics.card_precision_at_k("fraud", customer="who", time="at", **keywords)


class TestCardPrecision:
    def test_customers_are_ranked_by_their_highest_score(self):
        """A customer's honest payment with a high score and a fraud with a low one count as one hit."""
        table = payments((1, "a", 0.9, 0), (1, "a", 0.1, 1), (1, "b", 0.8, 0), (1, "c", 0.7, 1))

        assert card_precision(k=2)(table) == 0.5

    def test_the_mean_over_days(self):
        table = payments((1, "a", 0.9, 1), (2, "b", 0.9, 0), (2, "c", 0.8, 1))

        assert card_precision(k=1)(table) == 0.5

    def test_whom_a_day_found_out_the_next_leaves_out(self):
        """A known customer takes no place, so the next one moves up."""
        table = payments((1, "a", 0.9, 1), (2, "a", 0.9, 1), (2, "b", 0.1, 0))

        assert card_precision(k=1)(table) == 0.5

    def test_who_was_not_called_is_not_known(self):
        """A fraud beyond place k is found out by nobody."""
        table = payments((1, "a", 0.9, 0), (1, "b", 0.1, 1), (2, "b", 0.9, 1))

        assert card_precision(k=1)(table) == 0.5

    def test_customers_known_before(self):
        assert (
            card_precision(k=1, known=frozenset({"a"}))(payments((1, "a", 0.9, 1), (1, "b", 0.1, 0))) == 0.0
        )

    def test_days_with_few_customers_are_measured_against_k(self):
        """As in the literature: capacity that finds nobody is capacity lost."""
        assert card_precision(k=4)(payments((1, "a", 0.9, 1))) == 0.25


class TestCalibration:
    def test_a_calibrated_score_has_no_error(self):
        table = pl.DataFrame({"fraud": [0, 1, 0, 1], "prediction": [0.0, 1.0, 0.5, 0.5]})

        assert metrics.expected_calibration_error("fraud")(table) == 0.0

    def test_the_distance_is_weighted_by_rows(self):
        """Three rows at 0.1 that never happen, one at 0.9 that happens: 0.1 everywhere."""
        table = pl.DataFrame({"fraud": [0, 0, 0, 1], "prediction": [0.1, 0.1, 0.1, 0.9]})

        assert metrics.expected_calibration_error("fraud")(table) == pytest.approx(0.1)

    def test_equal_mass_sees_small_probabilities(self):
        """All scores in the first bin of equal width hide what bins of equal mass show."""
        table = pl.DataFrame({"fraud": [1] * 5 + [0] * 95, "prediction": [0.0] * 50 + [0.1] * 50})

        by_width = metrics.expected_calibration_error("fraud", equal="width", bins=5)(table)
        by_mass = metrics.expected_calibration_error("fraud", equal="mass", bins=5)(table)

        assert by_width == pytest.approx(0.0)
        assert by_mass == pytest.approx(0.1)

    @given(st.integers(1, 30), st.sampled_from(["width", "mass"]))
    def test_it_lies_between_0_and_1_and_one_bin_is_the_bias(self, bins, equal):
        error = metrics.expected_calibration_error("fraud", bins=bins, equal=equal)(SCORED)
        bias = abs(SCORED["fraud"].mean() - SCORED["prediction"].mean())

        assert bias - 1e-12 <= error <= 1


class TestErrors:
    def test_missing_predictions_are_an_error(self):
        """Null or NaN, counted, never skipped."""
        table = SCORED.with_columns(pl.Series("prediction", [None, float("nan")] + [0.5] * 298))

        with pytest.raises(LearnerError, match=r"roc_auc: column 'prediction' is missing or NaN in 2 rows"):
            metrics.roc_auc("fraud")(table)

    def test_a_missing_column_names_the_nearest(self):
        with pytest.raises(LearnerError, match="did you mean 'fraud'"):
            metrics.roc_auc("fraude")(SCORED)

    def test_wrong_configurations(self):
        with pytest.raises(LearnerError, match="'k' must be 1 or more, and is 0"):
            metrics.precision_at_k("fraud", k=0)
        with pytest.raises(LearnerError, match="takes no 'weight'"):
            metrics.recall_at_k("fraud", k=1, weight="weight")
        with pytest.raises(LearnerError, match="'bins' must be 1 or more"):
            metrics.expected_calibration_error("fraud", bins=0)
        with pytest.raises(LearnerError, match="'equal' is 'rows'; available: width, mass"):
            metrics.expected_calibration_error("fraud", equal="rows")

    def test_no_rows_is_undefined(self):
        assert metrics.roc_auc("fraud").measure(SCORED[:0]) == (None, "undefined: no rows")


def test_a_metric_can_be_printed_and_compared():
    """A report can say what was measured."""
    assert repr(metrics.precision_at_k("fraud", k=5)) == "precision_at_k(target='fraud', k=5)"
    assert metrics.precision_at_k("fraud", k=5) == metrics.precision_at_k("fraud", k=5)
