"""Schemas and msgspec structs, in both directions."""

from __future__ import annotations

import datetime as dt
import keyword
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import inspect as mi

from veredito.errors import Problem, SchemaError
from veredito.schema.field import INT_MAX, INT_MIN, Field
from veredito.types import Kind


def struct_of(name: str, fields: Sequence[Field]) -> type[msgspec.Struct]:
    """A struct type for rows of these fields: frozen, keyword-only, refusing unknown fields.

    Raises:
        SchemaError: a name cannot be an attribute of a Python object; all such names are listed.
    """
    unfit = [field.name for field in fields if not field.name.isidentifier() or keyword.iskeyword(field.name)]
    if unfit:
        hint = "use letters, digits and underscores, and no word of Python's"
        raise SchemaError([Problem(f"{name}.{field}", "cannot be an attribute", hint=hint) for field in unfit])
    return msgspec.defstruct(
        name,
        [
            (field.name, _type_of(field), field.default)
            if not field.required
            else (field.name, _type_of(field))
            for field in fields
        ],
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
        gc=False,  # scalars only: no cycle can start here
    )


def _type_of(field: Field) -> Any:
    inner: Any
    if field.kind == "int":
        inner = Annotated[
            int, msgspec.Meta(ge=_whole(field.minimum, INT_MIN), le=_whole(field.maximum, INT_MAX))
        ]
    elif field.kind == "float":
        inner = Annotated[float, msgspec.Meta(ge=field.minimum, le=field.maximum)]
    elif field.kind == "text":
        inner = (
            Literal[field.categories]
            if field.categories
            else Annotated[str, msgspec.Meta(max_length=field.length_max)]
        )
    elif field.kind == "timestamp":
        inner = Annotated[dt.datetime, msgspec.Meta(tz=True)]
    else:
        inner = bool
    return inner | None if field.nullable else inner


def _whole(bound: float | None, otherwise: int) -> int:
    return otherwise if bound is None else int(bound)


def fields_of(struct: type[msgspec.Struct]) -> list[Field]:
    """The fields of a struct type.

    Raises:
        SchemaError: the struct allows unknown fields, or a field is not flat; all are named.
    """
    info = mi.type_info(struct)
    if not isinstance(info, mi.StructType):
        raise SchemaError(Problem(getattr(struct, "__name__", str(struct)), "not a msgspec.Struct"))
    problems: list[Problem] = []
    if not info.forbid_unknown_fields:
        problems.append(
            Problem(
                struct.__name__,
                "unknown fields would be dropped in silence",
                hint=f"class {struct.__name__}(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True)",
            )
        )
    fields: list[Field] = []
    for part in info.fields:
        try:
            fields.append(_field_of(part))
        except SchemaError as error:
            problems += [
                Problem(f"{struct.__name__}.{p.place}", p.what, p.available, p.hint) for p in error.problems
            ]
    if problems:
        raise SchemaError(problems)
    return fields


def _field_of(part: mi.Field) -> Field:
    inner, nullable = _without_null(part.type)
    name = part.encode_name
    if name != part.name:
        raise SchemaError(
            Problem(name, "renamed fields are not supported", hint="use one name in code, JSON and tables")
        )
    default = None if part.default in {msgspec.NODEFAULT, None} else part.default
    if part.default_factory is not msgspec.NODEFAULT:
        raise SchemaError(Problem(name, "a default made by a factory", hint="use a constant, or None"))
    if nullable and part.required:
        raise SchemaError(
            Problem(name, "may be null but not absent", hint="missing is one thing: write `| None = None`")
        )
    kind, limits = _kind_of(name, inner)
    return Field(name, kind, nullable=nullable, default=default, **limits)


def _without_null(kind: mi.Type) -> tuple[mi.Type, bool]:
    if isinstance(kind, mi.UnionType):
        rest = [part for part in kind.types if not isinstance(part, mi.NoneType)]
        if len(rest) == 1:
            return rest[0], True
    return kind, False


def _kind_of(name: str, kind: mi.Type) -> tuple[Kind, dict[str, Any]]:
    match kind:
        case mi.BoolType():
            return "bool", {}
        case mi.IntType(gt=None, lt=None, multiple_of=None):
            bounds = {"minimum": kind.ge, "maximum": kind.le}
            return "int", {k: v for k, v in bounds.items() if v not in {None, INT_MIN, INT_MAX}}
        case mi.FloatType(gt=None, lt=None, multiple_of=None):
            return "float", {"minimum": kind.ge, "maximum": kind.le}
        case mi.StrType(min_length=None, pattern=None):
            return "text", {"length_max": kind.max_length}
        case mi.LiteralType() if all(isinstance(value, str) for value in kind.values):
            return "text", {"categories": tuple(str(value) for value in kind.values)}
        case mi.DateTimeType():
            if kind.tz is not True:
                raise SchemaError(
                    Problem(
                        name,
                        "a datetime that may lack its UTC offset",
                        hint="Annotated[datetime, msgspec.Meta(tz=True)]",
                    )
                )
            return "timestamp", {}
        case mi.IntType() | mi.FloatType() | mi.StrType():
            raise SchemaError(
                Problem(name, "a limit that has no portable form", hint="use ge, le and max_length")
            )
        case _:
            raise SchemaError(
                Problem(
                    name,
                    f"{type(kind).__name__.removesuffix('Type').lower()} is not a flat kind",
                    available=(
                        "bool",
                        "int",
                        "float",
                        "str",
                        "datetime",
                        "Literal of texts",
                        "each | None = None",
                    ),
                )
            )
