"""Fitted state as data: JSON for what is small, one Arrow file for arrays, the library's own format for models.

A value that JSON lacks is written as an object with one key that begins with ``$``. Reading makes data and
nothing else: there is no name in it that would be imported, and no code that would run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from veredito.errors import ArtifactError, LearnerError, Problem
from veredito.learn.step import Step, step_of

STATE, ARRAYS = "state.json", "arrays.arrow"
_TEXT_MIN = 4_096  # a longer text is a library's model: a file of its own, readable by its own tools
_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class StateWriter:
    """Collects a step's tree as JSON-able data, with arrays and large texts beside it."""

    def __init__(self) -> None:
        self._arrays: list[np.ndarray[Any, Any]] = []
        self._files: dict[str, bytes] = {}

    def step(self, step: Step) -> dict[str, Any]:
        """The step, and all steps in it."""
        return {
            "kind": step.kind,
            "params": self.value(step.params(), step.kind),
            "state": self.value(step.state(), step.kind),
        }

    def files(self, tree: Any) -> dict[str, bytes]:
        """The files that hold the tree and all that lies beside it."""
        return {STATE: msgspec.json.encode(tree), **self._files} | (
            {ARRAYS: _arrow(self._arrays)} if self._arrays else {}
        )

    def value(self, value: Any, place: str) -> Any:
        """A value as JSON-able data.

        Raises:
            ArtifactError: it has no such form.
        """
        match value:
            case np.ndarray():
                self._arrays.append(_storable(value, place))
                return {"$array": len(self._arrays) - 1}
            case Step():
                return {"$step": self.step(value)}
            case np.generic():
                return self.value(value.item(), place)
            case float() if not math.isfinite(value):
                return {"$float": repr(value)}
            case str() if len(value) >= _TEXT_MIN:
                return {"$text": self._file(value.encode(), place, "txt")}
            case bytes():
                return {"$bytes": self._file(value, place, "bin")}
            case None | bool() | int() | float() | str():
                return value
            case list() | tuple():
                return [self.value(item, place) for item in value]
            case Mapping():
                return self._mapping(value, place)
        hint = "state is JSON, arrays, bytes, steps, and lists and mappings of these"
        raise ArtifactError(
            Problem(f"step '{place}'", f"a {type(value).__name__} cannot be saved", hint=hint)
        )

    def _mapping(self, value: Mapping[Any, Any], place: str) -> Any:
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: self.value(item, place) for key, item in value.items()}
        return {"$pairs": [[self.value(key, place), self.value(item, place)] for key, item in value.items()]}

    def _file(self, data: bytes, place: str, suffix: str) -> str:
        name = f"{len(self._files)}-{place}.{suffix}"
        self._files[name] = data
        return name


class StateReader:
    """Makes a step from what a `StateWriter` wrote."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files
        self._arrays = _read_arrow(files[ARRAYS]) if ARRAYS in files else []

    def read(self) -> Step:
        """The step.

        Raises:
            ArtifactError: the files do not hold one, or of a kind that is not known here.
        """
        try:
            step = self._step(msgspec.json.decode(self._files[STATE]))
        except (KeyError, IndexError, TypeError, ValueError, RecursionError, msgspec.DecodeError) as error:
            what = f"does not hold a model ({type(error).__name__}: {error})"
            raise ArtifactError(Problem(STATE, what, hint="save the model again")) from error
        except LearnerError as error:
            raise ArtifactError(error.problems) from error
        return step

    def _step(self, data: Any) -> Step:
        if not isinstance(data, dict) or set(data) != {"kind", "params", "state"}:
            raise ValueError("a step has a kind, params and a state")
        return step_of(data["kind"]).restore(self._value(data["params"]), self._value(data["state"]))

    def _value(self, data: Any) -> Any:
        if isinstance(data, list):
            return [self._value(item) for item in data]
        if not isinstance(data, dict):
            return data
        if len(data) == 1:
            key, inner = next(iter(data.items()))
            if key.startswith("$"):
                return self._special(key, inner)
        return {key: self._value(item) for key, item in data.items()}

    def _special(self, key: str, inner: Any) -> Any:
        match key:
            case "$array":
                return self._arrays[inner]
            case "$step":
                return self._step(inner)
            case "$float":
                return _FLOATS[inner]
            case "$text":
                return self._files[inner].decode()
            case "$bytes":
                return self._files[inner]
            case "$pairs":
                return {_key(self._value(k)): self._value(item) for k, item in inner}
        raise ValueError(f"unknown form {key}")


def _key(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _storable(array: np.ndarray[Any, Any], place: str) -> np.ndarray[Any, Any]:
    if array.dtype.kind in "biufO" or array.dtype.kind == "U":
        return array
    raise ArtifactError(Problem(f"step '{place}'", f"an array of {array.dtype} cannot be saved"))


def _arrow(arrays: list[np.ndarray[Any, Any]]) -> bytes:
    """One row; a column, of one list, for each array, whatever their lengths."""
    fields, columns = [], []
    for i, array in enumerate(arrays):
        values = (
            pa.array(array.ravel().tolist(), pa.string())
            if array.dtype.kind in "OU"
            else pa.array(array.ravel())
        )
        offsets = pa.array([0, array.size], pa.int64())
        column = pa.LargeListArray.from_arrays(offsets, values)
        metadata = {"shape": msgspec.json.encode(array.shape), "dtype": array.dtype.str}
        fields.append(pa.field(str(i), column.type, metadata=metadata))
        columns.append(column)
    sink = pa.BufferOutputStream()
    schema = pa.schema(fields)
    with pa.ipc.new_file(sink, schema) as writer:
        writer.write_batch(pa.record_batch(columns, schema=schema))
    return bytes(sink.getvalue().to_pybytes())


def _read_arrow(data: bytes) -> list[np.ndarray[Any, Any]]:
    try:
        table = pa.ipc.open_file(pa.py_buffer(data)).read_all()
        return [_array(table.schema.field(i), table.column(i)) for i in range(table.num_columns)]
    except (pa.ArrowException, ValueError, TypeError, KeyError, msgspec.DecodeError) as error:
        raise ArtifactError(
            Problem(ARRAYS, f"cannot be read ({error})", hint="save the model again")
        ) from error


def _array(field: pa.Field, column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    values = column.chunk(0).values
    dtype = np.dtype(field.metadata[b"dtype"].decode())
    flat = np.array(values.to_pylist(), dtype=dtype) if dtype.kind in "OU" else _numbers(values, dtype)
    array = flat.reshape(msgspec.json.decode(field.metadata[b"shape"]))
    array.setflags(write=False)  # fitted state is frozen
    return array


def _numbers(values: pa.Array, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """The numbers of an Arrow array, from its buffer: Arrow's own `to_numpy` imports pandas where it is there."""
    if dtype.kind == "b":
        return np.array(values.to_pylist(), dtype=dtype)
    stored = np.frombuffer(values.buffers()[1], dtype=dtype)
    return stored[values.offset : values.offset + len(values)].copy()
