"""A field: one name of a row, what kind of value it has, and which values are allowed."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Callable
from typing import Annotated, Any, get_args

import msgspec

from veredito.errors import Problem, SchemaError, did_you_mean
from veredito.types import Kind, Scalar

KINDS: tuple[str, ...] = get_args(Kind)
_AWARE = Annotated[dt.datetime, msgspec.Meta(tz=True)]
INT_MIN, INT_MAX = -(2**63), 2**63 - 1  # what Arrow and Polars can hold


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """One field of a flat row.

    Args:
        name: as in JSON and in tables.
        kind: ``bool``, ``int`` (64 bits), ``float`` (finite), ``text`` or ``timestamp`` (with a UTC offset).
        nullable: whether the value may be missing: absent, null and NaN are one and the same.
        default: stands in for an absent value.
        minimum: least allowed number, inclusive.
        maximum: greatest allowed number, inclusive.
        categories: the only allowed texts.
        length_max: longest allowed text, in characters.
        description: for people; appears in JSON Schema.

    Raises:
        SchemaError: the parts contradict each other.

    Example:
        >>> Field("amount", "float", minimum=0.0).fault(-1.0)
        'must be at least 0.0'
    """

    name: str
    kind: Kind
    nullable: bool = False
    default: Scalar = None
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] | None = None
    length_max: int | None = None
    description: str = ""

    def __post_init__(self) -> None:
        if self.categories is not None:  # a set, written in one order so that equal contracts compare equal
            object.__setattr__(self, "categories", tuple(sorted(set(self.categories))))
        problems = [Problem(self.name, what, hint=hint) for what, hint in self._contradictions()]
        if problems:
            raise SchemaError(problems)

    def _contradictions(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        if self.kind not in KINDS:
            hint = did_you_mean(self.kind, KINDS) or f"use one of {', '.join(KINDS)}"
            return [(f"unknown kind '{self.kind}'", hint)]
        if self.kind not in {"int", "float"} and (self.minimum is not None or self.maximum is not None):
            found.append((f"bounds on a {self.kind} field", "bounds are for numbers"))
        if self.kind != "text" and (self.categories is not None or self.length_max is not None):
            found.append((f"categories or a length on a {self.kind} field", "they are for text"))
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            found.append(("minimum above maximum", "swap them"))
        if self.categories is not None and not self.categories:
            found.append(("an empty list of categories", "leave categories out to allow any text"))
        if not found and self.default is not None and (fault := self.fault(self.default)):
            found.append((f"the default {fault}", "give a default that the field itself allows"))
        return found

    @property
    def required(self) -> bool:
        """Whether a row must bring a value."""
        return not self.nullable and self.default is None

    def fault(self, value: object) -> str | None:
        """What is wrong with a value, in words that do not repeat it; `None` if nothing is.

        Args:
            value: as decoded from JSON (timestamps as text) or as Python holds it.
        """
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return None if self.nullable else "must not be missing"
        return _FAULTS[self.kind](self, value)

    def to_dict(self) -> dict[str, Any]:
        """The field as JSON-able data, defaults left out."""
        data: dict[str, Any] = {"name": self.name, "kind": self.kind}
        for field in dataclasses.fields(self)[2:]:
            value = getattr(self, field.name)
            if value != field.default:
                data[field.name] = _plain(value)
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Field:
        """The field that `to_dict()` described.

        Raises:
            SchemaError: a part is missing, unknown or of the wrong type.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = [name for name in data if name not in known]
        if unknown or "name" not in data or "kind" not in data:
            what = f"unknown parts {unknown}" if unknown else "a field needs a name and a kind"
            raise SchemaError(Problem(str(data.get("name", "")), what, available=tuple(sorted(known))))
        data = dict(data)
        if data.get("categories") is not None:
            data["categories"] = tuple(data["categories"])
        if data["kind"] == "timestamp" and isinstance(data.get("default"), str):
            data["default"] = dt.datetime.fromisoformat(data["default"])
        return cls(**data)


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    return value.isoformat() if isinstance(value, dt.datetime) else value


def _bool_fault(_: Field, value: object) -> str | None:
    return None if isinstance(value, bool) else "must be a boolean"


def _int_fault(field: Field, value: object) -> str | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # 3.0 is an integer in JSON
    if isinstance(value, bool) or not isinstance(value, int):
        return "must be an integer"
    return "must fit in 64 bits" if not INT_MIN <= value <= INT_MAX else _bounds_fault(field, value)


def _float_fault(field: Field, value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "must be a number"
    return "must be finite" if not _finite(value) else _bounds_fault(field, value)


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond what a float can hold
        return False


def _bounds_fault(field: Field, value: float) -> str | None:
    if field.minimum is not None and value < field.minimum:
        return f"must be at least {field.minimum}"
    if field.maximum is not None and value > field.maximum:
        return f"must be at most {field.maximum}"
    return None


def _text_fault(field: Field, value: object) -> str | None:
    if not isinstance(value, str):
        return "must be text"
    if field.length_max is not None and len(value) > field.length_max:
        return f"must be at most {field.length_max} characters long"
    if field.categories is not None and value not in field.categories:
        return f"must be one of {', '.join(field.categories)}"
    return None


def _timestamp_fault(_: Field, value: object) -> str | None:
    try:
        msgspec.convert(value, _AWARE)
    except msgspec.ValidationError:
        return "must be a timestamp with a UTC offset, as in 2018-06-01T10:00:00Z"
    return None


_FAULTS: dict[str, Callable[[Field, object], str | None]] = {
    "bool": _bool_fault,
    "int": _int_fault,
    "float": _float_fault,
    "text": _text_fault,
    "timestamp": _timestamp_fault,
}
