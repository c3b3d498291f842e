"""What can be known to be wrong is said before anything is fitted: the step, the column, and a fix.

`check` alone is called here, so what is refused is refused before the first fit.
"""

import datetime as dt

import polars as pl
import pytest
from tests.learn.cases import CASES, payments
from tests.learn.paths import assert_both_paths_agree

from veredito import learn
from veredito.errors import LearnerError

PAYMENTS = payments(150)
PASS_ON = {"when_missing": {"country"}}  # it is dropped: what a column holds is nothing to a dropper


def checked(learner, table):
    preview = learn.Preview(table, learner.kind)
    learner.check(preview)
    return preview


def said(learner, table):
    with pytest.raises(LearnerError) as error:
        checked(learner, table).done()
    return str(error.value)


def columns_read(case):
    preview = checked(CASES[case], PAYMENTS)
    preview.done()
    return list(preview.read)


@pytest.mark.parametrize("case", CASES)
class TestEveryLearner:
    def test_an_empty_table_is_refused(self, case):
        """There is nothing to learn, and nothing to say of it."""
        assert "the table has no rows. Hint: fit on at least one row" in said(CASES[case], PAYMENTS[:0])

    def test_a_missing_column_is_named_with_what_there_is(self, case):
        """Each column that it reads, by the name of the learner that reads it."""
        for name in columns_read(case):
            text = said(CASES[case], PAYMENTS.drop(name))
            assert f"column '{name}' is missing; available: " in text, name
            assert CASES[case].kind in text

    def test_a_column_of_another_type_is_named_with_what_it_is(self, case):
        """A list is neither number nor text; nothing of a library comes through."""
        if case in {"selector", "dropper", "rename"}:
            pytest.skip("it reads no values")
        for name in set(columns_read(case)) - PASS_ON.get(case, set()):
            table = PAYMENTS.with_columns(pl.Series(name, [[1, 2]] * PAYMENTS.height))
            assert f"'{name}'" in said(CASES[case], table), name


LEARNING = [
    learn.imputer(["amount"]),
    learn.capper(["amount"]),
    learn.floorer(["amount"]),
    learn.truncate_categories(["amount"], share=0.1, replacement=0),
    learn.label_encoder(["amount"]),
    learn.count_encoder(["amount"]),
    learn.frequency_encoder(["amount"]),
    learn.rank_encoder(["amount"]),
    learn.target_encoder(["amount"], target="fraud"),
    learn.one_hot(["amount"]),
    learn.quantile_binner(["amount"], bins=3),
    learn.standard_scaler(["amount"]),
    learn.min_max_scaler(["amount"]),
    learn.ecdf(prediction="amount"),
    learn.discrete_ecdf(prediction="amount"),
    learn.isotonic_calibrator(target="fraud", prediction="amount"),
    learn.lightgbm_classifier(["amount"], target="fraud"),
    learn.when_missing("amount", then=learn.capper(["age"]), otherwise=learn.capper(["age"])),
    learn.per_segment(learn.capper(["age"]), by="amount"),
]


@pytest.mark.parametrize("learner", LEARNING, ids=lambda learner: learner.kind)
@pytest.mark.parametrize("value", [None, float("nan")], ids=["null", "nan"])
def test_a_column_without_any_value_is_named(learner, value):
    """Null and NaN are the same missing."""
    table = PAYMENTS.with_columns(amount=pl.lit(value, dtype=pl.Float64))

    assert "column 'amount' has no value at all" in said(learner, table)


@pytest.mark.parametrize(
    "learner",
    [
        learn.target_encoder(["merchant"], target="fraud"),
        learn.isotonic_calibrator(target="fraud"),
        learn.lightgbm_classifier(["amount"], target="fraud"),
        learn.lightgbm_regressor(["amount"], target="fraud"),
        learn.logistic_regression(["amount"], target="fraud"),
        learn.pipeline(learn.capper(["amount"]), learn.lightgbm_classifier(["amount"], target="fraud")),
    ],
    ids=lambda learner: learner.kind,
)
def test_a_constant_target_is_named(learner):
    """Nothing can be learned of it."""
    text = said(learner, PAYMENTS.with_columns(fraud=0))

    assert "target 'fraud' is constant. Hint: train on rows with more than one outcome" in text


