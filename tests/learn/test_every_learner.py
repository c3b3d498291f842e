"""What every shipped learner must do, whatever it learns."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.learn.cases import CASES, PARAMETERS, payments, strange
from tests.learn.paths import assert_both_paths_agree, assert_same, restored

from veredito import learn

PAYMENTS = payments()


@pytest.fixture(scope="module")
def fitted():
    made = {}

    def fit(case):
        if case not in made:
            made[case] = CASES[case](PAYMENTS)
        return made[case]

    return fit


def test_every_shipped_learner_has_a_case():
    """A learner that is exported is in the cases, itself or within another."""
    shipped = {
        name
        for name in learn.__all__
        if isinstance(getattr(learn, name), type) and issubclass(getattr(learn, name), learn.Learner)
    } - {"Learner", "ModelLearner", "from_fklearn", "from_pickle"}  # the last two are no data
    used = " ".join(map(repr, CASES.values()))

    assert {name for name in shipped if f"{name}(" not in used} == set()


@pytest.mark.parametrize("case", PARAMETERS)
class TestEveryLearner:
    def test_table_and_rows_agree_on_training_data(self, case, fitted):
        """The two executions give the same numbers, for many rows and for one."""
        assert_both_paths_agree(fitted(case).step, PAYMENTS[:60])

    def test_table_and_rows_agree_on_strange_data(self, case, fitted):
        """Missing, unseen and infinite values neither crash nor differ."""
        assert_both_paths_agree(fitted(case).step, strange(PAYMENTS[:60]))

    def test_the_callers_table_is_untouched(self, case):
        """Fitting and applying change nothing of what came in."""
        table, before = PAYMENTS.clone(), PAYMENTS.clone()

        CASES[case](table).step(table)

        assert_frame_equal(before, table)

    def test_rows_and_their_order_stay(self, case, fitted):
        """As many rows out as in, and columns that are not written are the same."""
        step = fitted(case).step
        out = step(PAYMENTS)

        kept = [name for name in PAYMENTS.columns if name not in (*step.writes, *step.drops)]
        assert out.height == PAYMENTS.height
        assert_frame_equal(PAYMENTS.select(kept), out.select(kept))

    def test_columns_may_come_in_any_order(self, case, fitted):
        """Columns are found by name."""
        step = fitted(case).step
        turned = PAYMENTS.select(reversed(PAYMENTS.columns))

        for name in step.writes:
            if name not in step.drops:
                assert_same(step(PAYMENTS)[name], step(turned)[name], name)

    def test_it_survives_a_restore(self, case, fitted):
        """A step made of another's params and state is equal, and gives the same bits."""
        step = fitted(case).step
        again = restored(step)

        assert step == again
        assert hash(step) == hash(again)
        assert_frame_equal(step(PAYMENTS), again(PAYMENTS))

    def test_training_columns_are_those_of_any_table(self, case, fitted):
        """The training table has the same columns, of the same types, as the step gives."""
        step, table, _ = fitted(case)

        assert step(PAYMENTS).schema == table.schema

    def test_it_says_what_it_writes(self, case, fitted):
        """New and changed columns are all declared."""
        step, table, _ = fitted(case)
        new = [name for name in table.columns if name not in PAYMENTS.columns]

        assert set(new) <= set(step.writes)
        assert set(PAYMENTS.columns) - set(table.columns) == set(step.drops) & set(PAYMENTS.columns)

    def test_it_needs_no_more_than_it_says(self, case, fitted):
        """The columns read are enough."""
        step = fitted(case).step

        out = step(PAYMENTS.select(step.reads)) if step.reads else step(PAYMENTS)

        for name in step.writes:
            assert_same(step(PAYMENTS)[name], out[name], name)

    def test_an_empty_table_scores_to_an_empty_one(self, case, fitted):
        """No rows in, no rows out."""
        step, table, _ = fitted(case)

        assert step(PAYMENTS[:0]).schema == table.schema

    def test_it_can_be_printed_compared_and_logged(self, case, fitted):
        """A learner has a readable form, equals itself, and its log is JSON with everything fitted."""
        import json

        log = fitted(case).log

        assert CASES[case].kind in repr(CASES[case])
        assert repr(fitted(case).step)
        assert json.loads(json.dumps(log))["rows"] > 0
        assert set(log) >= {"learner", "params", "rows", "reads", "writes", "seconds", "fitted", "libraries"}

    def test_a_table_of_many_chunks_gives_the_same(self, case, fitted):
        """How the table lies in memory does not matter."""
        step = fitted(case).step
        chunked = pl.concat([PAYMENTS[:100], PAYMENTS[100:250], PAYMENTS[250:]], rechunk=False)

        assert_frame_equal(step(PAYMENTS), step(chunked))
