"""Learners beside each other, and rows that part: what each row gets, and what is refused before any fit."""

from typing import ClassVar

import numpy as np
import polars as pl
import pytest
from tests.learn.cases import payments
from tests.learn.paths import assert_both_paths_agree

from veredito import learn
from veredito.errors import LearnerError

PAYMENTS = payments()
HALF = learn.on(fraction=0.5, name="half")


class NeverFitted(learn.Learner):
    """A learner that fails the test if it is fitted: what is wrong is to be said before."""

    column: str

    def check(self, preview):
        preview.need([self.column])

    def fit(self, table):
        raise AssertionError("was fitted")


class TestSideBySide:
    def test_each_sees_the_table_as_it_came(self):
        """What one changes in place, another still reads unchanged."""
        both = learn.side_by_side(
            learn.clip(["x"], high=2), learn.ecdf(prediction="x", into="rank"), learn.missing_flags(["x"])
        )

        step, table, _ = both(pl.DataFrame({"x": [1, 2, 3, None]}))

        assert table.to_dict(as_series=False) == {
            "x": [1, 2, 2, None],
            "rank": [1000 / 3, 2000 / 3, 1000.0, None],
            "x_missing": [0, 0, 0, 1],
        }
        assert_both_paths_agree(step, table)

    def test_steps_are_found_by_name(self):
        """Kinds that come again are numbered, and a wrong name is answered with the nearest."""
        step, _, log = learn.side_by_side(learn.capper(["amount"]), learn.capper(["age"], name="ages"))(
            PAYMENTS
        )

        assert step["ages"].columns == ("age",)
        assert [inner["learner"] for inner in log["steps"]] == ["capper", "ages"]
        with pytest.raises(LearnerError, match="did you mean 'ages'"):
            step["agas"]

    def test_one_column_made_by_two_is_refused_before_any_fit(self):
        """Both makers are named."""
        both = learn.side_by_side(NeverFitted("age"), learn.ecdf(), learn.discrete_ecdf())

        with pytest.raises(
            LearnerError, match="'prediction_ecdf' is made or dropped by ecdf and by discrete_ecdf"
        ):
            both(PAYMENTS)

    def test_one_column_dropped_by_one_and_made_by_another_is_refused(self):
        """The order of learners that stand beside each other decides nothing."""
        both = learn.side_by_side(learn.dropper(["age"]), learn.capper(["age"]))

        with pytest.raises(LearnerError, match="'age' is made or dropped by dropper and by capper"):
            both(PAYMENTS)

    def test_columns_known_only_after_fitting_are_refused_too(self):
        """Categories name the columns of a one-hot encoder."""
        both = learn.side_by_side(
            learn.one_hot(["country"], keep=True),
            learn.column_function(np.sqrt, columns=["age"], into="country=BR"),
        )

        with pytest.raises(LearnerError, match="'country=BR' is made or dropped by two learners"):
            both(PAYMENTS)

    def test_held_out_rows_are_held_out_of_all(self):
        """Learners inside have the rows of the whole."""
        _, _, log = learn.side_by_side(
            learn.capper(["age"]), learn.pipeline(learn.ecdf(on=HALF)), learn.capper(["amount"])
        )(PAYMENTS)

        assert [inner["rows"] for inner in log["steps"]] == [200, 200, 200]
        assert log["rows"] == 200

    def test_it_prints_like_the_code_that_makes_it(self):
        """With the learners on lines of their own."""
        assert repr(learn.side_by_side(learn.ecdf(), learn.capper(["x"]))) == (
            "side_by_side(\n    ecdf(),\n    capper(columns=('x',)),\n)"
        )


class Counting(learn.Learner):
    """A learner whose step remembers how many rows it was given."""

    into: str

    def check(self, preview):
        preview.need(["amount"], "number")
        preview.make([self.into])

    def fit(self, table):
        return learn.Fit(CountingStep(self.into, table.height))


class CountingStep(learn.Step, kind="test_counting"):
    into: str
    rows: int = learn.fitted()

    seen: ClassVar[list] = []

    @property
    def needs(self):
        return {"amount": "number"}

    @property
    def writes(self):
        return (self.into,)

    def apply(self, table):
        self.seen.append((self.rows, table.height))
        return table.with_columns(pl.lit(float(self.rows)).alias(self.into))

    def bind(self, layout):
        target, rows, seen = layout.number(self.into), self.rows, self.seen

        def kernel(block):
            seen.append((rows, block.rows))
            block.numbers[:, target] = rows

        return kernel


@pytest.fixture
def seen():
    CountingStep.seen.clear()
    return CountingStep.seen


SHOPS = pl.DataFrame({"shop": ["a"] * 3 + ["b"] * 2 + [None], "amount": [1.0] * 6})


