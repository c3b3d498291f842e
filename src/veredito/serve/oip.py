"""The Open Inference Protocol v2, for the ecosystem's clients: one tensor a field, one row an element.

A tensor has shape [n] or [n, 1] and is called as the field of the model's schema. `null` among the data is
missing. Text and timestamps travel as BYTES. See https://github.com/kserve/open-inference-protocol.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from veredito import __version__
from veredito.errors import InputError, Problem, did_you_mean
from veredito.schema import Field, Schema
from veredito.serve.predictor import Predictor

Datatype: TypeAlias = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES"
]  # fmt: skip

_OURS: dict[str, Datatype] = {
    "bool": "BOOL",
    "int": "INT64",
    "float": "FP64",
    "text": "BYTES",
    "timestamp": "BYTES",
}
_FITTING = {
    "bool": {"BOOL"},
    "int": {"UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"},
    "text": {"BYTES"},
    "timestamp": {"BYTES"},
}
_FITTING["float"] = _FITTING["int"] | {"FP16", "FP32", "FP64"}


class Tensor(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A named column of a request or an answer."""

    name: str
    shape: list[int]
    datatype: Datatype
    data: list[Any]
    parameters: dict[str, Any] = {}


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """An output that a request asks for; without any, all are given."""

    name: str
    parameters: dict[str, Any] = {}


class Inference(msgspec.Struct, forbid_unknown_fields=True):
    """A request."""

    inputs: list[Tensor]
    id: str | None = None
    parameters: dict[str, Any] = {}
    outputs: list[Wanted] = []


class Inferred(msgspec.Struct, omit_defaults=True):
    """An answer."""

    model_name: str
    model_version: str
    outputs: list[Tensor]
    id: str | None = None


_decoder = msgspec.json.Decoder(Inference)


def server_metadata() -> dict[str, Any]:
    """What `GET /v2` answers."""
    return {"name": "veredito", "version": __version__, "extensions": []}


def model_metadata(name: str, predictor: Predictor) -> dict[str, Any]:
    """What `GET /v2/models/{name}` answers."""
    return {
        "name": name,
        "versions": [predictor.model.version],
        "platform": "veredito",
        "inputs": [_describe(field) for field in predictor.in_schema],
        "outputs": [_describe(field) for field in predictor.answering.fields],
    }


def _describe(field: Field) -> dict[str, Any]:
    return {"name": field.name, "datatype": _OURS[field.kind], "shape": [-1]}


def read(predictor: Predictor, body: bytes) -> tuple[Inference, list[Field], list[Any]]:
    """A request: itself, the outputs that it wants, and its rows.

    Raises:
        InputError: tensors do not fit the model's schema; every fault is named.
    """
    try:
        request = _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InputError(Problem("inputs", _place(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InputError(Problem("body", "not valid JSON")) from None
    wanted = _wanted(request, predictor.answering.fields)
    return request, wanted, _rows(request.inputs, predictor.in_schema, predictor.rows_max)


def write(
    name: str, predictor: Predictor, request: Inference, wanted: Sequence[Field], outputs: Sequence[Any]
) -> bytes:
    """The answer to a request: one tensor a wanted output."""
    tensors = [
        Tensor(
            field.name,
            [len(outputs)],
            _OURS[field.kind],
            [_plain(getattr(row, field.name)) for row in outputs],
        )
        for field in wanted
    ]
    return msgspec.json.encode(Inferred(name, predictor.model.version, tensors, request.id))


def _place(error: msgspec.ValidationError) -> str:
    """Where a request departs from the protocol; msgspec's sentence may quote, its path does not."""
    _, _, path = str(error).partition(" - at `")
    return f"does not fit the protocol at {path.rstrip('`')}" if path else "does not fit the protocol"


def _wanted(request: Inference, fields: Sequence[Field]) -> list[Field]:
    by_name = {field.name: field for field in fields}
    if len(request.outputs) > len(fields):
        raise InputError(Problem("outputs", f"more than the {len(fields)} that there are"))
    unknown = [tensor.name for tensor in request.outputs if tensor.name not in by_name]
    if unknown:
        raise InputError([Problem(f"outputs.{name}", "no such output", tuple(by_name)) for name in unknown])
    return [by_name[tensor.name] for tensor in request.outputs] or list(fields)


def _rows(tensors: list[Tensor], schema: Schema, rows_max: int) -> list[Any]:
    if len(tensors) > len(schema):  # one a field is all there can be; who sends 20,000 is not told of each
        raise InputError(Problem("inputs", f"more tensors than the {len(schema)} fields", schema.names))
    problems = [
        Problem(f"inputs.{tensor.name}", what, hint=did_you_mean(tensor.name, schema.names))
        for tensor in tensors
        for what in _faults(tensor, schema)
    ]
    names = [tensor.name for tensor in tensors]
    problems += [Problem(f"inputs.{name}", "given twice") for name in set(names) if names.count(name) > 1]
    counts = {len(tensor.data) for tensor in tensors}
    if len(counts) != 1 or counts == {0}:
        problems.append(Problem("inputs", "tensors must have the same number of rows, at least one"))
    elif max(counts) > rows_max:
        problems.append(Problem("inputs", f"more than {rows_max} rows", hint="split the request"))
    if problems:
        raise InputError(problems)
    return [
        schema.convert(dict(zip(names, row, strict=True)))
        for row in zip(*(t.data for t in tensors), strict=True)
    ]


def _faults(tensor: Tensor, schema: Schema) -> list[str]:
    if tensor.name not in schema:
        return ["no such field"]
    faults = []
    if tensor.datatype not in _FITTING[schema[tensor.name].kind]:
        faults.append(f"datatype must be one of {', '.join(sorted(_FITTING[schema[tensor.name].kind]))}")
    if tensor.shape not in ([len(tensor.data)], [len(tensor.data), 1]):
        faults.append(f"shape must be [{len(tensor.data)}] or [{len(tensor.data)}, 1], as there are data")
    return faults


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.datetime) else value
