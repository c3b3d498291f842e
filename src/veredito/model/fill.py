"""The adapters at the two ends of a row plan: rows to a block, and a block to answers.

Both are generated, as straight lines for one schema: looking up 50 names in a loop costs more than the model.
A row's numbers reach the matrix by one `struct.pack_into`, in a microsecond; missing is NaN.
"""

from __future__ import annotations

import datetime as dt
import functools
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from veredito.errors import InputError, InternalError, OutputError
from veredito.learn.block import Block, Layout
from veredito.schema import Field, Schema

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MALFORMED = (struct.error, TypeError, KeyError, AttributeError, ValueError, OverflowError)
Fill = Callable[[Sequence[Any]], Block]
Outputs = Callable[[Block], list[Any]]


class InAdapter:
    """Fills blocks from structs of the in-schema, or from mappings with its names.

    What the schema promises is not checked again here, beyond what a number and a text are.

    Args:
        schema: of the rows.
        begin: where the read fields lie when the steps begin.
        width: columns of the matrix, after all steps were bound.
        texts_width: text columns, likewise.
    """

    def __init__(self, schema: Schema, begin: Layout, width: int, texts_width: int) -> None:
        self._schema, self._struct = schema, schema.struct
        make = functools.partial(_fill_function, schema, begin, width, texts_width)
        self._structs, self._mappings = make(mapping=False), make(mapping=True)

    def __call__(self, rows: Sequence[Any]) -> Block:
        """A block of these rows, all structs or all mappings.

        Raises:
            InputError: a value is not of its field's kind; every such field of every row is named.
        """
        try:
            if not rows or type(rows[0]) is self._struct or not isinstance(rows[0], Mapping):
                return self._structs(rows)
            return self._mappings(rows)
        except _MALFORMED as error:
            raise self._explained(rows) from error

    def _explained(self, rows: Sequence[Any]) -> Exception:
        problems = []
        for i, row in enumerate(rows):
            given = row if isinstance(row, Mapping) else _as_mapping(row)
            place = f"[{i}]" if len(rows) > 1 else ""
            known = {name: value for name, value in given.items() if name in self._schema}
            problems += self._schema.check(known, place)
        if problems:
            return InputError(problems)
        return InternalError(f"rows that fit {self._schema.name} could not be put into a block")


def _as_mapping(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in getattr(row, "__struct_fields__", ())}


def _fill_function(schema: Schema, begin: Layout, width: int, texts_width: int, *, mapping: bool) -> Fill:
    kinds = begin.names
    numbers = sorted((begin.number_at(f.name), f) for f in schema if kinds.get(f.name) == "number")
    texts = {begin.text_at(f.name): f for f in schema if kinds.get(f.name) == "text"}
    names: dict[str, Any] = {
        "Block": Block, "empty": np.empty, "nan": math.nan, "seconds": _seconds, "text": _text,
        "pack": struct.Struct(_form([slot for slot, _ in numbers])).pack_into,
    }  # fmt: skip
    values = ", ".join(_number_source(field, mapping=mapping, names=names) for _, field in numbers)
    cells = [
        _text_source(texts[slot], mapping=mapping, names=names) if slot in texts else ""
        for slot in range(texts_width)
    ]
    alone = ", ".join(f"[{cell or None}]" for cell in cells)
    together = ", ".join(f"[{cell} for r in rows]" if cell else "[None] * n" for cell in cells)
    stride = width * 8
    source = [
        "def fill(rows):",
        "    n = len(rows)",
        f"    numbers = empty((n, {width}))",
        "    if n == 1:",  # one row needs no loops, and is the most common block of all
        "        r, = rows",
        *([f"        pack(numbers, 0, {values})"] if values else []),
        f"        return Block(numbers, [{alone}])",
        *(
            [f"    for at, r in zip(range(0, n * {stride}, {stride}), rows): pack(numbers, at, {values})"]
            if values
            else []
        ),
        f"    return Block(numbers, [{together}])",
    ]
    fill: Fill = _compiled("\n".join(source), "fill", names)
    return fill


def _form(slots: Sequence[int]) -> str:
    """Doubles at these slots of a row; the slots between belong to columns that steps will write."""
    form, at = "=", 0
    for slot in slots:
        form += f"{(slot - at) * 8}xd" if slot > at else "d"
        at = slot + 1
    return form