@pytest.mark.parametrize(
    "learner",
    [
        learn.imputer(["at"]),
        learn.capper(["at"]),
        learn.clip(["at"], low=0),
        learn.standard_scaler(["at"]),
        learn.count_encoder(["at"]),
        learn.value_mapper({"at": {1: 2}}),
    ],
    ids=lambda learner: learner.kind,
)
def test_a_time_is_no_number_to_cap_or_scale(learner):
    """Its table form would count microseconds and its row form seconds."""
    text = said(learner, PAYMENTS)

    assert "column 'at' must be " in text
    assert "is timestamp" in text


def test_a_date_is_a_number_to_a_model_in_both_forms():
    """As seconds."""
    table = PAYMENTS.with_columns(day=pl.lit(dt.date(2018, 4, 1)) + pl.duration(days=pl.int_range(150) % 7))
    step = learn.column_function(lambda x: x / 86_400, columns=["day"], into="days")(table).step

    assert step(table)["days"][0] == 17_622
    assert_both_paths_agree(step, table[:20])


def test_a_column_written_twice_is_named():
    """Wherever columns are listed."""
    for make in (learn.capper, learn.imputer, learn.one_hot, learn.count_encoder, learn.standard_scaler):
        with pytest.raises(LearnerError, match="column 'amount' is written twice in columns"):
            make(["amount", "age", "amount"])


def test_two_steps_of_one_name_are_refused_at_build():
    """Steps are reached by name."""
    with pytest.raises(LearnerError, match="two learners are named 'bounds'"):
        learn.pipeline(learn.capper(["a"], name="bounds"), learn.floorer(["a"], name="bounds"))


def test_whole_numbers_too_large_for_int64_are_ordinary():
    """They are floats wherever they are touched, and do not crash."""
    large = pl.DataFrame({"x": pl.Series([2**63, 2**63 + 4096, None, 5], dtype=pl.UInt64)})

    for learner in (
        learn.imputer(["x"], strategy="constant", value=0),
        learn.imputer(["x"], strategy="most_frequent"),
        learn.capper(["x"], bounds={"x": 2**63}),
        learn.floorer(["x"]),
        learn.value_mapper({"x": {5: 6}}),
        learn.truncate_categories(["x"], share=0.1, replacement=-1),
        learn.label_encoder(["x"]),
    ):
        step, table, _ = learner(large)
        assert table.schema == step(large).schema
        assert_both_paths_agree(step, large)


def test_an_expression_that_cannot_be_computed_says_of_which_types():
    """Before anything is fitted, with what Polars has against it."""
    learner = learn.expression((pl.col("merchant") / 2).alias("half"))

    text = said(learner, PAYMENTS)

    assert "expression: 'half' cannot be made of 'merchant' String: " in text
    assert "Hint: cast the column first" in text


def test_an_expression_may_write_over_what_it_reads():
    """In place is as good as beside."""
    doubled = learn.expression(pl.col("amount") * 2)

    assert doubled(PAYMENTS).table["amount"].to_list() == (PAYMENTS["amount"] * 2).to_list()


def test_a_column_of_nulls_alone_is_what_it_is_filled_as():
    """Without a type of its own it is text to a text, and a number to a number."""
    table = pl.DataFrame({"x": [None, None]})

    assert learn.imputer(["x"], strategy="constant", value="none")(table).table["x"].to_list() == ["none"] * 2
    assert learn.imputer(["x"], strategy="constant", value=1)(table).table["x"].to_list() == [1.0] * 2
