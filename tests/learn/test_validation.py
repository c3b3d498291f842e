"""Validation: a tidy table, a row a fold, test set and metric."""

import datetime as dt
import threading

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from veredito import learn
from veredito.errors import LearnerError
from veredito.learn.splits import Fold, TestSet

ROWS = 120


def payments(seed=0):
    rng = np.random.default_rng(seed)
    amount = rng.lognormal(3, 1, ROWS)
    return pl.DataFrame(
        {
            "at": [dt.date(2018, 4, 1) + dt.timedelta(days=i) for i in range(ROWS)],
            "amount": amount,
            "prediction": rng.random(ROWS),
            "fraud": (rng.random(ROWS) < 0.4).astype(int),
        }
    )


PAYMENTS = payments()
RECALL = learn.metrics.recall_at_threshold("fraud", prediction="prediction_ecdf", threshold=500)
PRECISION = learn.metrics.precision_at_k("fraud", prediction="prediction_ecdf", k=5)


class TestTheTable:
    def test_a_row_a_fold_test_set_and_metric(self):
        """Folds are numbered from 0, and each test set has every metric."""
        found = learn.validate(
            learn.ecdf(), PAYMENTS, learn.splits.stability_curve("at", "2018-04-30"), [RECALL, PRECISION]
        )

        assert found.select("fold", "training", "test", "train_rows", "test_rows", "metric").rows() == [
            (0, "until 2018-04-30", test, 30, rows, metric)
            for test, rows in [("2018-05-01", 31), ("2018-06-01", 30), ("2018-07-01", 29)]
            for metric in ("recall_at_threshold(500)", "precision_at_k(5)")
        ]

    def test_values_are_those_of_fitting_by_hand(self):
        """A fold is: fit on its training rows, score its test rows, measure."""
        split = learn.splits.k_fold(3)
        folds = split(PAYMENTS)

        found = learn.validate(learn.ecdf(), PAYMENTS, split, RECALL)

        by_hand = [
            RECALL(learn.ecdf()(PAYMENTS[fold.train]).step(PAYMENTS[fold.tests[0].rows])) for fold in folds
        ]
        assert found["value"].to_list() == by_hand

    def test_the_number_of_threads_does_not_matter(self):
        """Rows come in the order of folds, whichever is done first."""
        arguments = learn.ecdf(), PAYMENTS, learn.splits.k_fold(6), [RECALL, PRECISION]

        assert_frame_equal(learn.validate(*arguments, threads=1), learn.validate(*arguments, threads=6))

    def test_folds_run_side_by_side(self):
        """Two folds can wait for each other."""
        barrier = threading.Barrier(2, timeout=30)

        def met(_):
            barrier.wait()
            return 1.0

        found = learn.validate(learn.ecdf(), PAYMENTS, learn.splits.k_fold(2), met, threads=2)

        assert found["value"].to_list() == [1.0, 1.0]

    def test_functions_are_metrics_too(self):
        """A function is called on the scored table and listed by its name."""

        def mean_rank(table):
            return table["prediction_ecdf"].mean()

        found = learn.validate(
            learn.ecdf(), PAYMENTS, learn.splits.out_of_time("at", "2018-06-30"), mean_rank
        )

        assert found["metric"].to_list() == ["mean_rank"]

    def test_pandas_tables_are_taken(self):
        """With the same numbers."""
        pytest.importorskip("pandas")
        arguments = learn.splits.k_fold(2), RECALL

        from_pandas = learn.validate(learn.ecdf(), PAYMENTS.to_pandas(), *arguments)

        assert_frame_equal(from_pandas, learn.validate(learn.ecdf(), PAYMENTS, *arguments))

    def test_the_callers_table_is_untouched(self):
        before = PAYMENTS.clone()

        learn.validate(learn.ecdf(), PAYMENTS, learn.splits.k_fold(2), RECALL)

        assert_frame_equal(before, PAYMENTS)


