"""Tables from outside: Polars as they are, pandas in and out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from typing import Any

import polars as pl

from veredito.errors import LearnerError, Problem

GiveBack = Callable[[pl.DataFrame, Collection[str]], Any]
"""``(result, names written) -> the result as the kind of table that came in``."""


def adopt(table: Any, place: str) -> tuple[pl.DataFrame, GiveBack]:
    """The table as Polars, and how to give a result back as the caller's kind of table.

    Raises:
        LearnerError: it is neither a Polars nor a pandas `DataFrame`, or a pandas one names a column twice.
    """
    if isinstance(table, pl.DataFrame):
        return table, lambda result, _: result
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(table, pandas.DataFrame):
        return _adopt_pandas(table, place)
    hint = "call .collect() first" if isinstance(table, pl.LazyFrame) else ""
    found = f"{type(table).__module__}.{type(table).__qualname__}"
    what = f"a table is a Polars or a pandas DataFrame, not {found}"
    raise LearnerError(Problem(place, what, hint=hint))


def _adopt_pandas(table: Any, place: str) -> tuple[pl.DataFrame, GiveBack]:
    twice = sorted({str(name) for name in table.columns[table.columns.duplicated()]})
    wrong = [Problem(place, f"column '{name}' is in the table twice", hint="rename one") for name in twice]
    wrong += [
        Problem(place, f"column {name!r} is named by a {type(name).__name__}", hint="name columns by text")
        for name in table.columns
        if not isinstance(name, str)
    ]
    if wrong:
        raise LearnerError(wrong)

    def give_back(result: pl.DataFrame, written: Collection[str]) -> Any:
        new = [name for name in result.columns if name in written or name not in table.columns]
        made = result.select(new).to_pandas().set_axis(table.index, axis=0)
        parts = {name: made[name] if name in made.columns else table[name] for name in result.columns}
        return type(table)(parts, index=table.index)

    return pl.from_pandas(table, include_index=False), give_back
