"""Splits: which rows are trained on, and which are tested on."""

import datetime as dt
import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veredito.errors import LearnerError
from veredito.learn import splits

GAP = dt.timedelta(days=31)
FACTS = pl.DataFrame(
    {
        "space": ["a", "a", "b", "b", "a", "c", "c"],
        "time": [
            dt.date(2015, 1, 1),
            dt.date(2015, 2, 2),
            dt.date(2016, 4, 25),
            dt.date(2015, 3, 3),
            dt.date(2015, 7, 7),
            dt.date(2015, 8, 8),
            dt.date(2015, 9, 9),
        ],
    }
)
DAYS = pl.DataFrame(
    {"at": [dt.datetime.fromisoformat("2018-04-01") + dt.timedelta(hours=8 * i) for i in range(30)]}
)


def rows_trained(folds):
    return [fold.train.tolist() for fold in folds]


def rows_tested(folds):
    return [test.rows.tolist() for fold in folds for test in fold.tests]


class TestFacts:
    def test_time_learning_curve(self):
        """Training grows by calendar months; the test stays."""
        folds = splits.time_learning_curve("time", "2015-05-05", gap=GAP)(FACTS)

        assert rows_trained(folds) == [[0], [0, 1], [0, 1, 3], [0, 1, 3]]
        assert rows_tested(folds) == [[2, 4, 5, 6]] * 4

    def test_stability_curve(self):
        """One training set, and a test set for each later month that holds rows."""
        folds = splits.stability_curve("time", "2015-05-05")(FACTS)

        assert rows_trained(folds) == [[0, 1, 3]]
        assert rows_tested(folds) == [[4], [5], [6], [2]]
        assert [test.name for test in folds[0].tests] == [
            "2015-07-01",
            "2015-08-01",
            "2015-09-01",
            "2016-04-01",
        ]

    def test_reverse_time_learning_curve(self):
        """Training grows back from the last month that holds training rows."""
        folds = splits.reverse_time_learning_curve("time", "2015-05-05", gap=GAP)(FACTS)

        assert rows_trained(folds) == [[3], [1, 3], [0, 1, 3]]
        assert rows_tested(folds) == [[2, 4, 5, 6]] * 3

    def test_out_of_time(self):
        """All up to the limit, against all after the gap."""
        [fold] = splits.out_of_time("time", "2015-05-05", gap=dt.timedelta(days=70))(FACTS)

        assert (fold.train.tolist(), fold.tests[0].rows.tolist()) == ([0, 1, 3], [2, 5, 6])

    def test_out_of_time_and_space(self):
        """Every later row is tested on once, by models that saw none of its id."""
        folds = splits.out_of_time_and_space("time", "2015-05-05", space="space", folds=3)(FACTS)

        assert sorted(itertools.chain(*rows_tested(folds))) == [2, 4, 5, 6]
        for fold in folds:
            assert not set(FACTS["space"][fold.train]) & set(FACTS["space"][fold.tests[0].rows])

    def test_forward_stability(self):
        """A window of ten days and the two days after it move by two days."""
        split = splits.forward_stability(
            "at", "2018-04-04", start="2018-04-01", test_for=dt.timedelta(days=2), gap=dt.timedelta(days=1)
        )

        folds = split(DAYS)

        assert [(rows[0], rows[-1]) for rows in rows_trained(folds)] == [(0, 11), (6, 17), (12, 23)]
        assert [(rows[0], rows[-1]) for rows in rows_tested(folds)] == [(15, 20), (21, 26), (27, 29)]


class TestLimits:
    def test_a_date_is_a_whole_day(self):
        """Rows at any hour of the limit's day are trained on."""
        [fold] = splits.out_of_time("at", dt.date(2018, 4, 2))(DAYS)

        assert fold.train.tolist() == [0, 1, 2, 3, 4, 5]

    def test_a_datetime_is_a_moment(self):
        """Rows after that moment of the day are not."""
        [fold] = splits.out_of_time("at", "2018-04-02T08:00:00")(DAYS)

        assert fold.train.tolist() == [0, 1, 2, 3, 4]

    def test_a_limit_with_a_zone_meets_a_column_with_a_zone(self):
        """Both are moments, wherever they were written."""
        zoned = DAYS.with_columns(
            pl.col("at").dt.replace_time_zone("UTC").dt.convert_time_zone("America/Sao_Paulo")
        )

        [fold] = splits.out_of_time("at", "2018-04-02T05:00:00-03:00")(zoned)

        assert fold.train.tolist() == [0, 1, 2, 3, 4]

    def test_the_last_day_of_a_month_ends_it(self):
        """A learning curve up to 30 April trains on the whole of April."""
        table = pl.DataFrame({"time": [dt.date(2018, 4, 1), dt.date(2018, 4, 30), dt.date(2018, 5, 2)]})

        folds = splits.time_learning_curve("time", "2018-04-30")(table)

        assert rows_trained(folds) == [[0, 1]]


class TestKFold:
    def test_ids_stay_together(self):
        """With a space column, no id is on both sides, in any order of the rows."""
        table = pl.DataFrame({"id": [i % 17 for i in range(200)]})

        for fold in splits.k_fold(4, space="id")(table):
            assert not set(table["id"][fold.train]) & set(table["id"][fold.tests[0].rows])

    def test_a_rare_class_is_in_every_part(self):
        """Stratified parts hold the target's values in like numbers."""
        table = pl.DataFrame({"fraud": [1] * 10 + [0] * 990})

        folds = splits.k_fold(5, stratify="fraud")(table)

        assert [table["fraud"][rows].sum() for rows in rows_tested(folds)] == [2] * 5

    def test_seeds_matter(self):
        """The same seed cuts alike; another does not."""
        table = pl.DataFrame({"x": range(100)})

        assert rows_tested(splits.k_fold(5)(table)) == rows_tested(splits.k_fold(5)(table))
        assert rows_tested(splits.k_fold(5)(table)) != rows_tested(splits.k_fold(5, seed=1)(table))


