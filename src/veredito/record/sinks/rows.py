"""Records straight from JSON into columns.

A struct is made of the table's columns, so that one pass over the JSON checks and converts every value that a
column holds, keeps as it stands what a column holds as JSON, and passes over the rest. What does not fit its
column's kind is null there; the whole record's column still has it.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from veredito.errors import RecordError
from veredito.record.layout import WHOLE, Column, ColumnKind
from veredito.record.record import decode

TYPES: dict[ColumnKind, pa.DataType] = {
    "bool": pa.bool_(),
    "int": pa.int64(),
    "float": pa.float64(),
    "text": pa.string(),
    "timestamp": pa.timestamp("us", "UTC"),
    "texts": pa.list_(pa.string()),
    "json": pa.string(),
}
_READ_AS: dict[ColumnKind, Any] = {
    "bool": bool | None,
    "int": int | None,
    "float": float | None,
    "text": str | None,
    "timestamp": dt.datetime | None,
    "texts": list[str] | None,
    "json": msgspec.Raw,  # as it stands
}
_NULL = msgspec.Raw(b"null")
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A record that was read: its id, the hour it was answered in since 1970, and its columns' values."""

    decision_id: str
    hour: int
    values: Any
    payload: bytes


class RowReader:
    """Reads records for a table's columns.

    Args:
        columns: those of the table.

    Example:
        >>> from veredito.record.record import DecisionRecord, encode, new_decision_id
        >>> now = dt.datetime(2018, 6, 1, 10, tzinfo=dt.timezone.utc)
        >>> record = DecisionRecord(decision_id=new_decision_id(), received_at=now, answered_at=now, service="s", inputs={"x": 3})
        >>> reader = RowReader([Column("action", "text", ("action",)), Column("input_x", "int", ("inputs", "x"))])
        >>> reader.table([reader.read(encode(record))]).drop_columns("record").to_pylist()
        [{'action': None, 'input_x': 3}]
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = list(columns)
        kinds: dict[tuple[str, ...], ColumnKind] = {column.path: column.kind for column in columns}
        kinds.setdefault(("decision_id",), "text")
        kinds.setdefault(("answered_at",), "timestamp")
        self._tree = _Branch(kinds)
        self._id = self._tree.getter("decision_id")
        self._time = self._tree.getter("answered_at")

    def read(self, payload: bytes) -> Row:
        """One record.

        Raises:
            RecordError: it is not a decision record.
        """
        try:
            payload.decode()  # what is passed over is not looked at, and the whole record is a column of text
            values = self._tree.decode(payload)
        except _UNREADABLE:
            return self._read_any(payload)
        decision_id, answered_at = self._id(values), self._time(values)
        if decision_id is None or answered_at is None:
            return self._read_any(payload)
        return Row(decision_id, _hour(answered_at), values, payload)

    def _read_any(self, payload: bytes) -> Row:
        """A record of which some fields have another form than their columns."""
        record = decode(payload)
        try:
            values = self._tree.fit(msgspec.json.decode(payload))
        except _UNREADABLE as error:
            raise RecordError(f"not a decision record: {error}") from error
        return Row(record.decision_id, _hour(record.answered_at), values, payload)

    def table(self, rows: Sequence[Row]) -> pa.Table:
        """One row a record, one column each, and the whole record's JSON."""
        values = dict(self._tree.lists([row.values for row in rows]))
        arrays = {column.name: _array(column.kind, values[column.path]) for column in self._columns}
        arrays[WHOLE] = pa.array([row.payload for row in rows], pa.string())
        return pa.table(arrays)