class TestPerSegment:
    def test_only_the_right_model_is_scored(self, seen):
        """Each step is given its own rows and no others, as a table and in rows."""
        step = learn.per_segment(Counting("n"), by="shop")(SHOPS).step
        table = pl.DataFrame({"shop": ["b", "a", "b"], "amount": [1.0] * 3})
        seen.clear()

        assert step(table)["n"].to_list() == [2.0, 3.0, 2.0]
        assert sorted(seen) == [(2, 2), (3, 1)]
        seen.clear()
        assert_both_paths_agree(step, table)
        assert sorted(seen[:2]) == [(2, 2), (3, 1)]  # the table
        assert sorted(seen[2:4]) == [(2, 2), (3, 1)]  # one block of rows
        assert sorted(seen[4:]) == [(2, 1), (2, 1), (3, 1)]  # each row alone

    def test_unseen_and_missing_segments_have_the_model_of_all_rows(self):
        """They are ordinary, and counted."""
        step = learn.per_segment(Counting("n"), by="shop")(SHOPS).step
        table = pl.DataFrame({"shop": ["new", None, "a"], "amount": [1.0] * 3})

        assert step(table)["n"].to_list() == [6.0, 6.0, 3.0]
        assert step.counts(table)["shop"] == {"missing": 1, "unseen": 1}

    def test_or_none_at_all_if_so_asked(self):
        """Their predictions are missing, in both forms."""
        step = learn.per_segment(Counting("n"), by="shop", otherwise="missing")(SHOPS).step
        table = pl.DataFrame({"shop": ["new", None, "a"], "amount": [1.0] * 3})

        assert step(table)["n"].to_list() == [None, None, 3.0]
        assert_both_paths_agree(step, table)

    def test_rare_segments_are_like_unseen_ones(self):
        """With fewer rows than asked for there is no model of one's own."""
        step, _, log = learn.per_segment(Counting("n"), by="shop", rows_min=3)(SHOPS)

        assert step(SHOPS)["n"].to_list() == [3.0] * 3 + [6.0] * 3
        assert [inner["learner"] for inner in log["steps"]] == ["shop=a", "all rows"]

    def test_a_segment_with_a_constant_target_is_said_before_any_fit(self):
        """With the segment's name."""
        table = SHOPS.with_columns(fraud=pl.Series([0, 1, 0, 0, 0, 1]))
        learner = learn.per_segment(
            learn.pipeline(
                NeverFitted("amount"), learn.isotonic_calibrator(target="fraud", prediction="amount")
            ),
            by="shop",
        )

        with pytest.raises(
            LearnerError, match=r"per_segment\[shop=b\].isotonic_calibrator: target 'fraud' is constant"
        ):
            learner(table)

    def test_too_many_segments_are_refused(self):
        """An identifier is no segment."""
        table = pl.DataFrame({"id": range(500), "amount": [1.0] * 500})

        with pytest.raises(LearnerError, match="'id' has more than 200 segments"):
            learn.per_segment(Counting("n"), by="id")(table)

    def test_text_in_some_rows_and_number_in_others_is_refused(self):
        """A column is one thing."""
        learner = learn.when_missing(
            "amount",
            then=learn.label_encoder(["shop"]),
            otherwise=learn.truncate_categories(["shop"], share=0.1),
        )

        with pytest.raises(LearnerError, match="'shop' would be number in some rows and text in others"):
            learner(SHOPS)

    @pytest.mark.parametrize(
        ("keywords", "match"),
        [
            ({"rows_min": 0}, "rows_min must be 1 or more"),
            ({"otherwise": "al"}, "did you mean 'all'"),
            ({"on": HALF}, "'on' is for one learner"),
            ({"bye": "shop"}, "did you mean 'by'"),
        ],
    )
    def test_wrong_configuration_is_said_at_build(self, keywords, match):
        """Before there is a table."""
        with pytest.raises(LearnerError, match=match):
            learn.per_segment(Counting("n"), **{"by": "shop"} | keywords)


class TestWhenMissing:
    def test_rows_that_lack_a_column_go_the_other_way(self, seen):
        """And only that way is computed."""
        table = pl.DataFrame({"bureau": [1.0, None, 3.0, np.nan], "amount": [1.0] * 4})
        step = learn.when_missing("bureau", then=Counting("n"), otherwise=Counting("n"))(table).step
        seen.clear()

        assert step(table)["n"].to_list() == [2.0, 4.0, 2.0, 4.0]
        assert sorted(seen) == [(2, 2), (4, 2)]
        assert_both_paths_agree(step, table)

    def test_what_one_way_does_not_write_stays_where_it_is_read_and_is_missing_otherwise(self):
        """A column in place is not lost, a new one is not invented."""
        table = pl.DataFrame({"x": [1.0, None, 30.0], "y": [5.0, 6.0, 7.0]})
        step = learn.when_missing(
            "x",
            then=learn.clip(["y"], high=2),
            otherwise=learn.pipeline(learn.clip(["x"], high=20), learn.ecdf(prediction="x", into="rank")),
        )(table).step

        assert step(table).rows() == [(1.0, 5.0, 500.0), (None, 2.0, None), (20.0, 7.0, 1000.0)]
        assert_both_paths_agree(step, table)

    def test_a_column_that_is_always_missing_is_said_before_any_fit(self):
        """There would be nothing to fit `otherwise` on."""
        table = pl.DataFrame({"x": pl.Series([None, None], dtype=pl.Float64), "amount": [1.0, 2.0]})
        learner = learn.when_missing("x", then=NeverFitted("amount"), otherwise=NeverFitted("amount"))

        with pytest.raises(LearnerError, match="'x' has no value at all"):
            learner(table)

    def test_composites_nest(self):
        """A pipeline of segments of what stands side by side, and the other way round."""
        learner = learn.pipeline(
            learn.per_segment(
                learn.side_by_side(
                    learn.when_missing(
                        "tenure", then=learn.capper(["age"]), otherwise=learn.floorer(["age"])
                    ),
                    learn.ecdf(on=HALF),
                ),
                by="country",
            ),
            learn.standard_scaler(["age", "prediction_ecdf"]),
        )

        step, table, _ = learner(PAYMENTS)

        assert {part.kind for part in learn.walk(step)} >= {
            "per_segment",
            "side_by_side",
            "when_missing",
            "ecdf",
        }
        assert table.equals(step(PAYMENTS))
        assert_both_paths_agree(step, PAYMENTS[:50])
