"""Settings: a table of a config file, read into a struct, with everything that is wrong said at once."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec

from veredito.errors import Problem, did_you_mean

S = TypeVar("S", bound=msgspec.Struct)


def read_settings(struct: type[S], table: Mapping[str, Any], place: str) -> tuple[S | None, list[Problem]]:
    """Read a config table into a struct type.

    Args:
        struct: the settings' type; nested structs, lists and string-keyed dicts of structs are followed.
            A `ValueError` from its `__post_init__` is a problem of the whole table.
        table: as TOML gives it.
        place: how the table is called in messages, such as ``[sources.crm]``.

    Returns:
        The settings, or `None` where there are problems; and every problem: unknown keys with the nearest
        known one, missing keys, values of the wrong type or out of bounds.

    Example:
        >>> class Port(msgspec.Struct):
        ...     number: int
        >>> [str(problem) for problem in read_settings(Port, {"nummer": 1}, "[port]")[1]]
        ["[port].nummer: unknown key; available: number. Hint: did you mean 'number'?", '[port].number: is required']
    """
    problems = _struct_problems(struct, table, place)
    return (None, problems) if problems else (msgspec.convert(dict(table), struct), [])


def _struct_problems(struct: type[msgspec.Struct], table: Any, place: str) -> list[Problem]:
    if not isinstance(table, Mapping):
        return [Problem(place, "must be a table")]
    known = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    problems = [
        Problem(
            _inside(place, key, holds_tables=isinstance(value, Mapping)),
            "unknown key",
            available=tuple(known),
            hint=did_you_mean(str(key), known),
        )
        for key, value in table.items()
        if key not in known
    ]
    for name, field in known.items():
        if name in table:
            problems += _value_problems(field.type, table[name], _place(place, name, field.type))
        elif field.required:
            problems.append(Problem(_place(place, name, field.type), "is required"))
    return problems or _plain_problems(struct, table, place)


def _value_problems(kind: Any, value: Any, place: str) -> list[Problem]:
    inner = _inner(kind)
    if _is_struct(inner) and not (value is None and inner is not kind):
        return _struct_problems(inner, value, place)
    origin, args = get_origin(inner), get_args(inner)
    if origin is dict and _is_struct(args[1]) and isinstance(value, Mapping):
        return [
            p for key, part in value.items() for p in _struct_problems(args[1], part, _nested(place, key))
        ]
    if origin in {list, tuple} and _is_struct(args[0]) and isinstance(value, list):
        return [p for i, part in enumerate(value) for p in _struct_problems(args[0], part, f"{place}[{i}]")]
    return _plain_problems(kind, value, place)


def _plain_problems(kind: Any, value: Any, place: str) -> list[Problem]:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return [Problem(place, _sentence(error))]
    return []


def _inner(kind: Any) -> Any:
    """The type without its annotations and without `None`."""
    if get_origin(kind) is Annotated:
        return _inner(get_args(kind)[0])
    if get_origin(kind) in {Union, types.UnionType}:
        rest = [part for part in get_args(kind) if part is not type(None)]
        return _inner(rest[0]) if len(rest) == 1 else kind
    return kind


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _place(place: str, name: str, kind: Any) -> str:
    inner = _inner(kind)
    holds_tables = _is_struct(inner) or (get_origin(inner) is dict and _is_struct(get_args(inner)[1]))
    return _inside(place, name, holds_tables=holds_tables)


def _inside(place: str, name: str, *, holds_tables: bool) -> str:
    """A table inside ``[a]`` is called ``[a.b]``, a plain key of it ``[a].b``: as the file writes them."""
    if holds_tables:
        return _nested(place, name)
    return f"{place}.{name}" if place else name


def _nested(place: str, name: str) -> str:
    if not place:
        return f"[{name}]"
    return f"{place[:-1]}.{name}]" if place.endswith("]") else f"{place}.{name}"


def _sentence(error: msgspec.ValidationError) -> str:
    """Msgspec's words, beginning small and without its own notion of the place."""
    text = str(error).partition(" - at `$")[0]
    return text[:1].lower() + text[1:]
