"""The conformance suite of learners: behaviour that must hold, with the numbers it was promised with.

Each test is named by its fact; `_` is missing, "fit" the training columns, "new" another table's. Wherever a
step is fitted, its row form is held against its table form too.
"""

import datetime as dt
import json
import pickle

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.learn.paths import assert_both_paths_agree

from veredito import learn
from veredito import model as vm
from veredito.errors import LearnerError

_ = None
A, B = [10, 13, 50], [50, 75, _]
CATEGORIES = {"one": ["a", "a", "a", "b"], "other": ["c", "c", "c", _]}
NEW_CATEGORIES = {"one": ["a", "b", "b", "d"], "other": [_, _, "c", "c"]}


def fit(learner, **columns):
    fitted = learner(pl.DataFrame(columns))
    assert_both_paths_agree(fitted.step, pl.DataFrame(columns))
    return fitted


def lists(table):
    return table.to_dict(as_series=False)


def after(step, **columns):
    """What a step makes of a table; the row form must make the same."""
    table = pl.DataFrame(columns)
    assert_both_paths_agree(step, table)
    return lists(step(table))


class TestFact01Capper:
    def test_a_given_cap_and_a_learned_one(self):
        step, table, _log = fit(learn.capper(["a", "b"], bounds={"a": 9}), a=A, b=B)

        assert lists(table) == {"a": [9, 9, 9], "b": [50, 75, _]}
        assert after(step, a=[7, 15], b=[200, _]) == {"a": [7, 9], "b": [75, _]}

    def test_learned_caps(self):
        step, _table, _log = fit(learn.capper(["a"]), a=A)

        assert after(step, a=[7, 99, -1]) == {"a": [7, 50, -1]}


def test_fact_02_floorer():
    step, table, _log = fit(learn.floorer(["a", "b"], bounds={"a": 11}), a=[10, 13, 10], b=[50, 75, _])

    assert lists(table) == {"a": [11, 13, 11], "b": [50, 75, _]}
    assert after(step, a=[7, 15], b=[15, _]) == {"a": [11, 15], "b": [50, _]}


def test_fact_03_clip():
    _step, table, _log = fit(learn.clip(["a"], low=150, high=250), a=[100, 200, 300, _])

    assert lists(table) == {"a": [150, 200, 250, _]}


def test_fact_04_count_encoder():
    step, table, _log = fit(learn.count_encoder(["one", "other"], unseen=1), **CATEGORIES)

    assert lists(table) == {"one": [3, 3, 3, 1], "other": [3, 3, 3, _]}
    assert after(step, **NEW_CATEGORIES) == {"one": [3, 1, 1, 1], "other": [_, _, 3, 3]}


class TestFact05LabelEncoder:
    def test_numbers(self):
        step, table, _log = fit(learn.label_encoder(["one", "other"], unseen=-99), **CATEGORIES)

        assert lists(table) == {"one": [0, 0, 0, 1], "other": [0, 0, 0, _]}
        assert after(step, **NEW_CATEGORIES) == {"one": [0, 1, 1, -99], "other": [_, _, 0, 0]}

    def test_unseen_is_missing_unless_said_otherwise(self):
        step, _table, _log = fit(learn.label_encoder(["one"]), one=CATEGORIES["one"])

        assert after(step, one=["a", "d", _]) == {"one": [0, _, _]}


def test_fact_06_truncate_categories():
    column = ["a", "a", "a", "b", "b", "b", "b", "c", "d", "f", _]
    step, table, _log = fit(learn.truncate_categories(["x"], share=0.1, replacement="rest"), x=column)

    assert lists(table) == {"x": ["a"] * 3 + ["b"] * 4 + ["rest"] * 3 + [_]}
    assert after(step, x=["a", "c", "e", _]) == {"x": ["a", "rest", "rest", _]}


class TestFact07QuantileBinner:
    def test_right_closed(self):
        _step, table, _log = fit(learn.quantile_binner(["x"], bins=4), x=[*range(1, 11), _])

        assert lists(table) == {"x": [0, 1, 1, 2, 2, 3, 3, 4, 4, 4, _]}

    @pytest.mark.parametrize("closed", ["left", "right"])
    def test_the_training_maximum_is_in_the_last_bin(self, closed):
        step, table, _log = fit(learn.quantile_binner(["x"], bins=4, closed=closed), x=list(range(1, 11)))

        assert table["x"][-1] == table["x"].max() == 4
        assert after(step, x=[10, 11, 10**9]) == {"x": [4, 4, 4]}

    def test_repeated_edges_merge_with_a_logged_note(self):
        _step, _table, log = fit(learn.quantile_binner(["x"], bins=4), x=[1, 1, 1, 1, 1, 2, 3, 4])

        assert log["notes"] == ["column 'x': 2 repeated edges merged"]


