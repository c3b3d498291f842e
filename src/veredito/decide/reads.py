"""What a condition reads, found in its code: ``lambda fraud: fraud.prediction > 0.9`` reads
``fraud.prediction``.

The record keeps what the rules read, and not the whole of what they were given. Wrapping each argument in an
object that takes notes would make every rule slow and every comparison subtle; the code says it once, when
the policy is built. What is passed on whole is noted whole.
"""  # noqa: D205 - the example is the sentence

from __future__ import annotations

import dis
import types
from collections.abc import Mapping
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str, ...]


def paths_read(function: types.FunctionType) -> tuple[Path, ...]:
    """The parameters and the chains of attributes that a function's code reads, in order.

    Example:
        >>> paths_read(lambda fraud, customer: customer is None and fraud.prediction > 0.9)
        (('customer',), ('fraud', 'prediction'))
    """
    code = function.__code__
    parameters = set(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    found: dict[Path, None] = {}
    current: Path | None = None
    for instruction in dis.get_instructions(code):
        if current and instruction.opname in {"LOAD_ATTR", "LOAD_METHOD"}:
            current = (*current, instruction.argval)
            continue
        if current:
            found[current] = None
            current = None
        if instruction.opname.startswith(("LOAD_FAST", "LOAD_DEREF")):
            names = instruction.argval if isinstance(instruction.argval, tuple) else (instruction.argval,)
            found |= dict.fromkeys((name,) for name in names[:-1] if name in parameters)
            current = (names[-1],) if names[-1] in parameters else None
    return tuple(found)


def read(paths: tuple[Path, ...], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The values at those paths. Where a path ends in a method, what it was called on."""
    values: dict[str, Any] = {}
    for path in paths:
        value = arguments.get(path[0])
        followed = path[:1]
        for name in path[1:]:
            following = getattr(value, name, None)
            if callable(following):  # a method: what it was called on was read, its code is not data
                break
            value, followed = following, (*followed, name)
        values[".".join(followed)] = value
    return values