class TestUndefined:
    def test_one_class_is_undefined_with_a_reason(self):
        """The value is null, and the note says why."""
        pytest.importorskip("sklearn")
        auc = learn.metrics.roc_auc("fraud", prediction="prediction_ecdf")

        found = learn.validate(learn.ecdf(), PAYMENTS.with_columns(fraud=0), learn.splits.k_fold(2), auc)

        assert found["value"].to_list() == [None, None]
        assert set(found["note"]) == {"undefined: one class only (0)"}


EMPTY = [
    Fold("nothing", np.arange(0), (TestSet("rest", np.arange(9)),)),
    Fold("whole", np.arange(60), (TestSet("none", np.arange(0)), TestSet("rest", np.arange(60, 120)))),
    Fold("alone", np.arange(60), ()),
]


class TestEmptyFolds:
    def test_they_are_an_error(self):
        """All of them are named at once, before anything is fitted."""
        with pytest.raises(LearnerError, match="3 problems") as caught:
            learn.validate(learn.ecdf(), PAYMENTS, lambda _: EMPTY, RECALL)

        assert [problem.place for problem in caught.value.problems] == [
            "fold 0 (nothing)",
            "fold 1 (whole)",
            "fold 2 (alone)",
        ]
        assert "drop_empty=True" in str(caught.value)

    def test_they_are_listed_where_dropped(self):
        """Dropped is not forgotten: a row says so."""
        found = learn.validate(learn.ecdf(), PAYMENTS, lambda _: EMPTY, RECALL, drop_empty=True)

        assert found.select("fold", "test", "note").rows() == [
            (0, "rest", "dropped: no rows to train on"),
            (1, "none", "dropped: no rows to test on"),
            (1, "rest", ""),
            (2, None, "dropped: no test set"),
        ]
        assert found["value"].is_null().to_list() == [True, True, False, True]

    def test_no_folds_at_all_are_an_error_even_so(self):
        with pytest.raises(LearnerError, match="the split has no folds"):
            learn.validate(learn.ecdf(), PAYMENTS, lambda _: [], RECALL, drop_empty=True)


class TestErrors:
    def test_missing_predictions_are_an_error(self):
        """A fold whose predictions are missing names itself, the metric and the column."""
        holes = PAYMENTS.with_columns(prediction=pl.when(pl.col("at").dt.day() > 3).then("prediction"))

        with pytest.raises(
            LearnerError, match=r"fold 0: recall_at.*'prediction_ecdf' is missing or NaN in \d+ rows"
        ):
            learn.validate(learn.ecdf(), holes, learn.splits.k_fold(2), RECALL)

    def test_every_failing_fold_is_named(self):
        """A learner that does not fit fails each fold, and all are said."""
        with pytest.raises(LearnerError, match=r"3 problems(.|\n)*fold 2: ecdf: column 'score' is missing"):
            learn.validate(learn.ecdf(prediction="score"), PAYMENTS, learn.splits.k_fold(3), RECALL)

    def test_any_other_error_names_its_fold(self):
        """What a user's own metric raises comes through, with the fold as a note."""

        def broken(_):
            raise ZeroDivisionError("no")

        with pytest.raises(ZeroDivisionError, match="no") as caught:
            learn.validate(learn.ecdf(), PAYMENTS, learn.splits.k_fold(2), broken, threads=1)

        assert caught.value.__notes__ == ["in fold 0"]

    def test_two_metrics_of_one_name_are_refused(self):
        with pytest.raises(LearnerError, match=r"two metrics are named 'recall_at_threshold\(500\)'"):
            learn.validate(learn.ecdf(), PAYMENTS, learn.splits.k_fold(2), [RECALL, RECALL])

    def test_no_metrics_are_refused(self):
        with pytest.raises(LearnerError, match="there are no metrics"):
            learn.validate(learn.ecdf(), PAYMENTS, learn.splits.k_fold(2), [])
