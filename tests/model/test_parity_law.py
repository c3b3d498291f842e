"""The law that serving rests on: rows in any split into blocks, rows alone, and the table give the same numbers.

It runs over every case of tests/learn/cases.py, so a new learner or library is under it as soon as it has a case.
"""

import datetime as dt
import functools
import itertools
import math

import polars as pl
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from tests.learn.cases import CASES, PARAMETERS, payments

from veredito import learn, model
from veredito.errors import MissingExtraError, VereditoError
from veredito.learn.arrays import array
from veredito.learn.rows import read
from veredito.learn.step import step_kinds, walk
from veredito.model import RowPlan
from veredito.model.engines import tolerance_of
from veredito.model.parity import difference
from veredito.schema import Field, Schema

PAYMENTS = payments()
ROWS_MAX = 9
EXTREMES = (
    math.inf,
    -math.inf,
    math.nan,
    0.0,
    -0.0,
    5e-324,
    -5e-324,
    1e-300,
    1e300,
    -1e300,
    2.0**53,
    20.0,
    60.0,
)
WHOLE = (0, 1, -1, 20, 60, 5411, 5812, 4111, 2**31, -(2**31), 2**53, -(2**53))
TEXTS = (
    "air",
    "bar",
    "cafe",
    "eats",
    "BR",
    "PT",
    "",
    " air",
    "AIR",
    "never seen",
    "é\N{SNOWMAN}",
    "x" * 5_000,
    "nan",
)


@functools.cache
def case_of(name):
    """A fitted case, bound to schemas of what it reads and of what is there after it."""
    step = CASES[name](PAYMENTS).step
    if not _answers(step):  # it only takes columns away, and a model has to answer something
        step = learn.pipeline(CASES[name], learn.missing_flags(["age"]))(PAYMENTS).step
    inputs = Schema.of_table(PAYMENTS.select(step.reads), "In")
    answers = _answers(step)
    outputs = Schema("Out", [Field(name, _kind(column), nullable=True) for name, column in answers.items()])
    return step, RowPlan(step, inputs, outputs, name=name)


def _answers(step):
    """The columns that are there after a step; one such as merchant=air is for models, and no field of an answer."""
    table = step(PAYMENTS.select(step.reads))
    return {column.name: column for column in table if column.name.isidentifier()}


def _kind(column):
    return "text" if column.dtype == pl.String else "float"


def rows_of(schema, finite):
    """Rows of a schema: as in training, missing, unseen and extreme values, all in one."""
    return st.fixed_dictionaries({field.name: values_of(field, finite) for field in schema})


def values_of(field, finite):
    seen = [value for value in PAYMENTS[field.name].unique().to_list() if value is not None][:40]
    match field.kind:
        case "float":
            odd = st.sampled_from([value for value in EXTREMES if math.isfinite(value) or not finite])
            numbers = st.floats(-1e6, 1e6) if finite else st.floats()
            return st.one_of(st.none(), st.sampled_from(seen), odd, numbers)
        case "int":
            return st.one_of(
                st.none(), st.sampled_from(seen), st.sampled_from(WHOLE), st.integers(-100, 10_000)
            )
        case "bool":
            return st.sampled_from([None, False, True])
        case "text":
            return st.one_of(st.none(), st.sampled_from(seen), st.sampled_from(TEXTS), st.text(max_size=5))
    times = st.integers(-2_000_000_000, 4_000_000_000).map(
        lambda seconds: dt.datetime.fromtimestamp(seconds / 7, dt.UTC)
    )
    return st.one_of(st.none(), times)


def through(plan, rows):
    """What the row plan writes for rows in one block."""
    block = plan.fill(rows)
    plan.score(block)
    return read(block, plan.layout, list(plan.layout.names))


def assert_same(expected, found, tolerance, how):
    assert set(found.columns) <= set(expected.columns)
    for name in found.columns:
        one, other = expected[name], found[name]
        if other.dtype == pl.String:
            assert one.cast(pl.String).to_list() == other.to_list(), (name, how)
            continue
        apart = difference(array(one), array(other))
        assert not apart.size or apart.max() <= tolerance, (name, how, array(one), array(other))


