"""The public check of learners: what any learner must do, whatever it learns; ours pass it, so can yours.

::

    @pytest.mark.parametrize("check", list(yield_checks(my_learner, table)), ids=str)
    def test_my_learner(check):
        check()
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

import numpy as np
import polars as pl

from veredito.learn.arrays import array, want_of
from veredito.learn.block import Matrix
from veredito.learn.learner import Fitted, Learner
from veredito.learn.rows import through_rows
from veredito.learn.step import Step, walk
from veredito.model.codec import StateReader, StateWriter

_ROWS_SINGLY_MAX = 40  # one at a time is slow, and a fault that forty rows do not show is rare
_UNSEEN = "a text that no table has held"


class _Subject:
    """A learner and a table, fitted once, when the first check needs it."""

    def __init__(self, learner: Learner, table: pl.DataFrame) -> None:
        self.learner, self.table = learner, table

    @cached_property
    def fitted(self) -> Fitted:
        return self.learner(self.table)

    @property
    def step(self) -> Step:
        return self.fitted.step

    @cached_property
    def sample(self) -> pl.DataFrame:
        return self.table[:_ROWS_SINGLY_MAX]

    @cached_property
    def tolerance(self) -> float:
        """What the loosest model in it allows; 0 is bit for bit."""
        return max(float(getattr(step, "tolerance", 0.0)) for step in walk(self.step))

    @cached_property
    def made(self) -> tuple[str, ...]:
        """The columns that it writes and leaves there."""
        return tuple(name for name in self.step.writes if name in self.fitted.table.columns)


@dataclasses.dataclass(frozen=True)
class Check:
    """One check of one learner; call it to run it. Its text is ``learner:check``, which makes a test id."""

    learner: str
    name: str
    run: Callable[[], None] = dataclasses.field(repr=False, compare=False)

    def __call__(self) -> None:
        """Run it.

        Raises:
            AssertionError: the learner does not do what it must.
        """
        self.run()

    def __str__(self) -> str:
        return f"{self.learner}:{self.name}"


def yield_checks(learner: Learner, table: pl.DataFrame) -> Iterator[Check]:
    """The checks of a learner, one by one. It is fitted when the first of them runs.

    Args:
        learner: any learner.
        table: rows it can be fitted on; a few hundred are plenty.
    """
    subject = _Subject(learner, table)
    for function in _CHECKS:
        yield Check(learner.name or learner.kind, function.__name__, lambda f=function: f(subject))  # type: ignore[misc]


def check_learner(learner: Learner, table: pl.DataFrame) -> None:
    """Run every check of a learner, and say all that failed.

    Args:
        learner: any learner, of ours or your own.
        table: rows it can be fitted on; a few hundred are plenty.

    Raises:
        AssertionError: one check or more failed; every one is named, with what was found.

    Example:
        >>> from veredito import learn
        >>> check_learner(learn.capper(["x"]), pl.DataFrame({"x": [1.0, 5.0, None]}))
    """
    failed = []
    for check in yield_checks(learner, table):
        try:
            check()
        except Exception as error:  # noqa: BLE001 - a crash in user code is a finding like any other
            failed.append(f"{check}: {type(error).__name__}: {error}")
    if failed:
        text = "".join(f"\n  {line}" for line in failed)
        raise AssertionError(f"{learner!r} fails {len(failed)} of {len(_CHECKS)} checks{text}")


def input_untouched(subject: _Subject) -> None:
    """Fitting and applying leave the caller's table as it was."""
    table = subject.table.clone()  # the learner's own copy, so that a fault here does not fail all checks
    before = subject.table
    subject.learner(table).step(table)
    _assert(table.columns == before.columns, "the caller's table has other columns than before")
    _assert_equal(before, table, before.columns, 0.0, "the caller's table has changed")


def columns_as_declared(subject: _Subject) -> None:
    """What is new was in `writes`, what is gone in `drops`, and the training table has the same columns."""
    before, after = set(subject.table.columns), subject.step(subject.table)
    _assert(set(after.columns) - before <= set(subject.step.writes), "adds a column that is not in `writes`")
    gone = before - set(after.columns)  # `drops` may also name what is made inside, and gone at the end
    _assert(gone == before & set(subject.step.drops), "drops other columns than `drops` says")
    same = after.schema == subject.fitted.table.schema
    _assert(same, "the training table has other columns or types than any other table gets")


def column_order_free(subject: _Subject) -> None:
    """Columns are found by name, in training and after."""
    turned = subject.table.select(reversed(subject.table.columns))
    expected = subject.step(subject.table)
    _assert_equal(expected, subject.step(turned), subject.made, 0.0, "applying minds the order of columns")
    again = subject.learner(turned).step(subject.table)
    _assert_equal(expected, again, subject.made, 0.0, "fitting minds the order of columns")


def rows_and_order_kept(subject: _Subject) -> None:
    """As many rows out as in, in their order; what is not written stays; so does an empty table."""
    table, step = subject.table, subject.step
    kept = [name for name in table.columns if name not in (*step.writes, *step.drops)]
    after = step(table)
    _assert(after.height == table.height, f"{table.height} rows in, {after.height} out")
    _assert_equal(table, after, kept, 0.0, "a column that is not in `writes` has changed")
    backwards = step(table.reverse()).reverse()
    _assert_equal(after, backwards, subject.made, subject.tolerance, "a row depends on where it stands")
    _assert(step(table[:0]).height == 0, "an empty table does not stay empty")


