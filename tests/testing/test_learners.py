"""The public check of learners: what ours pass, and what it finds in those that break a rule."""

import dataclasses

import polars as pl
import pytest
from tests.learn.cases import CASES, payments
from tests.learn.model_cases import marks

from veredito import learn
from veredito.learn import Fit, Learner, Step, fitted
from veredito.testing import check_learner, yield_checks

PAYMENTS = payments(150)


def checks():
    for case, learner in CASES.items():
        for check in yield_checks(learner, PAYMENTS):
            yield pytest.param(check, id=f"{case}:{check.name}", marks=marks(case))


@pytest.mark.parametrize("check", list(checks()))
def test_shipped_learners(check):
    """Every learner that is shipped passes every check."""
    check()


class Doubled(Step, kind="test_doubled"):
    """A step that is right; those below each break one rule."""

    column: str
    factor: float = fitted()

    @property
    def needs(self):
        return {self.column: "number"}

    @property
    def writes(self):
        return ("doubled",)

    def apply(self, table):
        return table.with_columns((pl.col(self.column).cast(float) * self.factor).alias("doubled"))

    def bind(self, layout):
        source, target, factor = layout.number_at(self.column), layout.number("doubled"), self.factor

        def kernel(block):
            block.numbers[:, target] = block.numbers[:, source] * factor

        return kernel


class MindsItsNeighbours(Doubled, kind="test_neighbours"):
    def apply(self, table):
        return table.with_columns(pl.col(self.column).cum_sum().alias("doubled"))


class DropsRows(Doubled, kind="test_drops_rows"):
    def apply(self, table):
        return super().apply(table).drop_nulls(self.column)


class Forgets(Doubled, kind="test_forgets"):
    @classmethod
    def restore(cls, params, state):
        return cls(params["column"], state["factor"] + 1)


class OtherRows(Doubled, kind="test_other_rows"):
    def bind(self, layout):
        kernel = super().bind(layout)
        target = layout.number_at("doubled")

        def other(block):
            kernel(block)
            block.numbers[:, target] += 1e-9

        return other


class Undeclared(Doubled, kind="test_undeclared"):
    def apply(self, table):
        return super().apply(table).with_columns(extra=1)


class NeedsValues(Doubled, kind="test_needs_values"):
    def apply(self, table):
        if table[self.column].null_count():
            raise ValueError("no nulls please")
        return super().apply(table)


class NeedsFinite(Doubled, kind="test_needs_finite"):
    def apply(self, table):
        if table[self.column].is_infinite().any():
            raise OverflowError("too much")
        return super().apply(table)


class doubler(Learner):  # noqa: N801 - learners are called like functions
    step: type[Step] = Doubled

    def check(self, preview):
        preview.need(["amount"], "number")
        preview.make(["doubled"])

    def fit(self, table):
        return Fit(self.step("amount", 2.0))


class TestALearnerOfYourOwn:
    def test_one_that_keeps_the_rules_passes(self):
        check_learner(doubler(), PAYMENTS)

    @pytest.mark.parametrize(
        ("step", "found"),
        [
            (MindsItsNeighbours, "rows_and_order_kept: AssertionError: a row depends on where it stands"),
            (MindsItsNeighbours, "one_row_equals_the_batch: AssertionError: a row alone is not the same row"),
            (
                DropsRows,
                "missing_handled: ShapeError",
            ),
            (Forgets, "survives_save_and_load: AssertionError: the step that was read back is not equal"),
            (
                OtherRows,
                "the row form is not the table form on the training table, all rows: column 'doubled'",
            ),
            (Undeclared, "columns_as_declared: AssertionError: adds a column that is not in `writes`"),
            (NeedsValues, "missing_handled: ValueError: no nulls please"),
            (NeedsFinite, "strange_values_handled: OverflowError: too much"),
        ],
        ids=lambda value: getattr(value, "__name__", ""),
    )
    def test_one_that_breaks_a_rule_is_told_which(self, step, found):
        """The message names the check, and what was found."""
        with pytest.raises(AssertionError) as caught:
            check_learner(doubler(step=step), PAYMENTS)

        assert found in str(caught.value)

    def test_one_that_minds_column_order_is_found(self):
        """Fitting by position shows when the columns are turned."""

        class first_column(doubler):  # noqa: N801 - learners are called like functions
            def fit(self, table):
                return Fit(Doubled("amount", float(table.columns[0] == "amount")))

        with pytest.raises(AssertionError, match=r"column_order_free.*fitting minds the order of columns"):
            check_learner(first_column(), PAYMENTS)

    def test_one_that_changes_its_input_is_found(self):
        """A table that is changed in place is noticed."""

        class inplace(doubler):  # noqa: N801 - learners are called like functions
            def __call__(self, table):
                table.insert_column(0, pl.Series("new", range(table.height)))
                return super().__call__(table)

        with pytest.raises(
            AssertionError, match="input_untouched: AssertionError: the caller's table has other columns"
        ):
            check_learner(inplace(), PAYMENTS.clone())

    def test_models_are_held_to_their_own_tolerance(self):
        """A step may declare how far a row may be from the batch, and not more."""

        class Loose(OtherRows, kind="test_loose"):
            tolerance = 1e-6

        check_learner(doubler(step=Loose), PAYMENTS.with_columns(amount=100.0))


def test_a_check_is_named_after_its_learner():
    """So that a test id is learner:check."""
    names = [str(check) for check in yield_checks(learn.capper(["amount"]), PAYMENTS)]

    assert names[0] == "capper:input_untouched"
    assert len(set(names)) == len(names) == 9


def test_checks_do_not_fit_before_they_run():
    """Collecting tests costs nothing, even for a learner that cannot be fitted."""
    checks = list(yield_checks(learn.capper(["nothing"]), PAYMENTS))

    assert dataclasses.is_dataclass(checks[0])
