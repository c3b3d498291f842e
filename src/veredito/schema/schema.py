"""A schema: fields in order, and the rows that fit them.

Decoding has a fast path and a thorough one. msgspec decodes and checks in one pass, and stops at the first
fault; only a body that it refuses is checked again field by field, so that the caller learns every fault at
once and the common case pays nothing for it.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from veredito.errors import InputError, Problem, SchemaError, did_you_mean
from veredito.schema import forms, structs
from veredito.schema.field import Field

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

_UNKNOWN_MAX = (
    20  # unknown fields listed: looking for the nearest name takes time, and a body may have 100,000
)
_NAME_SHOWN_MAX = 64  # characters of an unknown field's name
_PROBLEMS_MAX = 100  # of all rows of a batch, for the same reason
_FAULTY_ROWS_MAX = 20  # rows of a batch whose faults are listed: a caller mends a pattern, not a million rows


_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError)  # msgspec has the latter for text that is no UTF-8


class Schema:
    """The flat contract of a row: an ordered set of fields. Immutable, comparable, printable.

    Args:
        name: what a row is called, such as ``Transaction``.
        fields: in order; names must differ.

    Raises:
        SchemaError: a name is empty or written twice.

    Example:
        >>> payment = Schema("Payment", [Field("amount", "float", minimum=0.0), Field("note", "text", nullable=True)])
        >>> payment.decode(b'{"amount": 12.5}').amount
        12.5
        >>> payment.decode(b'{"amount": -1, "nota": "x"}')
        Traceback (most recent call last):
            ...
        veredito.errors.InputError: invalid input: 2 problems
          1. nota: unknown field; available: amount, note. Hint: did you mean 'note'?
          2. amount: must be at least 0.0
    """

    def __init__(self, name: str, fields: Sequence[Field]) -> None:
        self.name = name
        self.fields = tuple(fields)
        self._by_name = {field.name: field for field in self.fields}
        problems = [
            Problem(f"{name}.{field.name}", "a name written twice" if field.name else "an empty name")
            for i, field in enumerate(self.fields)
            if not field.name or field.name in {other.name for other in self.fields[:i]}
        ]
        if problems:
            raise SchemaError(problems)

    @classmethod
    def of(cls, struct: type[msgspec.Struct]) -> Schema:
        """The schema of a user's own struct, which stays the type of its rows.

        Args:
            struct: keyword-only, refusing unknown fields; fields of type bool, int, float, str, aware
                datetime or a Literal of texts, optional ones with ``| None = None``; bounds by
                ``Annotated[float, msgspec.Meta(ge=0)]``.

        Raises:
            SchemaError: a field has no flat, portable form; all such fields are named.
        """
        schema = cls(struct.__name__, structs.fields_of(struct))
        schema.__dict__["struct"] = struct
        return schema

    @classmethod
    def of_table(cls, table: pl.DataFrame, name: str) -> Schema:
        """The schema of a table's columns, each nullable.

        Raises:
            SchemaError: a column's type is not flat.
        """
        return cls(name, forms.fields_of_table(table))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the fields, in order."""
        return tuple(self._by_name)

    def __getitem__(self, name: str) -> Field:
        try:
            return self._by_name[name]
        except KeyError:
            hint = did_you_mean(name, self.names)
            raise SchemaError(
                Problem(f"{self.name}.{name}", "no such field", available=self.names, hint=hint)
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and (self.name, self.fields) == (other.name, other.fields)

    def __hash__(self) -> int:
        return hash((self.name, self.fields))

    def __repr__(self) -> str:
        lines = "".join(f"\n  {field.name}: {forms.words(field)}" for field in self.fields)
        return f"Schema {self.name}{lines}"

    @functools.cached_property
    def struct(self) -> type[msgspec.Struct]:
        """The msgspec struct type of a row."""
        return structs.struct_of(self.name, self.fields)

    @functools.cached_property
    def _decoder(self) -> msgspec.json.Decoder[Any]:
        return msgspec.json.Decoder(self.struct)

    @functools.cached_property
    def _many_decoder(self) -> msgspec.json.Decoder[Any]:
        return msgspec.json.Decoder(list[self.struct])  # type: ignore[name-defined]

    def decode(self, body: bytes) -> Any:
        """A row from a JSON object.

        Raises:
            InputError: the body is not JSON, or fields do not fit; every one is named, no value is repeated.
        """
        try:
            return self._decoder.decode(body)
        except _UNREADABLE:
            raise InputError(self._faults(body)) from None

    def decode_many(self, body: bytes) -> list[Any]:
        """Rows from a JSON array of objects.

        Raises:
            InputError: as `decode()`; faults are named by row, counted from 0.
        """
        try:
            rows: list[Any] = self._many_decoder.decode(body)
        except _UNREADABLE:
            raise InputError(self._faults(body, many=True)) from None
        return rows

    def convert(self, row: Mapping[str, Any]) -> Any:
        """A row from a mapping of Python values (timestamps as datetime or text).

        Raises:
            InputError: fields do not fit; every one is named.
        """
        problems = self.check(row)
        if problems:
            raise InputError(problems)
        present = {name: value for name, value in row.items() if value is not None and value == value}  # noqa: PLR0124 - NaN is missing
        return msgspec.convert(present, self.struct)

    def check(self, row: Mapping[str, Any], place: str = "") -> list[Problem]:
        """Everything that keeps a mapping from being a row: unknown, missing and unfit fields."""
        before = f"{place}." if place else ""
        problems = self._unknown(row, before)
        for field in self.fields:
            if field.name not in row:
                fault = "is required" if field.required else None
            else:
                fault = field.fault(row[field.name])
            if fault:
                problems.append(Problem(before + field.name, fault))
        return problems

    def _unknown(self, row: Mapping[str, Any], before: str) -> list[Problem]:
        names = [_shown(str(name)) for name in row if name not in self._by_name]
        problems = [
            Problem(
                before + name,
                "unknown field",
                available=self.names,
                hint=did_you_mean(name, self.names),
            )
            for name in names[:_UNKNOWN_MAX]
        ]
        if len(names) > _UNKNOWN_MAX:
            what = f"has {len(names) - _UNKNOWN_MAX} more unknown fields"
            problems.append(Problem(before.removesuffix(".") or "object", what))
        return problems

    def _faults(self, body: bytes, *, many: bool = False) -> list[Problem]:
        try:
            # Python's own parser, because it reads what JSON does not have (NaN, numbers beyond a float):
            # only so can the field that holds one be named.
            data = json.loads(body, parse_constant=lambda _: math.inf)
        except RecursionError:
            return [Problem("body", "nested too deeply")]
        except ValueError as error:
            position = f" (character {error.pos})" if isinstance(error, json.JSONDecodeError) else ""
            return [Problem("body", f"not valid JSON{position}")]
        if many:
            problems = self._row_faults(data)
        else:
            problems = self.check(data) if isinstance(data, dict) else [_not_object("body")]
        return problems or [Problem("body", f"does not fit {self.name}")]

    def _row_faults(self, data: Any) -> list[Problem]:
        if not isinstance(data, list):
            return [Problem("body", "must be a JSON array of objects")]
        problems: list[Problem] = []
        faulty_rows = 0
        for i, row in enumerate(data):
            found = self.check(row, f"[{i}]") if isinstance(row, dict) else [_not_object(f"[{i}]")]
            problems += found
            faulty_rows += bool(found)
            if faulty_rows >= _FAULTY_ROWS_MAX or len(problems) >= _PROBLEMS_MAX:
                problems.append(Problem("body", f"rows after [{i}] were not checked"))
                break
        return problems

    def to_dict(self) -> dict[str, Any]:
        """The schema as JSON-able data."""
        return {"name": self.name, "fields": [field.to_dict() for field in self.fields]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Schema:
        """The schema that `to_dict()` described.

        Raises:
            SchemaError: the data is not a schema.
        """
        if set(data) != {"name", "fields"} or not isinstance(data["fields"], list):
            raise SchemaError(Problem("", "a schema has a name and a list of fields"))
        return cls(data["name"], [Field.from_dict(field) for field in data["fields"]])

    def json_schema(self) -> dict[str, Any]:
        """The schema as JSON Schema (draft 2020-12)."""
        return forms.json_schema(self.name, self.fields)

    def polars(self) -> dict[str, pl.DataType]:
        """Field name to Polars type; timestamps in microseconds, UTC."""
        return forms.polars(self.fields)

    def arrow(self) -> pa.Schema:
        """The Arrow schema; timestamps in microseconds, UTC."""
        return forms.arrow(self.fields)


def _shown(name: str) -> str:
    """A name from outside, short and writable: it may be of any length, and no Unicode at all."""
    short = name if len(name) <= _NAME_SHOWN_MAX else name[: _NAME_SHOWN_MAX - 1] + "…"
    return short.encode("utf-8", "replace").decode("utf-8")


def _not_object(place: str) -> Problem:
    return Problem(place, "must be a JSON object")
