"""Parquet files: written, merged, and read back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from veredito.record.layout import WHOLE

# Text whose values do not come again: a dictionary of them would cost time and room.
_UNIQUE = frozenset({WHOLE, "decision_id", "request_id", "values", "outcomes", "rules", "stages_us"})
_GROUP_BYTES = 64 * 2**20  # of a merged file's row group: what merging holds in memory


class DifferentTypesError(ValueError):
    """Files whose columns have the same names and other types cannot become one."""


def write(table: pa.Table, path: Path) -> None:
    """Write a Parquet file that DuckDB, Polars and Spark read as it is."""
    with _writer(path, table.schema) as writer:
        writer.write_table(table)


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    texts = [field.name for field in schema if field.type == pa.string() and field.name not in _UNIQUE]
    return pq.ParquetWriter(
        path, schema, compression="zstd", compression_level=1, use_dictionary=texts, write_page_index=True
    )


def rows_and_bytes_of(path: Path) -> tuple[int, int]:
    """How many rows a Parquet file has, and how many bytes they take in memory, about."""
    facts = pq.read_metadata(path)
    return facts.num_rows, sum(facts.row_group(n).total_byte_size for n in range(facts.num_row_groups))


def merge(paths: Sequence[Path], to: Path) -> None:
    """Write the rows of several files as one, each id once, its first row. Holds one file at a time.

    A column that some of the files do not have is null in their rows.

    Raises:
        DifferentTypesError: two files have a column of the same name and different types.
    """
    try:
        schema = pa.unify_schemas([pq.read_schema(path) for path in paths])
    except pa.ArrowException as error:
        raise DifferentTypesError(str(error)) from error
    seen: set[str] = set()
    waiting: list[pa.Table] = []
    with _writer(to, schema) as writer:
        for path in paths:
            waiting.append(_conformed(_unseen(pq.ParquetFile(path).read(), seen), schema))
            if sum(table.nbytes for table in waiting) >= _GROUP_BYTES:
                writer.write_table(pa.concat_tables(waiting))
                waiting = []
        if waiting:
            writer.write_table(pa.concat_tables(waiting))


def _unseen(table: pa.Table, seen: set[str]) -> pa.Table:
    """The rows whose id was not seen; from now on it is."""
    ids: list[str] = table["decision_id"].to_pylist()
    if len(set(ids)) == len(ids) and seen.isdisjoint(ids):
        seen.update(ids)
        return table
    keep = []
    for id_ in ids:
        keep.append(id_ not in seen)
        seen.add(id_)
    return table.filter(pa.array(keep))


def _conformed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    missing = (field for field in schema if field.name not in table.column_names)
    for field in missing:
        table = table.append_column(field, pa.nulls(len(table), field.type))
    return table.select(schema.names)


def payloads_of(path: Path) -> Iterator[bytes]:
    """The JSON of the records in a Parquet file, without reading all of it at once."""
    for batch in pq.ParquetFile(path).iter_batches(columns=[WHOLE]):
        yield from pc.cast(batch[WHOLE], pa.binary()).to_pylist()


def ids_of(path: Path) -> list[str]:
    """The decision ids of a Parquet file."""
    ids: list[str] = pq.ParquetFile(path).read(columns=["decision_id"])["decision_id"].to_pylist()
    return ids
