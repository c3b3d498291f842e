"""Records as Arrow tables and Parquet files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from veredito.record.layout import Column, ColumnKind
from veredito.record.record import DecisionRecord, encode_any

WHOLE = "record"  # the column that holds the record's own JSON: what no typed column has is never lost

TYPES: dict[ColumnKind, pa.DataType] = {
    "bool": pa.bool_(),
    "int": pa.int64(),
    "float": pa.float64(),
    "text": pa.string(),
    "timestamp": pa.timestamp("us", "UTC"),
    "texts": pa.list_(pa.string()),
    "json": pa.string(),
}


class DifferentTypesError(ValueError):
    """Files whose columns have the same names and other types cannot become one."""


def table_of(rows: Sequence[tuple[DecisionRecord, bytes]], columns: Sequence[Column]) -> pa.Table:
    """One row a record, one column each, and the whole record's JSON.

    Args:
        rows: records, each with the JSON it was read from.
        columns: what to read off a record.
    """
    arrays = {column.name: _array(column, [column.read(record) for record, _ in rows]) for column in columns}
    arrays[WHOLE] = pa.array([str(payload, "utf-8") for _, payload in rows], pa.string())
    return pa.table(arrays)


def _array(column: Column, values: list[Any]) -> pa.Array:
    kind = column.kind
    if kind == "json":
        return pa.array([str(encode_any(value), "utf-8") for value in values], pa.string())
    try:
        if kind == "timestamp" and any(isinstance(value, str) for value in values):
            values = [_timestamp(value) for value in values]
        return pa.array(values, TYPES[kind])
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return pa.array([_fitting(kind, value) for value in values], TYPES[kind])


def _fitting(kind: ColumnKind, value: Any) -> Any:
    """The value if the column can hold it, else null: the whole record's column still has it."""
    try:
        return _CONVERT[kind](value) if value is not None else None
    except (msgspec.ValidationError, ValueError, OverflowError):
        return None


def _timestamp(value: Any) -> dt.datetime | None:
    return None if value is None else msgspec.convert(value, dt.datetime, strict=False)


def _int64(value: Any) -> int:
    number = msgspec.convert(value, int)
    if not -(2**63) <= number < 2**63:
        raise ValueError
    return number


_CONVERT: dict[ColumnKind, Callable[[Any], Any]] = {
    "bool": lambda value: msgspec.convert(value, bool),
    "int": _int64,
    "float": lambda value: msgspec.convert(value, float),
    "text": lambda value: msgspec.convert(value, str),
    "timestamp": _timestamp,
    "texts": lambda value: msgspec.convert(value, list[str]),
}


def write(table: pa.Table, path: Path) -> None:
    """Write a Parquet file that DuckDB, Polars and Spark read as it is."""
    encoded = [name for name in table.column_names if name != WHOLE]
    pq.write_table(table, path, compression="zstd", compression_level=1, use_dictionary=encoded)


def rows_of(path: Path) -> int:
    """How many rows a Parquet file has."""
    return int(pq.read_metadata(path).num_rows)


def merged(paths: Sequence[Path]) -> pa.Table:
    """The rows of several files, each id once, its first row.

    Raises:
        DifferentTypesError: their columns do not fit.
    """
    parts = [pq.ParquetFile(path).read() for path in paths]
    try:
        table = pa.concat_tables(parts, promote_options="default")
    except pa.ArrowException as error:
        raise DifferentTypesError(str(error)) from error
    positions = pa.array(range(len(table)), pa.int64())
    firsts = (
        table.select(["decision_id"])
        .append_column("position", positions)
        .group_by("decision_id", use_threads=False)
        .aggregate([("position", "min")])
    )
    return table.take(pc.sort(firsts["position_min"])) if len(firsts) < len(table) else table


def payloads_of(path: Path) -> Iterator[bytes]:
    """The JSON of the records in a Parquet file, without reading all of it at once."""
    for batch in pq.ParquetFile(path).iter_batches(columns=[WHOLE]):
        yield from (text.as_py().encode() for text in batch[WHOLE])


def ids_of(path: Path) -> list[str]:
    """The decision ids of a Parquet file."""
    ids: list[str] = pq.ParquetFile(path).read(columns=["decision_id"])["decision_id"].to_pylist()
    return ids