class TestFact08OneHot:
    def test_a_column_a_category_in_sorted_order_originals_dropped(self):
        step, table, _log = fit(learn.one_hot(["x"]), x=["b", "a", _], y=[1, 2, 3])

        assert lists(table) == {"y": [1, 2, 3], "x=a": [0, 1, 0], "x=b": [1, 0, 0]}
        assert after(step, x=["z", "a"], y=[1, 2]) == {"y": [1, 2], "x=a": [0, 1], "x=b": [0, 0]}

    def test_originals_can_be_kept(self):
        _step, table, _log = fit(learn.one_hot(["x"], keep=True), x=["b", "a"])

        assert lists(table) == {"x": ["b", "a"], "x=a": [0, 1], "x=b": [1, 0]}

    def test_missing_and_unseen_have_a_column_each_and_are_not_the_same(self):
        step, _table, _log = fit(learn.one_hot(["x"], missing=True, unseen=True), x=["a", _])

        assert after(step, x=["a", "new", _]) == {
            "x=a": [1, 0, 0],
            "x:missing": [0, 0, 1],
            "x:unseen": [0, 1, 0],
        }


class TestFact09TargetEncoder:
    CAT, Y = ["a", "a", "a", "b", "c", "c"], [1, 0, 0, 1, 0, 1]

    def test_other_tables_have_the_full_encoding(self):
        step, _table, _log = fit(
            learn.target_encoder(["cat"], target="y", smoothing=1), cat=self.CAT, y=self.Y
        )

        assert after(step, cat=self.CAT)["cat"] == [0.375, 0.375, 0.375, 0.75, 0.5, 0.5]

    def test_by_the_formula(self):
        """(n * mean + s * global) / (n + s)"""
        step, _table, _log = fit(
            learn.target_encoder(["cat"], target="y", smoothing=3), cat=self.CAT, y=self.Y
        )

        assert after(step, cat=["a", "b"])["cat"] == [(3 * (1 / 3) + 3 * 0.5) / 6, (1 * 1.0 + 3 * 0.5) / 4]

    def test_the_target_does_not_leak_into_the_training_table(self):
        """A row's own outcome is not in its feature: with a category a row, the feature says nothing of it."""
        y = [0, 1] * 50
        learner = learn.target_encoder(["cat"], target="y", smoothing=1)

        _step, table, _log = fit(learner, cat=[f"c{i}" for i in range(100)], y=y)

        overall = [
            sum(y[:i] + y[i + 1 :]) / 99 for i in range(100)
        ]  # about what the other folds' mean must be
        assert np.abs(table["cat"].to_numpy() - np.array(overall)).max() < 0.2
        assert np.corrcoef(table["cat"].to_numpy(), y)[0, 1] <= 0


class TestFact10Imputer:
    def test_mean(self):
        step, table, _log = fit(learn.imputer(["a", "b"], strategy="mean"), a=[10, 13, 10], b=[50, 100, _])

        assert lists(table) == {"a": [10, 13, 10], "b": [50, 100, 75]}
        assert after(step, a=[10, _], b=[_, 100]) == {"a": [10, 11], "b": [75, 100]}

    def test_an_all_missing_column_has_the_placeholder(self):
        column = pl.Series([_, _], dtype=pl.Float64)
        step, table, _log = fit(learn.imputer(["a"], placeholder=-1), a=column)

        assert lists(table) == {"a": [-1, -1]}
        assert after(step, a=[_, 3.0]) == {"a": [-1, 3]}

    def test_or_is_an_error_that_names_it(self):
        with pytest.raises(LearnerError, match="column 'a' has no value at all"):
            learn.imputer(["a"])(pl.DataFrame({"a": pl.Series([_, _], dtype=pl.Float64)}))


def test_fact_11_constant_imputer_keeps_integers():
    _step, table, _log = fit(learn.imputer(["a"], strategy="constant", value=-999), a=[1, _, 3])

    assert lists(table) == {"a": [1, -999, 3]}
    assert table.schema["a"] == pl.Int64


