"""The columns of a record in a table: fixed ones, and one for each field that a schema names."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

from veredito.record.record import DecisionRecord
from veredito.record.sensitive import Mask
from veredito.schema import Schema

ColumnKind: TypeAlias = Literal["bool", "int", "float", "text", "timestamp", "texts", "json"]


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """One column of the table: its name, what it holds, and how to read it off a record."""

    name: str
    kind: ColumnKind
    read: Callable[[DecisionRecord], Any] = dataclasses.field(compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class RecordLayout:
    """What is known beforehand about the records of a service.

    Args:
        inputs: the event's schema.
        features: the feature row's schema.
        outputs: each model's output schema.
        values: the schema of an effect's value, for effects whose value is a flat row.
        entity: the event's field that the record's `key` repeats.
        event_time: the one that its `at` repeats.
    """

    inputs: Schema
    features: Schema | None = None
    outputs: Mapping[str, Schema] = dataclasses.field(default_factory=dict)
    values: Mapping[str, Schema] = dataclasses.field(default_factory=dict)
    entity: str | None = None
    event_time: str | None = None

    def columns(self, mask: Mask | None = None) -> list[Column]:
        """Every column but the partition's and the whole record's."""
        columns = _of_schema("input", self.inputs, lambda record: record.inputs)
        if self.features is not None:
            columns += _of_schema("feature", self.features, lambda record: record.features)
        for model, schema in self.outputs.items():
            columns += _of_schema(f"output.{model}", schema, _part(lambda record: record.outputs, model))
        for node, schema in self.values.items():
            columns += _of_schema(f"value.{node}", schema, _part(lambda record: record.values, node))
        if mask is None:
            return [*_FIXED, *columns]
        return [*_visible(_FIXED, mask.own), *_visible(columns, mask.keep)]


def _visible(columns: Iterable[Column], hidden: Mapping[str, str]) -> Iterator[Column]:
    for column in columns:
        keep = hidden.get(column.name.rpartition(".")[2])
        if keep is None:
            yield column
        elif keep == "hash":
            yield dataclasses.replace(column, kind="text")


def _of_schema(prefix: str, schema: Schema, rows: Callable[[DecisionRecord], Any]) -> list[Column]:
    return [Column(f"{prefix}.{field.name}", field.kind, _field(rows, field.name)) for field in schema.fields]


def _field(rows: Callable[[DecisionRecord], Any], name: str) -> Callable[[DecisionRecord], Any]:
    def read(record: DecisionRecord) -> Any:
        row = rows(record)
        return row.get(name) if isinstance(row, dict) else None

    return read


def _part(rows: Callable[[DecisionRecord], dict[str, Any]], name: str) -> Callable[[DecisionRecord], Any]:
    return lambda record: rows(record).get(name)


def _attribute(name: str, kind: ColumnKind) -> Column:
    return Column(name, kind, lambda record: getattr(record, name))


_FIXED = (
    _attribute("decision_id", "text"),
    _attribute("format", "int"),
    _attribute("at", "timestamp"),
    _attribute("received_at", "timestamp"),
    _attribute("answered_at", "timestamp"),
    _attribute("service", "text"),
    _attribute("service_version", "text"),
    _attribute("config_hash", "text"),
    _attribute("request_id", "text"),
    _attribute("key", "text"),
    _attribute("status", "text"),
    _attribute("source", "text"),
    _attribute("action", "text"),
    _attribute("reasons", "texts"),
    _attribute("score", "float"),
    _attribute("policy_version", "text"),
    _attribute("error", "text"),
    _attribute("critical_path", "texts"),
    _attribute("values", "json"),
    _attribute("outcomes", "json"),
    _attribute("models", "json"),
    _attribute("rules", "json"),
    _attribute("stages_us", "json"),
)
