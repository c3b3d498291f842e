"""Parity: the rows that prove a model, and the comparison that decides.

Beside rows of the sample there are edge rows: each field missing, infinite, or a text that was never seen.
The same numbers must come from the table, from one block of all rows, and from each row alone.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from veredito.errors import ArtifactError, InputError, OutputError, Problem
from veredito.learn.arrays import array
from veredito.learn.block import Block
from veredito.learn.step import Step
from veredito.model.rowplan import RowPlan
from veredito.schema import Field, Schema

PARITY = "parity.arrow"
SAMPLE_ROWS = 64  # enough to reach most leaves of a small model and every branch of the steps
_EDGES_MAX = 256  # loading runs every row alone: a few milliseconds
_UNSEEN = "\N{SNOWMAN} never seen"
_EXPECTED = "expected."
_AGAIN = "save the model again"


def parity_table(step: Step, sample: pl.DataFrame, inputs: Schema, outputs: Schema) -> pl.DataFrame:
    """Rows of the sample and edge rows, with what the table form answers, as ``expected.<output>``.

    Args:
        step: the fitted steps.
        sample: rows as the model will meet them.
        inputs: the schema of rows.
        outputs: the schema of answers.

    Raises:
        ArtifactError: the steps cannot answer the sample's own rows.
    """
    every = max(1, math.ceil(sample.height / SAMPLE_ROWS))
    kept = sample.select(_typed(inputs)).gather_every(every)
    try:
        rows = [kept, *(edge for edge in _edges(kept, inputs) if _answers(step, edge))]
        table = pl.concat(rows)
        answers = step(table).select(outputs.names)
    except Exception as error:  # a user's step or a library may raise anything here
        raise ArtifactError(Problem("sample", f"the model cannot answer it ({error})")) from error
    expected = [answers[name].alias(_EXPECTED + name) for name in outputs.names]
    return table.with_columns(expected)


def compare(plan: RowPlan, table: pl.DataFrame, tolerance: float) -> list[Problem]:
    """Where the row plan and the expected answers differ: in one block, and row by row.

    Args:
        plan: the bound model.
        table: from `parity_table`, as it was saved.
        tolerance: the greatest relative difference; 0 compares bit for bit.
    """
    rows = table.select(plan.inputs.names).to_dicts()
    try:
        together = [_scored(plan, rows)]
        alone = [_scored(plan, [row]) for row in _structs(plan, rows)]
    except (OutputError, InputError) as error:
        cause = f" ({type(error.__cause__).__name__}: {error.__cause__})" if error.__cause__ else ""
        return [Problem("parity", f"a row cannot be answered: {error}{cause}")]
    problems = []
    for name in plan.outputs_schema.names:
        expected = table[_EXPECTED + name]
        for how, blocks in (("in one block", together), ("alone", alone)):
            row = _first_difference(expected, _column(plan, blocks, name), tolerance)
            if row is not None:
                what = f"row {row} {how} is not what the table form gave when the model was saved"
                hint = "use the library versions it was saved with, or save it again"
                problems.append(Problem(f"parity: output '{name}'", what, hint=hint))
    return problems


def parity_bytes(table: pl.DataFrame) -> bytes:
    """A parity table as an Arrow file."""
    sink = io.BytesIO()
    table.write_ipc(sink, compression="uncompressed")
    return sink.getvalue()


def read_parity(data: bytes, plan: RowPlan) -> pl.DataFrame:
    """The parity table of a model, from an Arrow file.

    Raises:
        ArtifactError: it cannot be read, has no rows, or lacks a column of the model's schemas.
    """
    try:
        table = pl.read_ipc(io.BytesIO(data))
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise ArtifactError(Problem(PARITY, f"cannot be read ({error})", hint=_AGAIN)) from error
    wanted = [*plan.inputs.names, *(_EXPECTED + name for name in plan.outputs_schema.names)]
    absent = [name for name in wanted if name not in table.columns]
    problems = [Problem(PARITY, f"lacks the column '{name}'", hint=_AGAIN) for name in absent]
    if table.is_empty():
        problems.append(Problem(PARITY, "has no rows, and proves nothing", hint=_AGAIN))
    if problems:
        raise ArtifactError(problems)
    return table


def warm_up(plan: RowPlan, table: pl.DataFrame) -> int:
    """Answer the first rows whole, structs and all; how many of them the out-schema allows."""
    answered = 0
    for row in table.select(plan.inputs.names).head(SAMPLE_ROWS).to_dicts():
        try:
            answered += len(plan([row]))
        except OutputError:
            continue  # an edge row may well have no answer that the schema allows; being warm is what counts
    return answered


def _scored(plan: RowPlan, rows: Sequence[object]) -> Block:
    block = plan.fill(rows)
    plan.score(block)
    return block


def _structs(plan: RowPlan, rows: Iterable[dict[str, object]]) -> Iterable[object]:
    # Made, not converted: an edge row holds what no request may bring, and the model must stand it.
    return (plan.inputs.struct(**row) for row in rows)


def _column(plan: RowPlan, blocks: Sequence[Block], name: str) -> Sequence[object]:
    if plan.layout.names[name] == "text":
        slot = plan.layout.text_at(name)
        return [text for block in blocks for text in block.texts[slot]]
    slot = plan.layout.number_at(name)
    return np.concatenate([block.numbers[:, slot] for block in blocks])  # type: ignore[return-value]


def _first_difference(expected: pl.Series, found: Sequence[object], tolerance: float) -> int | None:
    if isinstance(found, list):
        differs = [one != other for one, other in zip(expected.cast(pl.String).to_list(), found, strict=True)]
    else:
        differs = (difference(array(expected), np.asarray(found)) > tolerance).tolist()
    return differs.index(True) if True in differs else None


def difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How far numbers are apart, relative to the greater one or to 1; missing and missing are the same.

    Example:
        >>> difference(np.array([1.0, np.nan, 200.0]), np.array([1.0, np.nan, 202.0])).round(4)
        array([0.    , 0.    , 0.0099])
    """
    with np.errstate(invalid="ignore"):
        apart = np.abs(one - other) / np.maximum(1.0, np.maximum(np.abs(one), np.abs(other)))
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    return np.where(same, 0.0, np.where(np.isnan(apart), np.inf, apart))


def _typed(inputs: Schema) -> list[pl.Expr]:
    return [pl.col(name).cast(dtype) for name, dtype in inputs.polars().items()]


def _edges(kept: pl.DataFrame, inputs: Schema) -> list[pl.DataFrame]:
    """Rows like the first, each with one field as unusual as its kind allows; and one with all missing."""
    base = kept.head(1)
    edges: list[pl.DataFrame] = []
    for field in inputs:
        column = kept.schema[field.name]
        edges += [base.with_columns(pl.lit(v, dtype=column).alias(field.name)) for v in _unusual(field)]
    nullable = [field.name for field in inputs if field.nullable]
    if nullable:
        nothing = [pl.lit(None, dtype=kept.schema[name]).alias(name) for name in nullable]
        edges.insert(0, base.with_columns(nothing))
    return edges[:_EDGES_MAX]


def _unusual(field: Field) -> list[object]:
    values: list[object] = [None] if field.nullable else []
    match field.kind:
        case "float":
            values += [math.inf, -math.inf]
        case "text":
            values += [_UNSEEN, ""]
    return values


def _answers(step: Step, edge: pl.DataFrame) -> bool:
    """Whether the table form stands a row: a library that takes no infinity refuses it in either form."""
    try:
        step(edge)
    except Exception:  # noqa: BLE001 - any library may raise anything here, and the row is then no promise
        return False
    return True