def missing_handled(subject: _Subject) -> None:
    """Missing values in any column it reads are borne, and null and NaN are the same."""
    for name in subject.step.reads:
        column = subject.table[name]
        with_null = subject.table.with_columns(_every_third(column, None))
        after = subject.step(with_null)
        _assert(after.height == subject.table.height, f"missing values of '{name}' change the number of rows")
        subject.step(subject.table.with_columns(pl.lit(None, dtype=column.dtype).alias(name)))
        if column.dtype.is_float():
            with_nan = subject.table.with_columns(_every_third(column, float("nan")))
            what = f"NaN in '{name}' is not null"
            _assert_equal(after, subject.step(with_nan), subject.made, 0.0, what)
        _assert_rows_agree(subject, with_null[: subject.sample.height], f"with '{name}' missing")


def strange_values_handled(subject: _Subject) -> None:
    """Unseen texts and infinities in any column it reads are ordinary values."""
    for name in subject.step.reads:
        column = subject.table[name]
        if column.dtype != pl.String and not column.dtype.is_float():
            continue
        for value in [_UNSEEN] if column.dtype == pl.String else [float("inf"), float("-inf")]:
            strange = subject.sample.with_columns(_every_third(subject.sample[name], value))
            _assert(subject.step(strange).height == strange.height, f"{value!r} in '{name}' changes the rows")
            _assert_rows_agree(subject, strange, f"with {value!r} in '{name}'")


def one_row_equals_the_batch(subject: _Subject) -> None:
    """A row alone, as a table and as a row of a block, gives what it gives among others."""
    together = subject.step(subject.sample)
    alone = pl.concat([subject.step(subject.sample[i]) for i in range(subject.sample.height)])
    what = "a row alone is not the same row in the batch"
    _assert_equal(together, alone, subject.made, subject.tolerance, what)
    _assert_rows_agree(subject, subject.sample, "on the training table")


def survives_save_and_load(subject: _Subject) -> None:
    """What is written and read back is an equal step, and gives the same bits, as a table and in rows."""
    writer = StateWriter()
    again = StateReader(writer.files(writer.step(subject.step))).read()
    _assert(again == subject.step, "the step that was read back is not equal")
    _assert(hash(again) == hash(subject.step), "the step that was read back has another hash")
    expected = subject.step(subject.table)
    _assert_equal(expected, again(subject.table), subject.made, 0.0, "other numbers after save and load")
    rows, rows_again = through_rows(subject.step, subject.sample), through_rows(again, subject.sample)
    _assert_equal(rows, rows_again, rows.columns, 0.0, "other numbers in rows after save and load")


def can_be_printed_and_compared(subject: _Subject) -> None:
    """A learner says its kind, equals a copy of itself, and so does its step."""
    _assert(subject.learner.kind in repr(subject.learner), "its text does not say what it is")
    _assert(subject.learner == copy.copy(subject.learner), "it does not equal its own copy")
    _assert(bool(repr(subject.step)), "its step has no text")


_CHECKS: tuple[Callable[[_Subject], None], ...] = (
    input_untouched,
    columns_as_declared,
    column_order_free,
    rows_and_order_kept,
    missing_handled,
    strange_values_handled,
    one_row_equals_the_batch,
    survives_save_and_load,
    can_be_printed_and_compared,
)


def _every_third(column: pl.Series, value: float | str | None) -> pl.Series:
    third = pl.Series(np.arange(column.len()) % 3 == 0)
    other = pl.lit(value, dtype=column.dtype)
    return pl.select(pl.when(third).then(other).otherwise(column).alias(column.name)).to_series()


def _assert_rows_agree(subject: _Subject, table: pl.DataFrame, when: str) -> None:
    expected = subject.step(table)
    for at_once in (None, 1):
        found = through_rows(subject.step, table, at_once=at_once)
        what = f"the row form is not the table form {when}, " + (
            "one row at a time" if at_once else "all rows"
        )
        _assert_equal(expected, found, found.columns, subject.tolerance, what)


def _assert_equal(
    expected: pl.DataFrame, found: pl.DataFrame, names: Iterable[str], tolerance: float, what: str
) -> None:
    for name in names:
        one, other = expected[name], found[name]
        if {want_of(one.dtype), want_of(other.dtype)} <= {"number", "timestamp"}:
            equal = _equal_numbers(array(one), array(other), tolerance)
        else:
            equal = one.equals(other.cast(one.dtype))
        _assert(equal, f"{what}: column '{name}'")


def _equal_numbers(one: Matrix, other: Matrix, tolerance: float) -> bool:
    if tolerance:
        return one.shape == other.shape and np.allclose(one, other, rtol=tolerance, atol=0.0, equal_nan=True)
    return np.array_equal(one, other, equal_nan=True)


def _assert(truth: bool, what: str) -> None:  # noqa: FBT001 - reads as the statement it replaces
    if not truth:
        raise AssertionError(what)