moments = st.lists(
    st.datetimes(dt.datetime.fromisoformat("2015-01-01"), dt.datetime.fromisoformat("2016-12-31")),
    min_size=1,
    max_size=40,
)
limits = st.datetimes(dt.datetime.fromisoformat("2015-02-01"), dt.datetime.fromisoformat("2016-11-30"))
gaps = st.timedeltas(dt.timedelta(0), dt.timedelta(days=90))


def by_time(limit, gap):
    return [
        splits.out_of_time("at", limit, gap=gap),
        splits.out_of_time_and_space("at", limit, space="id", gap=gap, folds=2),
        splits.time_learning_curve("at", limit, gap=gap),
        splits.reverse_time_learning_curve("at", limit, gap=gap),
        splits.stability_curve("at", limit, gap=gap, every="2w"),
    ]


@given(moments, limits, gaps)
def test_training_is_never_after_the_limit_and_the_test_strictly_after_the_gap(times, limit, gap):
    """Laws of every split by time."""
    table = pl.DataFrame({"at": times, "id": [i % 3 for i in range(len(times))]})
    at = np.array(times, dtype="datetime64[us]")

    for split in by_time(limit, gap):
        for fold in split(table):
            assert (at[fold.train] <= np.datetime64(limit)).all()
            for test in fold.tests:
                assert (at[test.rows] > np.datetime64(limit + gap)).all()
                assert not set(fold.train.tolist()) & set(test.rows.tolist())


@given(moments, limits, gaps)
def test_growing_splits_only_add_rows(times, limit, gap):
    """Each fold of a learning curve trains on what the one before it did, and more; the last on all."""
    table = pl.DataFrame({"at": times})
    early = [i for i, at in enumerate(times) if at <= limit]

    forward = rows_trained(splits.time_learning_curve("at", limit, gap=gap)(table))
    backward = rows_trained(splits.reverse_time_learning_curve("at", limit, gap=gap)(table))

    for folds in (forward, backward):
        assert all(set(less) <= set(more) for less, more in itertools.pairwise(folds))
        assert all(folds)
    assert backward[-1:] == ([early] if early else [])


@given(moments, limits, gaps)
def test_a_stability_curve_tests_on_every_later_row_once(times, limit, gap):
    """The periods cut all that is after the gap, without overlap."""
    [fold] = splits.stability_curve("at", limit, gap=gap)(pl.DataFrame({"at": times}))

    found = sorted(row for test in fold.tests for row in test.rows.tolist())

    assert found == [i for i, at in enumerate(times) if at > limit + gap]


@given(st.integers(2, 6), st.integers(6, 60), st.integers(0, 5))
def test_k_fold_tests_on_every_row_once(parts, rows, seed):
    """Each row is in one test set, and in the training rows of all other folds."""
    folds = splits.k_fold(parts, seed=seed)(pl.DataFrame({"x": range(rows)}))

    assert sorted(row for fold in folds for row in fold.tests[0].rows.tolist()) == list(range(rows))
    assert all(len(fold.train) + len(fold.tests[0].rows) == rows for fold in folds)


class TestErrors:
    def test_a_missing_column_names_the_nearest(self):
        with pytest.raises(LearnerError, match=r"column 'tim' is missing.*did you mean 'time'"):
            splits.out_of_time("tim", "2015-05-05")(FACTS)

    def test_all_wrong_columns_are_named(self):
        with pytest.raises(LearnerError, match="2 problems"):
            splits.out_of_time_and_space("x", "2015-05-05", space="y")(FACTS)

    def test_times_must_be_times(self):
        with pytest.raises(
            LearnerError, match=r"must be a date or a datetime, and is String.*Hint: parse it"
        ):
            splits.out_of_time("space", "2015-05-05")(FACTS)

    def test_missing_times_are_refused(self):
        with pytest.raises(LearnerError, match="'time' has missing values"):
            splits.out_of_time("time", "2015-05-05")(FACTS.with_columns(time=None))

    def test_a_wrong_limit_says_how_to_write_one(self):
        with pytest.raises(LearnerError, match=r"'May' is no date or datetime.*2018-05-31"):
            splits.out_of_time("time", "May")(FACTS)

    def test_a_wrong_period_says_how_to_write_one(self):
        with pytest.raises(LearnerError, match=r"'every' is 'month'.*Hint: write a number and a unit"):
            splits.stability_curve("time", "2015-05-05", every="month")(FACTS)

    def test_a_negative_gap_is_refused(self):
        with pytest.raises(LearnerError, match="'gap' must not be negative"):
            splits.out_of_time("time", "2015-05-05", gap=-GAP)(FACTS)

    def test_wrong_configurations_are_refused_when_made(self):
        with pytest.raises(LearnerError, match="must be 2 or more"):
            splits.k_fold(1)
        with pytest.raises(LearnerError, match="cannot be stratified as well"):
            splits.k_fold(space="space", stratify="time")
        with pytest.raises(LearnerError, match=r"'test_for' must be longer.*\n.*'step' must be longer"):
            splits.forward_stability(
                "at", "2018-04-02", start="2018-04-01", test_for=dt.timedelta(0), step=-GAP
            )
        with pytest.raises(LearnerError, match="'limit' is before 'start'"):
            splits.forward_stability("at", "2018-04-02", start="2018-04-03", test_for=GAP)