class TestFact12ValueMapper:
    MAP = {"x": {10: 1, 13: 2}}  # noqa: RUF012 - it is read only

    def test_unseen_left_as_it_is(self):
        step, table, _log = fit(learn.value_mapper(self.MAP), x=[10, 10, 13, 15])

        assert lists(table) == {"x": [1, 1, 2, 15]}
        assert after(step, x=[13, 77]) == {"x": [2, 77]}

    def test_unseen_to_missing(self):
        step, table, _log = fit(learn.value_mapper(self.MAP, unseen="missing"), x=[10, 10, 13, 15])

        assert lists(table) == {"x": [1, 1, 2, _]}
        assert after(step, x=[13, 77]) == {"x": [2, _]}


class TestFact13ColumnFunction:
    def test_sqrt(self):
        _step, table, _log = fit(learn.column_function(np.sqrt, columns=["x"]), x=[1, 4, 9])

        assert lists(table) == {"x": [1, 2, 3]}

    def test_it_gets_numpy_arrays_in_batch_and_online_alike(self):
        given = []

        def both(one, other):
            given.append((type(one), one.dtype, type(other), other.shape))
            return one + other

        fit(learn.column_function(both, columns=["x", "y"], into="sum"), x=[1, _, 9], y=[True, False, True])

        assert {kinds[:3] for kinds in given} == {(np.ndarray, np.dtype(np.float64), np.ndarray)}
        assert {kinds[3] for kinds in given} == {(3,), (1,)}


class TestFact14Ecdf:
    FIT = [0.1, 0.1, 0.3, 0.5, 0.5, 0.6, 0.6, 0.7, 0.8, 0.9]  # noqa: RUF012

    def test_ranks(self):
        step, _table, _log = fit(learn.ecdf(scale=1000), prediction=self.FIT)
        new = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.8, 0.9, 1.0]

        assert after(step, prediction=new)["prediction_ecdf"] == [
            200, 200, 300, 300, 500, 700, 700, 800, 900, 1000, 1000,
        ]  # fmt: skip

    def test_below_the_minimum_is_0_and_missing_is_missing(self):
        step, _table, _log = fit(learn.ecdf(scale=1000), prediction=self.FIT)

        assert after(step, prediction=[0.0999, -5.0, _, np.nan])["prediction_ecdf"] == [0, 0, _, _]

    def test_the_table_is_exact(self):
        """Every rank of any number of training scores is a count times 1000 over that number, rounded once."""
        for n in (3, 7, 10, 999):
            step, _table, _log = learn.ecdf()(pl.DataFrame({"prediction": np.arange(n) / n}))
            assert step.ranks.tolist() == [count * 1000 / n for count in range(n + 1)]


def test_fact_15_isotonic_calibrator():
    step, _table, _log = fit(
        learn.isotonic_calibrator(target="y"), prediction=[0.25, 0.64, 0.12, 0.9], y=[0, 1, 0, 1]
    )
    new = [0.55, 0.12, 0.13, 0.9, 0.95, 0.0, 0.445]

    found = after(step, prediction=new)["calibrated"]

    assert found == pytest.approx([0.769231, 0, 0, 1, 1, 0, 0.5], abs=5e-7)
    ordered = [value for _score, value in sorted(zip(new, found, strict=True))]
    assert ordered == sorted(ordered)
    assert 0 <= min(found) <= max(found) <= 1


@pytest.mark.parametrize(
    "encoder",
    [
        learn.label_encoder(["x"], keep_as="original"),
        learn.count_encoder(["x"], keep_as="original"),
        learn.frequency_encoder(["x"], keep_as={"x": "original"}),
        learn.rank_encoder(["x"], keep_as="original"),
        learn.target_encoder(["x"], target="y", keep_as="original"),
        learn.pipeline(learn.label_encoder(["x"]), learn.quantile_binner(["x"], bins=2, keep_as="original")),
        learn.pipeline(learn.label_encoder(["x"]), learn.binner(["x"], edges=[1], keep_as="original")),
    ],
    ids=lambda learner: repr(learner).partition("(")[0],
)
def test_fact_16_any_encoder_can_leave_the_original_under_another_name(encoder):
    step, table, _log = fit(encoder, x=["a", "b", "b", _], y=[0, 1, 1, 0])

    labels = {"a": 0, "b": 1, _: _}
    expected = ["a", "b", "b", _]
    if encoder.kind == "pipeline":
        expected = [labels[value] for value in expected]
    assert table["original"].to_list() == expected
    assert step(pl.DataFrame({"x": ["a", "b", "b", _]}))["original"].to_list() == expected


