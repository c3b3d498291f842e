"""Perturbations: what a fitted model bears."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from veredito import learn
from veredito.errors import LearnerError
from veredito.learn import perturb

TABLE = pl.DataFrame(
    {"prediction": [0.1, 0.2, 0.3, 0.9, None], "shop": ["a", "b", None, "d", "e"], "fraud": [0, 0, 0, 1, 0]}
)


def test_missing_keeps_the_type():
    """A missing text column is still a text column."""
    changed = perturb.missing("shop")(TABLE)

    assert changed["shop"].null_count() == 5
    assert changed.schema == TABLE.schema


def test_shuffled_keeps_the_values():
    """The values are the same, in another order, and alike for one seed."""
    changed = perturb.shuffled("shop", seed=3)(TABLE)

    assert sorted(changed["shop"], key=str) == sorted(TABLE["shop"], key=str)
    assert changed["shop"].to_list() != TABLE["shop"].to_list()
    assert_frame_equal(changed, perturb.shuffled("shop", seed=3)(TABLE))


def test_shifted_moves_by_standard_deviations():
    """Missing stays missing."""
    changed = perturb.shifted("prediction", by=2)(TABLE)

    moved = TABLE["prediction"] + 2 * TABLE["prediction"].std()
    assert changed["prediction"].to_list() == pytest.approx([*moved.to_list()[:4], None])


def test_a_constant_column_has_nothing_to_drift_by():
    assert perturb.shifted("x")(pl.DataFrame({"x": [1]}))["x"].to_list() == [1.0]


@pytest.mark.parametrize(
    "change", [perturb.missing("shop"), perturb.shuffled("shop"), perturb.shifted("fraud")]
)
def test_all_else_stays(change):
    """The other columns, the rows, and the caller's table."""
    before = TABLE.clone()

    changed = change(TABLE)

    assert_frame_equal(changed.drop(change.column), TABLE.drop(change.column))
    assert_frame_equal(before, TABLE)


def test_text_cannot_drift():
    with pytest.raises(LearnerError, match=r"'shop' must be number, and is String.*shuffle it instead"):
        perturb.shifted("shop")(TABLE)


def test_a_missing_column_names_the_nearest():
    with pytest.raises(LearnerError, match="did you mean 'shop'"):
        perturb.missing("shopp")(TABLE)


def test_robustness_measures_each_perturbation_against_none():
    """A row a perturbation and metric, with the change from the table as it is."""
    table = TABLE.drop_nulls("prediction")
    step = learn.ecdf()(table).step
    recall = learn.metrics.recall_at_threshold("fraud", prediction="prediction_ecdf", threshold=900)
    precision = learn.metrics.precision_at_k("fraud", prediction="prediction_ecdf", k=1)

    found = perturb.robustness(
        step,
        table,
        [recall, precision],
        [perturb.shifted("prediction", by=-3), perturb.shifted("prediction", by=0)],
    )

    assert found.rows() == [
        ("none", "recall_at_threshold(900)", 1.0, 0.0, ""),
        ("none", "precision_at_k(1)", 1.0, 0.0, ""),
        ("prediction shifted(-3)", "recall_at_threshold(900)", 0.0, -1.0, ""),
        ("prediction shifted(-3)", "precision_at_k(1)", 0.25, -0.75, ""),
        ("prediction shifted(+0)", "recall_at_threshold(900)", 1.0, 0.0, ""),
        ("prediction shifted(+0)", "precision_at_k(1)", 1.0, 0.0, ""),
    ]


def test_a_model_that_cannot_bear_it_says_so():
    """Where a missing column makes predictions missing, that is an error, not a number."""
    step = learn.ecdf()(TABLE).step
    recall = learn.metrics.recall_at_threshold("fraud", prediction="prediction_ecdf", threshold=900)

    with pytest.raises(LearnerError, match="'prediction_ecdf' is missing or NaN in 4 rows"):
        perturb.robustness(step, TABLE.drop_nulls("prediction"), recall, [perturb.missing("prediction")])
