"""The forms a schema takes elsewhere: JSON Schema, Polars, Arrow, and words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from veredito.errors import Problem, SchemaError
from veredito.schema.field import Field
from veredito.types import Kind

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

_JSON_TYPES = {
    "bool": "boolean",
    "int": "integer",
    "float": "number",
    "text": "string",
    "timestamp": "string",
}


def words(field: Field) -> str:
    """The field's contract in a few words, for printing."""
    text = field.kind + (" or missing" if field.nullable else "")
    if field.minimum is not None or field.maximum is not None:
        low = "" if field.minimum is None else f"{field.minimum} ≤ "
        high = "" if field.maximum is None else f" ≤ {field.maximum}"
        text += f", {low}value{high}"
    if field.categories:
        text += f", one of {', '.join(field.categories)}"
    if field.length_max is not None:
        text += f", at most {field.length_max} characters"
    return text


def json_schema(name: str, fields: Sequence[Field]) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a row."""
    return {
        "title": name,
        "type": "object",
        "properties": {field.name: _property(field) for field in fields},
        "required": [field.name for field in fields if field.required],
        "additionalProperties": False,
    }


def _property(field: Field) -> dict[str, Any]:
    json_type = _JSON_TYPES[field.kind]
    form: dict[str, Any] = {"type": [json_type, "null"] if field.nullable else json_type}
    parts = {
        "format": "date-time" if field.kind == "timestamp" else None,
        "minimum": field.minimum,
        "maximum": field.maximum,
        "maxLength": field.length_max,
        "enum": None
        if field.categories is None
        else [*field.categories, *([None] if field.nullable else [])],
        "description": field.description or None,
        "default": field.to_dict().get("default"),
    }
    return form | {key: value for key, value in parts.items() if value is not None}


def polars(fields: Sequence[Field]) -> dict[str, pl.DataType]:
    """Field name to Polars type."""
    import polars as pl

    types: dict[Kind, pl.DataType] = {
        "bool": pl.Boolean(),
        "int": pl.Int64(),
        "float": pl.Float64(),
        "text": pl.String(),
        "timestamp": pl.Datetime("us", "UTC"),
    }
    return {field.name: types[field.kind] for field in fields}


def arrow(fields: Sequence[Field]) -> pa.Schema:
    """The Arrow schema of a table of rows."""
    import pyarrow as pa

    types = {
        "bool": pa.bool_(),
        "int": pa.int64(),
        "float": pa.float64(),
        "text": pa.string(),
        "timestamp": pa.timestamp("us", "UTC"),
    }
    return pa.schema([pa.field(field.name, types[field.kind], nullable=field.nullable) for field in fields])


def fields_of_table(table: pl.DataFrame) -> list[Field]:
    """Nullable fields for a table's columns.

    Raises:
        SchemaError: a column's type is not flat; all are named.
    """
    fields, problems = [], []
    for name, dtype in table.schema.items():
        kind = _kind_of_dtype(dtype)
        if kind is None:
            problems.append(
                Problem(name, f"{dtype} is not a flat kind", hint="cast the column, or leave it out")
            )
        else:
            fields.append(Field(name, kind, nullable=True))
    if problems:
        raise SchemaError(problems)
    return fields


def _kind_of_dtype(dtype: pl.DataType) -> Kind | None:
    import polars as pl

    if dtype == pl.Boolean:
        return "bool"
    if dtype.is_integer():
        return "int"
    if dtype.is_float():
        return "float"
    if dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum):
        return "text"
    return "timestamp" if isinstance(dtype, pl.Datetime) else None