class _Branch:
    """A JSON object of which some fields, and fields inside them, are columns.

    Args:
        kinds: the columns' kinds by their path from here. A path may be a column, of kind ``json``, and have
            columns inside too: those are read from the JSON that was kept.
    """

    def __init__(self, kinds: Mapping[tuple[str, ...], ColumnKind]) -> None:
        names = list(dict.fromkeys(path[0] for path in kinds))
        self._kinds = {name: kinds[name,] for name in names if (name,) in kinds}
        self._branches = {name: _Branch(inside) for name in names if (inside := _below(kinds, name))}
        self._attributes = {
            name: f"f{number}" for number, name in enumerate(names)
        }  # a field may have any name
        fields = [
            (attribute, self._read_as(name), _NULL if self._kinds.get(name) == "json" else None)
            for name, attribute in self._attributes.items()
        ]
        renamed = {attribute: name for name, attribute in self._attributes.items()}
        self.type = msgspec.defstruct("Row", fields, rename=renamed, frozen=True, gc=False)
        self.decode = msgspec.json.Decoder(self.type).decode
        self.missing = self.type()

    def _read_as(self, name: str) -> Any:
        kind = self._kinds.get(name)
        return self._branches[name].type | None if kind is None else _READ_AS[kind]

    def getter(self, name: str) -> Callable[[Any], Any]:
        """What reads a field off a struct of this branch."""
        return operator.attrgetter(self._attributes[name])

    def fit(self, data: Any) -> Any:
        """The struct for data of any form: a value that does not fit is missing in it."""
        if not isinstance(data, dict):
            return self.missing
        values = {name: self._fit_field(name, data.get(name)) for name in self._attributes}
        return self.type(**{self._attributes[name]: value for name, value in values.items()})

    def _fit_field(self, name: str, value: Any) -> Any:
        kind = self._kinds.get(name)
        if kind == "json":
            return msgspec.Raw(msgspec.json.encode(value))
        return self._branches[name].fit(value) if kind is None else _fitting(kind, value)

    def lists(self, objects: Sequence[Any]) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
        """For each column its path and its values, one for each object."""
        for name, attribute in self._attributes.items():
            values = list(map(operator.attrgetter(attribute), objects))
            if name in self._kinds:
                yield (name,), values
            if branch := self._branches.get(name):
                inside = map(branch.read, values) if name in self._kinds else values
                parts = [branch.missing if part is None else part for part in inside]
                yield from (((name, *path), column) for path, column in branch.lists(parts))

    def read(self, kept: msgspec.Raw) -> Any:
        """The struct for an object that was kept as JSON."""
        try:
            return self.decode(kept)
        except _UNREADABLE:
            return self.fit(_loads(kept))


def _hour(at: dt.datetime) -> int:
    try:
        return int(at.astimezone(dt.UTC).timestamp() // 3600)
    except OverflowError as error:
        raise RecordError("not a decision record: answered_at is out of range") from error


def _below(kinds: Mapping[tuple[str, ...], ColumnKind], name: str) -> dict[tuple[str, ...], ColumnKind]:
    return {path[1:]: kind for path, kind in kinds.items() if path[0] == name and len(path) > 1}


def _loads(kept: msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(kept)
    except _UNREADABLE:
        return None


def _array(kind: ColumnKind, values: Sequence[Any]) -> pa.Array:
    if kind == "json":
        return pa.array(
            [None if (text := bytes(value)) == b"null" else text for value in values], pa.string()
        )
    try:
        return pa.array(values, TYPES[kind])
    except (pa.ArrowException, OverflowError):
        return pa.array([_fitting(kind, value) for value in values], TYPES[kind])


def _fitting(kind: ColumnKind, value: Any) -> Any:
    """The value if the column can hold it, else null."""
    try:
        return None if value is None else _CONVERT[kind](value)
    except (msgspec.ValidationError, ValueError, OverflowError):
        return None


def _int64(value: Any) -> int:
    whole = isinstance(value, float) and value.is_integer()
    number = msgspec.convert(int(value) if whole else value, int)
    if not -(2**63) <= number < 2**63:
        raise ValueError
    return number


_CONVERT: dict[ColumnKind, Callable[[Any], Any]] = {
    "bool": lambda value: msgspec.convert(value, bool),
    "int": _int64,
    "float": lambda value: msgspec.convert(value, float),
    "text": lambda value: msgspec.convert(value, str),
    "timestamp": lambda value: msgspec.convert(value, dt.datetime, strict=False),
    "texts": lambda value: msgspec.convert(value, list[str]),
}
