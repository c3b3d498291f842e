"""Tables: a Parquet or CSV file, kept in memory, looked up by key."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import polars as pl

from veredito.errors import ConfigError, Problem, SourceError, did_you_mean

_READERS = {".parquet": "scan_parquet", ".csv": "scan_csv"}


class TableSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[sources.NAME]`` of kind ``table``.

    Attributes:
        path: a ``.parquet`` or ``.csv`` file.
        key: the column to look up by; its values are unique, and none is missing.
        columns: which columns to keep; all if not given.
        rows_max: most rows; above it the table belongs in a database. A million rows of ten columns are
            about 1 GB in memory.
    """

    kind: Literal["table"] = "table"
    path: str
    key: str
    columns: list[str] | None = None
    rows_max: Annotated[int, msgspec.Meta(ge=1)] = 1_000_000

    def __post_init__(self) -> None:
        if Path(self.path).suffix not in _READERS:
            message = f"path must end in one of {', '.join(_READERS)}"
            raise ValueError(message)


class TableSource:
    """Rows of a file, by key.

    Args:
        name: as in the config.
        settings: the config.
        folder: what a relative `path` is relative to.
    """

    def __init__(self, name: str, settings: TableSettings, folder: Path = Path()) -> None:
        self.name = name
        self.settings = settings
        self._path = folder / settings.path
        self._rows: dict[Any, dict[str, Any]] | None = None

    async def start(self) -> None:
        """Read the file.

        Raises:
            ConfigError: it cannot be read, a column is missing, or keys are missing or repeated.
        """
        self._rows = await asyncio.to_thread(self._read)

    async def aclose(self) -> None:
        """Let the rows go."""
        self._rows = None

    async def get(self, key: object) -> dict[str, Any] | None:
        """The row of a key, without the key; `None` where there is none.

        Raises:
            SourceError: the source is not started.
        """
        if self._rows is None:
            raise SourceError(f"source '{self.name}' is not started")
        row = self._rows.get(key)
        return None if row is None else dict(row)

    def _read(self) -> dict[Any, dict[str, Any]]:
        settings = self.settings
        try:
            lazy: pl.LazyFrame = getattr(pl, _READERS[self._path.suffix])(self._path)
            self._refuse_missing(lazy.collect_schema().names())
            if settings.columns is not None:
                lazy = lazy.select(list(dict.fromkeys([settings.key, *settings.columns])))
            table = lazy.head(settings.rows_max + 1).collect()
        except (OSError, pl.exceptions.PolarsError) as error:
            raise self._problem("path", f"cannot be read: {error}") from error
        return self._by_key(table)

    def _refuse_missing(self, names: list[str]) -> None:
        wanted = dict.fromkeys([self.settings.key, *(self.settings.columns or [])])
        place = f"[sources.{self.name}].path"
        problems = [
            Problem(place, f"has no column '{name}'", tuple(names), did_you_mean(name, names))
            for name in wanted
            if name not in names
        ]
        if problems:
            raise ConfigError(problems)

    def _by_key(self, table: pl.DataFrame) -> dict[Any, dict[str, Any]]:
        key, rows_max = self.settings.key, self.settings.rows_max
        if table.height > rows_max:
            raise self._problem("rows_max", f"the file has more than {rows_max} rows")
        if table[key].null_count() or table[key].n_unique() != table.height:
            raise self._problem("key", f"column '{key}' has missing or repeated values")
        rows = table.drop(key).iter_rows(named=True)
        return dict(zip(table[key].to_list(), rows, strict=True))

    def _problem(self, setting: str, what: str) -> ConfigError:
        return ConfigError(Problem(f"[sources.{self.name}].{setting}", what))
