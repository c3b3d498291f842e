"""Dependencies from parameter names.

A parameter names the node or source it needs. A parameter with a Python default keeps that default: it is
the function's own business and no dependency. A parameter annotated `Outcome` asks how another node's value
came to be: it is called ``<node>_outcome``, or says the node in ``Annotated[Outcome, "<node>"]``.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
import types
from collections.abc import Callable, Iterator
from typing import Annotated, Any, NamedTuple, TypeAlias, get_args, get_origin

from veredito.errors import Problem
from veredito.types import Outcome

_SUFFIX = "_outcome"
# Postponed annotations are text; evaluating them would need the module to be complete, so they are matched.
_PLAIN = re.compile(r"^(?:\w+\.)*Outcome$")
_ANNOTATED = re.compile(r"^(?:\w+\.)*Annotated\[\s*(?:\w+\.)*Outcome\s*,\s*[\"']([^\"']+)[\"']\s*\]$")
_VARIADIC = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS


@dataclasses.dataclass(frozen=True, slots=True)
class OutcomeOf:
    """A need for a node's outcome rather than its value. It never fails, even where the node did."""

    node: str

    def __str__(self) -> str:
        return f"outcome of {self.node}"


Need: TypeAlias = str | OutcomeOf


class Parameters(NamedTuple):
    """What a function asks for: needs by position, the last ones by keyword, and what is wrong with it."""

    needs: tuple[Need, ...]
    keywords: tuple[str, ...]
    faults: tuple[Problem, ...]


def need_name(need: Need) -> str:
    """The node or source that a need is about."""
    return need if isinstance(need, str) else need.node


def read_parameters(name: str, function: Callable[..., Any], skip: int = 0) -> Parameters:
    """The needs of a function, from its parameters.

    Args:
        name: the node's name, for messages.
        function: any callable whose signature can be read.
        skip: leading parameters that are no needs (the element of `each`).
    """
    place = f"node '{name}'"
    try:
        positional, keywords = _names(function)
    except ValueError as error:
        return Parameters((), (), (Problem(place, str(error), hint="give needs=(...) yourself"),))
    if len(positional) < skip:
        return Parameters(
            (),
            (),
            (Problem(place, "the function takes no element", hint="its first parameter is the element"),),
        )
    annotations = getattr(function, "__annotations__", {})
    needs: list[Need] = []
    faults: list[Problem] = []
    for parameter in (*positional[skip:], *keywords):
        try:
            needs.append(_need(parameter, annotations[parameter]) if parameter in annotations else parameter)
        except ValueError as error:
            faults.append(
                Problem(
                    place,
                    str(error),
                    hint=f"call it '<node>{_SUFFIX}', or annotate it Annotated[Outcome, '<node>']",
                )
            )
    return Parameters(tuple(needs), tuple(keywords), tuple(faults))


def given_needs(name: str, function: Callable[..., Any], needs: tuple[Any, ...], skip: int = 0) -> Parameters:
    """Needs that were written down, checked against the function that is called with them, by position.

    Args:
        name: the node's name, for messages.
        function: the callable.
        needs: as written down.
        skip: leading parameters that are no needs (the element of `each`).
    """
    place = f"node '{name}'"
    faults = [
        Problem(place, f"needs has a {type(need).__name__}, which is no name", hint="give the node's name")
        for need in needs
        if not isinstance(need, str | OutcomeOf)
    ]
    least, most = _arity(function)
    if not least <= len(needs) + skip <= most:
        takes = f"{least}" if least == most else f"{least} to {most}"
        given = f"{len(needs)} needs" + (" and an element" if skip else "")
        faults.append(Problem(place, f"its function takes {takes} arguments, and is given {given}"))
    return Parameters(() if faults else needs, (), tuple(faults))


def _arity(function: Callable[..., Any]) -> tuple[int, float]:
    """How many arguments by position a function takes, at least and at most; anything, where it cannot be read."""
    if type(function) is types.FunctionType and not hasattr(function, "__wrapped__"):
        code, defaults = function.__code__, len(function.__defaults__ or ())
        if not code.co_flags & _VARIADIC and not code.co_kwonlyargcount:
            return code.co_argcount - defaults, code.co_argcount
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 0, math.inf
    placed = [one for one in parameters if one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD}]
    endless = any(one.kind is one.VAR_POSITIONAL for one in parameters)
    return sum(one.default is one.empty for one in placed), math.inf if endless else len(placed)


def _names(function: Callable[..., Any]) -> tuple[list[str], list[str]]:
    """Parameters without defaults: positional, keyword-only. `ValueError` where they cannot be known."""
    if type(function) is types.FunctionType and not hasattr(function, "__wrapped__"):
        code = (
            function.__code__
        )  # ten times faster than inspect.signature, and graphs have thousands of these
        if not code.co_flags & _VARIADIC and not code.co_kwonlyargcount:
            return list(code.co_varnames[: code.co_argcount - len(function.__defaults__ or ())]), []
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise ValueError("the parameters of this callable cannot be read") from None
    return list(_without_default(parameters, positional=True)), list(
        _without_default(parameters, positional=False)
    )


def _without_default(parameters: Any, *, positional: bool) -> Iterator[str]:
    for parameter in parameters:
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            raise ValueError(f"'{parameter}' does not say what the function needs")
        if (
            parameter.default is parameter.empty
            and (parameter.kind is not parameter.KEYWORD_ONLY) is positional
        ):
            yield parameter.name


def _need(parameter: str, annotation: Any) -> Need:
    if isinstance(annotation, str):
        if match := _ANNOTATED.match(annotation):
            return OutcomeOf(match[1])
        return _by_suffix(parameter) if _PLAIN.match(annotation) else parameter
    if annotation is Outcome:
        return _by_suffix(parameter)
    if get_origin(annotation) is Annotated and get_args(annotation)[0] is Outcome:
        return OutcomeOf(str(get_args(annotation)[1]))
    return parameter


def _by_suffix(parameter: str) -> OutcomeOf:
    if not parameter.endswith(_SUFFIX) or parameter == _SUFFIX:
        raise ValueError(f"parameter '{parameter}' is an Outcome, of no node")
    return OutcomeOf(parameter.removesuffix(_SUFFIX))