PAYMENTS = pl.DataFrame(
    {
        "amount": [1.0, 250.0, 30.0, _, 5.0, 80.0] * 20,
        "age": [20, 30, _, 50, 60, 70] * 20,
        "shop": ["a", "b", "a", _, "c", "c"] * 20,
        "fraud": [0, 1, 0, 0, 0, 1] * 20,
    }
)
HALF = learn.on(fraction=0.5)


def whole():
    return learn.pipeline(
        learn.imputer(["amount", "age"]),
        learn.pipeline(learn.capper(["amount"]), learn.capper(["age"], bounds={"age": 65}), name="bounds"),
        learn.capper(["amount"], bounds={"amount": 200}),
        learn.target_encoder(["shop"], target="fraud"),
        learn.ecdf(prediction="amount", into="rank", on=HALF),
    )


class TestFact17Pipeline:
    def test_a_the_callers_table_never_changes(self):
        table = PAYMENTS.clone()

        step, _result, _log = whole()(table)
        step(table)

        assert_frame_equal(table, PAYMENTS)

    def test_b_the_training_table_has_the_columns_of_any_other(self):
        step, table, _log = whole()(PAYMENTS)

        assert step(PAYMENTS[:7]).schema == table.schema

    def test_c_steps_are_named_repeated_nested_and_all_reachable(self):
        step, _table, log = whole()(PAYMENTS)

        assert step.names == ("imputer", "bounds", "capper", "target_encoder", "ecdf")
        assert step["bounds"].names == ("capper", "capper_2")
        assert step["bounds"]["capper_2"].high.tolist() == [65]
        assert [part.kind for part in learn.walk(step)].count("bounds") == 3
        assert [inner["learner"] for inner in log["steps"]] == list(step.names)
        assert [inner["learner"] for inner in log["steps"][1]["steps"]] == ["capper", "capper_2"]

    def test_d_an_unknown_keyword_is_an_error_at_build(self):
        with pytest.raises(LearnerError, match=r"unknown keyword 'bound'.*did you mean 'bounds'"):
            learn.capper(["amount"], bound={})

    def test_e_checks_come_before_the_first_fit(self):
        """All that is wrong is said at once, with the step's name; the first learner is never fitted."""
        fits = []

        def watched(x):
            fits.append(x)
            return x

        learner = learn.pipeline(
            learn.column_function(watched, columns=["amount"]),
            learn.capper(["amuont"]),
            learn.standard_scaler(["shop"]),
            learn.isotonic_calibrator(target="fraud", prediction="score"),
        )

        with pytest.raises(LearnerError) as error:
            learner(PAYMENTS)

        assert [
            str(problem).partition(";")[0].partition(". Hint")[0] for problem in error.value.problems
        ] == [
            "pipeline.capper: column 'amuont' is missing",
            "pipeline.standard_scaler: column 'shop' must be number, and is text (String)",
            "pipeline.isotonic_calibrator: column 'score' is missing",
        ]
        assert fits == []

    def test_f_side_by_side_fits_each_on_the_same_table_and_joins_what_they_add(self):
        step, table, _log = fit(
            learn.side_by_side(learn.ecdf(prediction="x", into="rank"), learn.missing_flags(["x"])),
            x=[1, 2, _],
        )

        assert lists(table) == {"x": [1, 2, _], "rank": [500, 1000, _], "x_missing": [0, 0, 1]}
        assert step["ecdf"].kind == "ecdf"

    def test_g_load_of_save_gives_the_same_numbers_bit_for_bit(self, tmp_path):
        step, _table, log = whole()(PAYMENTS)
        vm.save(step, tmp_path / "m", sample=PAYMENTS, log=log)

        again = vm.load(tmp_path / "m")

        assert again.step == step
        assert_frame_equal(again(PAYMENTS), step(PAYMENTS))

    def test_h_one_row_equals_the_batch(self):
        step, _table, _log = whole()(PAYMENTS)

        assert_both_paths_agree(step, PAYMENTS[:30])
        assert_frame_equal(pl.concat([step(PAYMENTS[i]) for i in range(30)]), step(PAYMENTS)[:30])


