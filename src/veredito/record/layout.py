"""The columns of a record in a table: fixed ones, and one for each field that a schema names."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from veredito.errors import ConfigError, Problem
from veredito.record.sensitive import Mask
from veredito.schema import Schema

ColumnKind: TypeAlias = Literal["bool", "int", "float", "text", "timestamp", "texts", "json"]
PARTITIONS = ("date", "hour")  # columns that a reader makes from the folders' names
WHOLE = "record"  # the column that holds the record's own JSON: what no typed column has is never lost


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """One column of the table: its name, what it holds, and where in a record that is."""

    name: str
    kind: ColumnKind
    path: tuple[str, ...]


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

    Example:
        >>> from veredito.schema import Field
        >>> layout = RecordLayout(Schema("Transaction", [Field("amount", "float")]))
        >>> layout.columns()[-1]
        Column(name='input_amount', kind='float', path=('inputs', 'amount'))
    """

    inputs: Schema
    features: Schema | None = None
    outputs: Mapping[str, Schema] = dataclasses.field(default_factory=dict)
    values: Mapping[str, Schema] = dataclasses.field(default_factory=dict)
    entity: str | None = None
    event_time: str | None = None

    def columns(self, mask: Mask | None = None) -> list[Column]:
        """Every column but the partition's and the whole record's.

        Names are made of letters, digits and underscores wherever the schemas' are, so that no query needs
        quotes.

        Args:
            mask: fields that are left out, or whose hash is kept instead.

        Raises:
            ConfigError: two columns would have one name; SQL engines take upper and lower case for the same.
        """
        columns = [*_FIXED, *_of_schema("input", ("inputs",), self.inputs)]
        if self.features is not None:
            columns += _of_schema("feature", ("features",), self.features)
        for model, schema in self.outputs.items():
            columns += _of_schema(f"output_{model}", ("outputs", model), schema)
        for node, schema in self.values.items():
            columns += _of_schema(f"value_{node}", ("values", node), schema)
        kept = [shown for column in columns if (shown := _visible(column, mask)) is not None]
        _check_names(kept)
        return kept


def _visible(column: Column, mask: Mask | None) -> Column | None:
    if mask is None:
        return column
    hidden = mask.own if len(column.path) == 1 else mask.keep
    keep = hidden.get(column.path[-1].rpartition(".")[2])
    if keep is None:
        return column
    return None if keep == "nothing" else dataclasses.replace(column, kind="text")


def _of_schema(prefix: str, path: tuple[str, ...], schema: Schema) -> list[Column]:
    return [Column(f"{prefix}_{field.name}", field.kind, (*path, field.name)) for field in schema.fields]


def _check_names(columns: Sequence[Column]) -> None:
    by_name: dict[str, list[str]] = defaultdict(list)
    for name in (*PARTITIONS, WHOLE):
        by_name[name].append("a column of the table's own")
    for column in columns:
        by_name[column.name.casefold()].append(".".join(column.path))
    problems = [
        Problem(
            "[record.parquet]",
            f"column {name} would hold {' and '.join(paths)}",
            hint="rename one of the fields",
        )
        for name, paths in by_name.items()
        if len(paths) > 1
    ]
    if problems:
        raise ConfigError(problems)


def _fixed(name: str, kind: ColumnKind, *, column: str = "") -> Column:
    return Column(column or name, kind, (name,))


_FIXED = (
    _fixed("decision_id", "text"),
    _fixed("format", "int"),
    _fixed("at", "timestamp", column="event_at"),  # AT alone is a word of SQL
    _fixed("received_at", "timestamp"),
    _fixed("answered_at", "timestamp"),
    _fixed("service", "text"),
    _fixed("service_version", "text"),
    _fixed("config_hash", "text"),
    _fixed("request_id", "text"),
    _fixed("key", "text"),
    _fixed("status", "text"),
    _fixed("source", "text"),
    _fixed("action", "text"),
    _fixed("reasons", "texts"),
    _fixed("score", "float"),
    _fixed("policy_version", "text"),
    _fixed("error", "text"),
    _fixed("critical_path", "texts"),
    _fixed("values", "json"),
    _fixed("outcomes", "json"),
    _fixed("models", "json"),
    _fixed("rules", "json"),
    _fixed("stages_us", "json"),
)
