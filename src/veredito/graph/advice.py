"""What is allowed and still looks wrong. Said as warnings, because a graph may serve several targets."""

from __future__ import annotations

import dis
import types
from collections.abc import Iterator, Mapping
from typing import Any

from veredito.errors import Problem, listing
from veredito.graph.nodes import NO_DEFAULT, WORKERS, Effect, Node
from veredito.graph.shape import Shape
from veredito.graph.signature import need_name


def advice(nodes: Mapping[str, Node], shape: Shape) -> tuple[Problem, ...]:
    """The warnings for a plan of this shape over these nodes."""
    planned = [node for node in shape.nodes if node is not None]
    found = list(_unused(nodes, shape))
    for node in planned:
        if isinstance(node, WORKERS):
            found += _unread(
                node.name, node.function, tuple(map(need_name, node.needs or ())), len(node.keywords)
            )
        if isinstance(node, Effect):
            found += _unprotected(node)
    return tuple(found)


def _unused(nodes: Mapping[str, Node], shape: Shape) -> Iterator[Problem]:
    unused = [name for name in nodes if name not in set(shape.names)]
    if unused:
        yield Problem(
            "plan", f"no target needs {listing(unused)}", hint="leave them out, or ask for them as targets"
        )


def _unprotected(node: Effect) -> Iterator[Problem]:
    place = f"node '{node.name}'"
    if node.timeout_ms is None:
        yield Problem(
            place, "an effect without timeout_ms", hint="only the run's deadline bounds it, if there is one"
        )
    if node.default is NO_DEFAULT:
        yield Problem(
            place, "an effect without a default", hint="when it fails, so does everything that needs it"
        )


def _unread(name: str, function: object, needs: tuple[str, ...], keywords: int) -> Iterator[Problem]:
    """Needs that the function is given and never reads: it waits for them in vain."""
    if not isinstance(function, types.FunctionType) or hasattr(function, "__wrapped__"):
        return
    code = function.__code__
    parameters = code.co_varnames[: code.co_argcount + keywords]
    read = set(_read(code))
    captured = set(code.co_cellvars)
    for parameter in parameters:
        if parameter in needs and parameter not in read | captured:
            yield Problem(
                f"node '{name}'",
                f"waits for '{parameter}' and never reads it",
                hint="drop the parameter, and it starts earlier",
            )


def _read(code: types.CodeType) -> Iterator[Any]:
    """The names that code loads; newer Pythons load two in one instruction, and name both."""
    for step in dis.get_instructions(code):
        if "LOAD" in step.opname:
            yield from step.argval if isinstance(step.argval, tuple) else (step.argval,)