class TestFact18Log:
    LEARNERS = {  # noqa: RUF012 - it is read only
        "means": (learn.imputer(["age"]), "fills"),
        "caps": (learn.capper(["age"]), "high"),
        "edges": (learn.quantile_binner(["amount"], bins=3), "cuts"),
        "mappings": (learn.count_encoder(["shop"]), "values"),
        "scales": (learn.standard_scaler(["amount"]), "shift"),
        "ranks": (learn.ecdf(prediction="amount"), "ranks"),
        "lines": (learn.isotonic_calibrator(target="fraud", prediction="amount"), "values"),
        "encodings": (learn.target_encoder(["shop"], target="fraud"), "values"),
        "categories": (learn.one_hot(["shop"]), "keys"),
    }

    @pytest.mark.parametrize("what", LEARNERS)
    def test_what_was_fitted_is_in_it(self, what):
        learner, key = self.LEARNERS[what]

        step, _table, log = learner(PAYMENTS)

        expected = [np.asarray(item).tolist() for item in np.atleast_1d(getattr(step, key))] if key in {
            "fills", "high", "shift", "ranks",
        } or what == "lines" else [np.asarray(item).tolist() for item in getattr(step, key)]  # fmt: skip
        assert log["fitted"][key] == expected

    def test_beside_time_rows_features_parameters_and_versions(self):
        _step, _table, log = whole()(PAYMENTS)
        ranks = log["steps"][-1]

        assert log["rows"] == ranks["rows"] == 60
        assert ranks["params"]["on"] == "on(fraction=0.5)"
        assert (ranks["reads"], ranks["writes"]) == (["amount"], ["rank"])
        assert 0 < ranks["seconds"] <= log["seconds"]
        assert log["libraries"].keys() >= {"python", "veredito", "polars", "numpy"}

    def test_every_step_is_in_it_and_it_is_json(self):
        _step, _table, log = whole()(PAYMENTS)

        again = json.loads(json.dumps(log))
        assert [inner["kind"] for inner in again["steps"]] == [
            "imputer", "pipeline", "capper", "target_encoder", "ecdf",
        ]  # fmt: skip
        assert again["steps"][1]["steps"][0]["fitted"]["high"] == [250.0]


class TestFact19Splits:
    TABLE = pl.DataFrame(
        {
            "space": ["a", "a", "b", "b", "a", "c", "c"],
            "time": [
                dt.date(2015, 1, 1), dt.date(2015, 2, 2), dt.date(2016, 4, 25), dt.date(2015, 3, 3),
                dt.date(2015, 7, 7), dt.date(2015, 8, 8), dt.date(2015, 9, 9),
            ],
        }
    )  # fmt: skip
    LIMIT, GAP = "2015-05-05", dt.timedelta(days=31)

    def test_time_learning_curve(self):
        folds = learn.splits.time_learning_curve("time", self.LIMIT, gap=self.GAP)(self.TABLE)

        assert [fold.train.tolist() for fold in folds] == [[0], [0, 1], [0, 1, 3], [0, 1, 3]]
        assert [test.rows.tolist() for fold in folds for test in fold.tests] == [[2, 4, 5, 6]] * 4

    def test_stability_curve(self):
        folds = learn.splits.stability_curve("time", self.LIMIT)(self.TABLE)

        assert [fold.train.tolist() for fold in folds] == [[0, 1, 3]]
        assert [test.rows.tolist() for test in folds[0].tests] == [[4], [5], [6], [2]]

    @pytest.mark.parametrize(
        "split",
        [
            learn.splits.out_of_time("time", LIMIT, gap=GAP),
            learn.splits.time_learning_curve("time", LIMIT, gap=GAP),
            learn.splits.reverse_time_learning_curve("time", LIMIT, gap=GAP),
            learn.splits.stability_curve("time", LIMIT, gap=GAP),
        ],
        ids=lambda split: type(split).__name__,
    )
    def test_training_is_never_after_the_limit_and_tests_are_strictly_after_limit_and_gap(self, split):
        limit = dt.date.fromisoformat(self.LIMIT)

        for fold in split(self.TABLE):
            assert self.TABLE["time"][fold.train].max() <= limit
            assert all(self.TABLE["time"][test.rows].min() > limit + self.GAP for test in fold.tests)

    def test_space_splits_keep_ids_apart(self):
        table = pl.concat([self.TABLE] * 5).with_columns(space=pl.Series([f"id{i % 9}" for i in range(35)]))
        split = learn.splits.out_of_time_and_space("time", self.LIMIT, space="space")

        for fold in split(table):
            trained = set(table["space"][fold.train])
            assert all(trained.isdisjoint(table["space"][test.rows]) for test in fold.tests)