def _number_source(field: Field, *, mapping: bool, names: dict[str, Any]) -> str:
    read = _read(field, mapping=mapping, names=names)
    if field.kind == "timestamp":
        return f"seconds({read})"
    if field.required and mapping:
        return read
    return f"nan if (v := {read}) is None else v" if field.nullable else read


def _text_source(field: Field, *, mapping: bool, names: dict[str, Any]) -> str:
    read = _read(field, mapping=mapping, names=names)
    return f"text({read}, {field.nullable})" if mapping else read


def _read(field: Field, *, mapping: bool, names: dict[str, Any]) -> str:
    if not mapping:
        return f"r.{field.name}"
    if field.required:
        return f"r[{field.name!r}]"
    default = f"default{len(names)}"
    names[default] = field.default
    return f"r.get({field.name!r}, {default})"


def _seconds(value: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value)
    return float((value - _EPOCH) / dt.timedelta(seconds=1))


def _text(value: Any, nullable: bool) -> str | None:  # noqa: FBT001 - called by generated code, by position
    if isinstance(value, str) or (value is None and nullable):
        return value
    raise TypeError("not a text")


def outputs_function(schema: Schema, layout: Layout, model: str) -> Outputs:
    """The out-adapter: answers as structs of the out-schema, each value checked against it.

    Args:
        schema: of the answers.
        layout: of the block, after all steps were bound.
        model: how the model is called in errors.

    Returns:
        A function that raises `OutputError` where a value is missing, infinite or out of bounds.
    """
    names: dict[str, Any] = {
        "Out": schema.struct,
        "fail": functools.partial(_fail, model),
        "isfinite": math.isfinite,
    }
    kinds = layout.names
    columns, loads, checks, keywords = [], [], [], []
    for i, field in enumerate(schema):
        if kinds[field.name] == "number":
            slot = layout.number_at(field.name)
            columns.append(f"numbers[:, {slot}].tolist()")
            loads.append(f"v{i} = numbers.item(0, {slot})")
        else:
            columns.append(f"texts[{layout.text_at(field.name)}]")
            loads.append(f"v{i} = texts[{layout.text_at(field.name)}][0]")
        check, names[f"check{i}"] = f"v{i} = check{i}(v{i})", _checker(model, field)
        if field.kind == "float" and kinds[field.name] == "number" and not field.nullable:
            # The common case needs no call: one comparison holds NaN, infinities and bounds off.
            low = "-inf" if field.minimum is None else repr(float(field.minimum))
            high = "inf" if field.maximum is None else repr(float(field.maximum))
            names |= {"inf": math.inf}
            strict = "<=" if field.minimum is not None else "<"
            check = f"if not {low} {strict} v{i} {'<=' if field.maximum is not None else '<'} {high}: {check}"
        checks.append(check)
        keywords.append(f"{field.name}=v{i}")
    made = f"Out({', '.join(keywords)})"
    row = ", ".join(f"v{i}" for i in range(len(columns)))
    source = [
        "def outputs(block):",
        "    numbers, texts = block.numbers, block.texts",
        "    if numbers.shape[0] == 1:",
        *(f"        {line}" for line in [*loads, *checks]),
        f"        return [{made}]",
        "    answers = []",
        f"    for {row}, in zip({', '.join(columns)}):",
        *(f"        {line}" for line in checks),
        f"        answers.append({made})",
        "    return answers",
    ]
    make: Outputs = _compiled("\n".join(source), "outputs", names)
    return make


def _checker(model: str, field: Field) -> Callable[[Any], Any]:
    """The value as its field's kind, or an `OutputError` that says why it is none."""

    def checked(value: Any) -> Any:
        if isinstance(value, float):
            value = _of_kind(field, value)
        fault = field.fault(value)
        if fault:
            _fail(model, field.name, fault)
        return value

    return checked


def _of_kind(field: Field, value: float) -> Any:
    if math.isnan(value):
        return None
    if not math.isfinite(value):
        return value
    match field.kind:
        case "bool":
            return value != 0
        case "int":
            return int(value) if value.is_integer() else value
        case "timestamp":
            return dt.datetime.fromtimestamp(value, dt.UTC)
    return value


def _fail(model: str, name: str, fault: str) -> None:
    raise OutputError(f"model '{model}': its output '{name}' {fault}")


def _compiled(source: str, name: str, names: dict[str, Any]) -> Any:
    # Field names are the only text of others in the source; `repr` quotes them, and as attributes and keywords
    # they passed `str.isidentifier` when the struct type was made.
    exec(compile(source, f"<generated {name}>", "exec"), names)  # noqa: S102
    return names[name]
