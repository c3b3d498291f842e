"""Rows of a table through the row form: to fill a block, to run a step on it, and to read it back.

The service fills its blocks from requests. This does the same from a table, for checks and for parity rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from veredito.errors import LearnerError

from .arrays import Want, array, column, want_of
from .block import Block, Layout
from .step import Step, column_problems


def layout_of(table: pl.DataFrame, wants: Mapping[str, Want]) -> Layout:
    """A layout with a place for each of a table's columns that are read."""
    texts = [name for name, want in wants.items() if "text" in (want, want_of(table.schema[name]))]
    return Layout([name for name in wants if name not in texts], texts)


def fill(table: pl.DataFrame, layout: Layout) -> Block:
    """A block with the rows of a table in the columns that both have; all else is missing."""
    numbers = np.full((table.height, layout.width), np.nan)
    texts: list[list[str | None]] = [[None] * table.height for _ in range(layout.texts_width)]
    for name, kind in layout.names.items():
        if name not in table.columns:
            continue
        if kind == "number":
            numbers[:, layout.number_at(name)] = array(table[name])
        else:
            texts[layout.text_at(name)] = table[name].cast(pl.String).to_list()
    return Block(numbers, texts)


def read(block: Block, layout: Layout, names: Sequence[str]) -> pl.DataFrame:
    """Columns of a block as a table: float64 and text, null where missing."""
    kinds = layout.names
    return pl.DataFrame(
        [
            column(name, block.numbers[:, layout.number_at(name)])
            if kinds[name] == "number"
            else pl.Series(name, block.texts[layout.text_at(name)], dtype=pl.String)
            for name in names
        ]
    )


def through_rows(step: Step, table: pl.DataFrame, *, at_once: int | None = None) -> pl.DataFrame:
    """What a step's row form writes for a table, `at_once` rows a block (all in one if not given).

    Raises:
        LearnerError: a column that the step reads is missing or has the wrong type.
    """
    if problems := column_problems(f"step '{step.kind}'", table.schema, step.needs):
        raise LearnerError(problems)
    layout = layout_of(table, step.needs)
    begin = layout_of(table, step.needs)
    kernel = step.bind(layout)
    parts = []
    for start in range(0, max(table.height, 1), at_once or max(table.height, 1)):
        block = _widened(fill(table[start : start + (at_once or table.height)], begin), layout)
        kernel(block)
        parts.append(read(block, layout, [name for name in step.writes if name in layout.names]))
    return pl.concat(parts)


def _widened(block: Block, layout: Layout) -> Block:
    more = np.full((block.rows, layout.width - block.numbers.shape[1]), np.nan)
    texts: list[list[str | None]] = [
        [None] * block.rows for _ in range(layout.texts_width - len(block.texts))
    ]
    return Block(np.hstack([block.numbers, more]), [*block.texts, *texts])
