"""What of a model's answer the caller gets: what it needs, and apart from it what only a record keeps."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import msgspec

from veredito.errors import ConfigError, Problem, did_you_mean
from veredito.schema import Field, Schema


class Told(msgspec.Struct, frozen=True):
    """What a caller is told.

    Attributes:
        record_only: fields of the answer that the record keeps and the caller does not get.
        record_key: a second key of the answer with just those, for a caller that keeps a record itself.
    """

    record_only: tuple[str, ...] = ()
    record_key: str | None = None


class Answering:
    """Writes answers.

    Args:
        schema: of whole answers.
        told: what the caller gets of them.

    Raises:
        ConfigError: a field is not there, nothing would be left, or the key is taken.

    Attributes:
        fields: what the caller gets.
        recorded: what comes under the record's key, if there is one.

    Example:
        >>> schema = Schema("Answer", [Field("rank", "float"), Field("score", "float")])
        >>> row = schema.struct(rank=990.0, score=0.25)
        >>> Answering(schema, Told(("score",))).encode(row), Answering(schema, Told(("score",), "record")).encode(row)
        (b'{"rank":990.0}', b'{"rank":990.0,"record":{"score":0.25}}')
    """

    def __init__(self, schema: Schema, told: Told) -> None:
        problems = _problems(schema, told)
        if problems:
            raise ConfigError(problems)
        self.key = told.record_key
        self.fields = [field for field in schema if field.name not in told.record_only]
        self.recorded = [schema[name] for name in told.record_only] if told.record_key else []
        self._write = msgspec.json.Encoder().encode
        self._part = _part(self.fields, self.recorded, told.record_key) if told.record_only else None

    def encode(self, answer: Any) -> bytes:
        """The JSON of one answer, or of a list of them; each a struct of the schema."""
        if self._part is None:
            return self._write(answer)
        part = self._part
        return self._write([part(row) for row in answer] if isinstance(answer, list) else part(answer))

    def json_schema(self, schema: Schema) -> dict[str, Any]:
        """What is written, as JSON Schema."""
        form = Schema(schema.name, self.fields).json_schema()
        if self.recorded and self.key:
            form["properties"][self.key] = Schema("Record", self.recorded).json_schema()
            form["required"].append(self.key)
        return form


def _problems(schema: Schema, told: Told) -> list[Problem]:
    problems = [
        Problem("record_only", f"the answer has no '{name}'", schema.names, did_you_mean(name, schema.names))
        for name in told.record_only
        if name not in schema
    ]
    if told.record_only and set(schema.names) <= set(told.record_only):
        problems.append(Problem("record_only", "leaves the caller nothing", hint="leave a field out of it"))
    if told.record_key is not None and not told.record_only:
        hint = "name the fields in record_only, or leave the key out"
        problems.append(Problem("record_key", "there is nothing to put under it", hint=hint))
    if told.record_key in schema:
        problems.append(Problem("record_key", "is a field of the answer", hint="choose another key"))
    return problems


def _part(fields: list[Field], recorded: list[Field], key: str | None) -> Callable[[Any], Any]:
    """A struct with the told fields, and under the key one with the recorded ones."""
    told, read = _struct_of("Told", fields), _reader(fields)
    if not recorded or key is None:
        return lambda row: told(*read(row))
    kept, read_kept = _struct_of("Kept", recorded), _reader(recorded)
    both = msgspec.defstruct("Answer", [*((field.name, Any) for field in fields), (key, kept)])
    return lambda row: both(*read(row), kept(*read_kept(row)))


def _struct_of(name: str, fields: list[Field]) -> type[msgspec.Struct]:
    return msgspec.defstruct(name, [(field.name, Any) for field in fields])


def _reader(fields: list[Field]) -> Callable[[Any], tuple[Any, ...]]:
    names = [field.name for field in fields]
    if len(names) == 1:
        read = attrgetter(names[0])
        return lambda row: (read(row),)
    return attrgetter(*names)