class TestFact20Validate:
    METRIC = learn.metrics.roc_auc("fraud", prediction="amount")
    LEARNER = learn.imputer(["amount"])

    def test_folds_are_numbered_from_0_with_a_tidy_row_a_fold_test_set_and_metric(self):
        metrics = [self.METRIC, learn.metrics.precision_at_k("fraud", prediction="amount", k=3)]

        found = learn.validate(self.LEARNER, PAYMENTS, learn.splits.k_fold(3), metrics)

        assert found.select("fold", "metric").rows() == [
            (fold, metric) for fold in range(3) for metric in ("roc_auc", "precision_at_k(3)")
        ]

    def test_an_empty_fold_is_an_error_unless_dropping_is_asked_for_and_then_listed(self):
        def split(table):
            fold = learn.splits.k_fold(2)(table)[0]
            none = learn.splits.Fold(
                "none", fold.train, (learn.splits.TestSet("t", np.array([], dtype=int)),)
            )
            return [fold, none]

        with pytest.raises(LearnerError, match="has no rows"):
            learn.validate(self.LEARNER, PAYMENTS, split, self.METRIC)
        found = learn.validate(self.LEARNER, PAYMENTS, split, self.METRIC, drop_empty=True)
        assert found.select("fold", "value", "note").row(1) == (1, _, "dropped: no rows to test on")

    def test_missing_predictions_are_an_error(self):
        with pytest.raises(LearnerError, match="'amount' is missing or NaN"):
            learn.validate(learn.capper(["age"]), PAYMENTS, learn.splits.k_fold(2), self.METRIC)

    def test_one_class_only_is_undefined_and_not_a_half(self):
        found = learn.validate(
            self.LEARNER, PAYMENTS.with_columns(fraud=0), learn.splits.k_fold(2), self.METRIC
        )

        assert found["value"].to_list() == [_, _]
        assert all(note.startswith("undefined") for note in found["note"])


def test_fact_21_a_booster_gives_the_numbers_of_its_library_to_the_last_bit():
    lightgbm = pytest.importorskip("lightgbm")
    learner = learn.lightgbm_classifier(["amount", "age"], target="fraud", num_trees=20)

    step, table, _log = learner(PAYMENTS)

    features = PAYMENTS.select(pl.col("amount", "age").cast(pl.Float64).fill_null(float("nan"))).to_numpy()
    text = next(value for value in step.state().values() if isinstance(value, str))
    assert table["prediction"].to_list() == lightgbm.Booster(model_str=text).predict(features).tolist()


class TestFaultsOfTheAncestor:
    """What fklearn does, and veredito must not."""

    def test_a_missing_score_is_never_the_highest_rank(self):
        step, _table, _log = learn.ecdf()(pl.DataFrame({"prediction": [0.1, 0.9, np.nan]}))

        assert after(step, prediction=[np.nan, _, np.inf])["prediction_ecdf"] == [_, _, 1000]

    def test_none_and_nan_are_both_missing_and_neither_is_unseen(self):
        step, _table, _log = fit(learn.count_encoder(["x"], unseen=0), x=[1.0, 1.0, 2.0])

        assert after(step, x=[_, np.nan, 7.0]) == {"x": [_, _, 0]}
        assert step.counts(pl.DataFrame({"x": [_, np.nan, 7.0]})) == {"x": {"missing": 2, "unseen": 1}}

    def test_every_model_of_a_pipeline_is_in_the_log_and_in_the_step(self):
        two = learn.pipeline(
            learn.isotonic_calibrator(target="fraud", prediction="age", into="one"),
            learn.isotonic_calibrator(target="fraud", prediction="one", into="two"),
        )

        step, _table, log = two(PAYMENTS)

        assert [inner["fitted"]["into"] for inner in log["steps"]] == ["one", "two"]
        assert [part.kind for part in step.children] == ["isotonic", "isotonic"]

    def test_learners_and_steps_can_be_compared_and_survive_a_process_boundary(self):
        step, _table, _log = whole()(PAYMENTS)

        assert whole() == whole()
        assert pickle.loads(pickle.dumps(whole())) == whole()
        assert pickle.loads(pickle.dumps(step)) == step