def assert_law(step, plan, rows, cuts):
    """Table, one block, the blocks between the cuts, and each row alone."""
    table = pl.DataFrame(rows, schema=plan.inputs.polars())
    try:
        expected = step(table)
    except Exception as error:  # noqa: BLE001 - a library that refuses such values refuses them in any form
        event(f"the library refuses the rows: {type(error).__name__}")
        return
    tolerance = tolerance_of(step)
    ends = sorted({0, len(rows), *(cut for cut in cuts if cut <= len(rows))})
    blocks = [through(plan, rows[a:b]) for a, b in itertools.pairwise(ends)]
    assert_same(expected, through(plan, rows), tolerance, "one block")
    assert_same(expected, pl.concat(blocks), tolerance, f"blocks cut at {ends}")
    assert_same(expected, pl.concat([through(plan, [row]) for row in rows]), tolerance, "rows alone")


def law(step, plan, examples):
    """The law for generated rows and splits; some libraries take no infinity, so half of the rows have none."""

    @settings(max_examples=examples)
    @given(data=st.data())
    def holds(data):
        finite = data.draw(st.booleans(), label="finite")
        rows = data.draw(st.lists(rows_of(plan.inputs, finite), min_size=1, max_size=ROWS_MAX), label="rows")
        cuts = data.draw(st.lists(st.integers(1, ROWS_MAX), max_size=4), label="cuts")
        assert_law(step, plan, rows, cuts)

    return holds


@pytest.mark.parametrize("case", PARAMETERS)
def test_any_split_of_rows_gives_what_the_table_gives(case):
    """Bit for bit, or within what the model's library states."""
    step, plan = case_of(case)

    law(step, plan, examples=12)()


@pytest.mark.parametrize("case", PARAMETERS)
def test_rows_as_in_training_give_what_the_table_gives(case):
    """More rows at once than the fast paths for few are made for."""
    step, plan = case_of(case)

    rows = PAYMENTS.select(pl.col(name).cast(dtype) for name, dtype in plan.inputs.polars().items())[:40]
    assert_law(step, plan, rows.to_dicts(), cuts=[1, 2, 11])


NUMBERS = ("amount", "age", "tenure", "prediction", "other")
CHANGING = (learn.imputer, learn.capper, learn.floorer, learn.standard_scaler, learn.min_max_scaler)


@settings(max_examples=20)
@given(data=st.data())
def test_steps_on_any_columns_in_any_order_are_under_the_law(data):
    """Neighbours on the same columns, side by side, become one kernel; those on others, or apart, do not."""
    columns = st.permutations(NUMBERS).flatmap(lambda names: st.integers(1, 5).map(lambda n: names[:n]))
    drawn = data.draw(st.lists(st.tuples(st.sampled_from(CHANGING), columns), min_size=2, max_size=5))
    same = data.draw(st.booleans(), label="all on the same columns")
    learners = [make(drawn[0][1] if same else names) for make, names in drawn]
    step = learn.pipeline(*learners)(PAYMENTS).step
    plan = RowPlan(step, Schema.of_table(PAYMENTS.select(NUMBERS), "In"), _floats(step.writes))
    rows = data.draw(
        st.lists(rows_of(plan.inputs, finite=False), min_size=1, max_size=ROWS_MAX), label="rows"
    )

    assert_law(step, plan, rows, cuts=[1, 3])


def _floats(names):
    return Schema("Out", [Field(name, "float", nullable=True) for name in names])


@pytest.mark.torture
@pytest.mark.parametrize("case", PARAMETERS)
def test_the_law_holds_for_saved_models_with_the_engines_that_were_chosen(case, tmp_path):
    """Saved, loaded, and with whatever engine was the fastest that passed parity."""
    step, plan = case_of(case)
    try:
        model.save(step, tmp_path / "m", sample=PAYMENTS, outputs=plan.outputs_schema.names)
    except VereditoError as error:
        assert "cannot be saved" in str(error)  # noqa: PT017
        return
    loaded = model.load(tmp_path / "m")

    law(loaded.step, loaded.rows, examples=60)()


def test_every_kind_of_step_is_under_the_law():
    """A kind that no case reaches would go unproven. What wraps another library's own function is never saved."""
    try:
        reached = {part.kind for name in CASES for part in walk(case_of(name)[0])}
    except MissingExtraError as error:
        pytest.skip(f"not all libraries are here: {error}")
    ours = {kind for kind, cls in step_kinds().items() if cls.__module__.startswith("veredito.")}

    assert ours - reached == {"foreign"}
