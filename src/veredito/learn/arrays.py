"""Between Polars columns and the float64 arrays that steps compute with.

Both forms of a step must give the same numbers to the last bit, so both read a column through here:
missing is NaN, booleans are 0 and 1, timestamps are seconds since the epoch, UTC, with their microseconds
as the fraction (``microseconds / 1e6``, which is what `datetime.timestamp` gives too).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

import numpy as np
import polars as pl

from .block import Matrix

Want: TypeAlias = Literal["number", "text", "timestamp", "any"]
"""What a step needs a column to be. A boolean is a number; a timestamp may stand for a number."""

ROWS_AT_ONCE = 65_536  # 50 float columns of this many rows stay near the cache: half the time, little memory
_ROWS_A_TILE = 4_096  # rows turned from columns into a row-major matrix at a time


def want_of(dtype: pl.DataType) -> Want:
    """What a column of this type is to a step: ``number``, ``text``, ``timestamp``, or ``any`` for the rest."""
    if dtype.is_numeric() or dtype == pl.Boolean:
        return "number"
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return "text"
    return "timestamp" if isinstance(dtype, pl.Datetime | pl.Date) else "any"


def is_whole(dtype: pl.DataType) -> bool:
    """Whether a column of this type holds whole numbers that all are int64 too."""
    return dtype.is_integer() and dtype not in {pl.UInt64, pl.Int128, pl.UInt128}


def fits(dtype: pl.DataType, want: Want) -> bool:
    """Whether a column of this type can be read as `want`. A column of nulls alone fits anything."""
    found = want_of(dtype)
    return want == "any" or dtype == pl.Null or found == want or (want, found) == ("number", "timestamp")


def array(column: pl.Series) -> Matrix:
    """A column as float64, shape (rows,), missing as NaN.

    Example:
        >>> array(pl.Series([1, None]))
        array([ 1., nan])
    """
    if isinstance(column.dtype, pl.Datetime | pl.Date):
        return array(column.dt.epoch("us")) / 1e6
    floats = column.cast(pl.Float64)
    return (floats.fill_null(float("nan")) if floats.null_count() else floats).to_numpy()


def matrix(table: pl.DataFrame, names: Sequence[str]) -> Matrix:
    """Columns side by side as float64, shape (rows, names), C order, missing as NaN."""
    out = np.empty((table.height, len(names)))
    read = [array(table[name]) for name in names]
    for start in range(0, table.height, _ROWS_A_TILE):
        for j, column in enumerate(read):
            out[start : start + _ROWS_A_TILE, j] = column[start : start + _ROWS_A_TILE]
    return out


def column(name: str, values: Matrix) -> pl.Series:
    """An array as a float column, NaN as missing.

    Example:
        >>> column("x", np.array([1.0, np.nan])).to_list()
        [1.0, None]
    """
    out = pl.Series(name, np.ascontiguousarray(values, dtype=np.float64))
    return out.fill_nan(None) if np.isnan(values).any() else out


def canonical(table: pl.DataFrame, wants: dict[str, Want]) -> pl.DataFrame:
    """The same table with one meaning a value in the named columns.

    NaN becomes null, decimals and short floats become float64, categoricals become text, and a column of
    nulls alone takes the type it is wanted as. Columns that are so already are shared, not copied.
    """
    schema = table.schema
    floats = [name for name in wants if schema[name].is_float()]
    with_nan = table.select(pl.col(floats).is_nan().any()).row(0) if floats and table.height else ()
    changed = [pl.col(name).fill_nan(None) for name, found in zip(floats, with_nan, strict=False) if found]
    done = {expression.meta.output_name(): expression for expression in changed}
    for name, want in wants.items():
        target = _target(schema[name], want)
        if target is not None:
            done[name] = done.get(name, pl.col(name)).cast(target)
    return table.with_columns(**done) if done else table


def _target(dtype: pl.DataType, want: Want) -> type[pl.DataType] | None:
    if dtype == pl.Null:
        return pl.String if want == "text" else pl.Float64
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return pl.String
    return pl.Float64 if dtype == pl.Float32 or dtype.is_decimal() else None


def slices(rows: int, at_once: int = ROWS_AT_ONCE) -> Iterator[slice]:
    """Consecutive slices of at most `at_once` rows."""
    for start in range(0, rows, at_once):
        yield slice(start, min(start + at_once, rows))
