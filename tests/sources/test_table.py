"""The table source: rows of a file by key, and every way in which a file can be wrong."""

import asyncio

import polars as pl
import pytest

from veredito import sources
from veredito.errors import ConfigError, SourceError

ROWS = pl.DataFrame({"id": [1, 2], "name": ["Ana", "Rui"], "age": [41, None]})


def opened(folder, **more):
    source = sources.open(
        "people", {"kind": "table", "path": "people.parquet", "key": "id"} | more, folder=folder
    )
    asyncio.run(source.start())
    return source


def get(source, key):
    return asyncio.run(source.get(key))


@pytest.mark.parametrize(
    ("path", "write"), [("people.parquet", "write_parquet"), ("people.csv", "write_csv")]
)
def test_a_row_is_found_by_its_key(tmp_path, path, write):
    """Parquet and CSV alike; a key that is not there is `None`."""
    getattr(ROWS, write)(tmp_path / path)
    people = opened(tmp_path, path=path)

    assert [get(people, key) for key in (1, 2, 3)] == [
        {"name": "Ana", "age": 41}, {"name": "Rui", "age": None}, None
    ]  # fmt: skip


def test_only_the_columns_asked_for_are_kept(tmp_path):
    """Memory goes to what is used."""
    ROWS.write_parquet(tmp_path / "people.parquet")

    assert get(opened(tmp_path, columns=["age"]), 1) == {"age": 41}


def test_what_a_caller_does_to_a_row_stays_with_the_caller(tmp_path):
    """Each caller gets a row of its own."""
    ROWS.write_parquet(tmp_path / "people.parquet")
    people = opened(tmp_path)
    get(people, 1)["age"] = 0

    assert get(people, 1)["age"] == 41


@pytest.mark.parametrize(
    ("table", "more", "message"),
    [
        (ROWS, {"key": "ids"}, r"(?s)has no column 'ids'; available: id, name, age. Hint: did you mean 'id'"),
        (ROWS, {"columns": ["nam", "ages"]}, r"(?s)no column 'nam'.*no column 'ages'"),
        (ROWS, {"rows_max": 1}, "rows_max: the file has more than 1 rows"),
        (ROWS, {"path": "nobody.parquet"}, "path: cannot be read"),
        (pl.concat([ROWS, ROWS]), {}, "column 'id' has missing or repeated values"),
        (ROWS.with_columns(id=pl.Series([1, None])), {}, "column 'id' has missing or repeated values"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_at_the_start(tmp_path, table, more, message):
    """Every mistake is named with its place in the config."""
    table.write_parquet(tmp_path / "people.parquet")

    with pytest.raises(ConfigError, match=message):
        opened(tmp_path, **more)


def test_another_kind_of_file_is_refused_in_the_config():
    """Found before anything is read."""
    problems = sources.check("people", {"kind": "table", "path": "people.xlsx", "key": "id"})

    assert [problem.what for problem in problems] == ["path must end in one of .parquet, .csv"]


def test_a_closed_table_says_so(tmp_path):
    """Asking after the end is a failure of the source, not an empty answer."""
    ROWS.write_parquet(tmp_path / "people.parquet")
    people = opened(tmp_path)
    asyncio.run(people.aclose())

    with pytest.raises(SourceError, match="'people' is not started"):
        get(people, 1)
