"""What can be wrong with nodes, found before anything runs, in time linear in nodes and edges."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from veredito.errors import Problem, did_you_mean
from veredito.graph.nodes import BRANCHES, NO_DEFAULT, WORKERS, Each, Effect, Input, Node, Pure, is_async
from veredito.graph.resilience.settings import Policies
from veredito.graph.signature import need_name


def edges(node: Node) -> Iterator[tuple[str, str | None]]:
    """Every name that a node refers to, taken arms or not, with its place in a branch (`None`: a need)."""
    if isinstance(node, BRANCHES):
        tests, last = node.tests()
        for test in tests:
            yield test.node, "when" if test.mode == "boolean" else test.place
            if test.taken != test.node:
                yield test.taken, test.place
        yield last, "otherwise" if node.kind in {"choose", "cond"} else f"operand {len(tests) + 1}"
    elif isinstance(node, WORKERS):
        if isinstance(node, Each):
            yield node.over, "over"
        for need in node.needs or ():
            yield need_name(need), None


def problems_of(listed: Sequence[Node], nodes: Mapping[str, Node], sources: Sequence[str]) -> list[Problem]:
    """Every problem of these nodes together."""
    problems = [fault for node in listed for fault in getattr(node, "faults", ())]
    sound = [node for node in listed if not getattr(node, "faults", ())]
    problems += _sources(nodes, sources)
    problems += [problem for node in sound for problem in _settings(node)]
    problems += [problem for node in sound for problem in _missing(node, nodes, sources)]
    problems += [problem for node in sound for problem in _conditions(node, nodes)]
    return problems + _cycles({node.name: node for node in sound})


def _sources(nodes: Mapping[str, Node], sources: Sequence[str]) -> Iterator[Problem]:
    given: Sequence[Any] = sources  # whatever was written
    for name in given:
        if not isinstance(name, str):
            yield Problem("sources", f"a {type(name).__name__} is no name")
        elif name in nodes:
            yield Problem(f"source '{name}'", "a node has this name", hint="rename one of the two")


def _settings(node: Node) -> Iterator[Problem]:
    place = f"node '{node.name}'"
    if isinstance(node, Pure) and is_async(node.function):
        yield Problem(place, "a pure node is not async", hint="what waits is an effect: @effect")
    if isinstance(node, WORKERS) and _gives_once(node.function):
        yield Problem(
            place, "is a generator, and its values could be read only once", hint="return a list instead"
        )
    kind: Any = node.type if isinstance(node, Input) else None  # whatever was written
    if not isinstance(kind, type | types.UnionType | None):
        yield Problem(place, f"its type is a {type(kind).__name__}, not a class")
    if isinstance(node, Effect | Each) and node.timeout_ms is not None and not is_duration(node.timeout_ms):
        yield Problem(
            place,
            "timeout_ms must be a number above 0",
            hint="leave it out to have the run's deadline only",
        )
    if isinstance(node, Effect) and node.policies is not None:
        yield from _policies(place, node.policies)
    if isinstance(node, Each):
        if type(node.in_flight_max) is not int or node.in_flight_max < 1:
            yield Problem(place, "in_flight_max must be a whole number, at least 1")
        if node.timeout_ms is not None and not is_async(node.function):
            yield Problem(
                place,
                "timeout_ms has no effect on a function that does not wait",
                hint="make the function async, or leave timeout_ms out",
            )
    for kind, _ in getattr(node, "on_error", ()):
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            yield Problem(place, "on_error has a key that is no exception type")


def is_duration(number: Any) -> bool:
    """Whether it is a number above 0; NaN and booleans are none."""
    return isinstance(number, int | float) and not isinstance(number, bool) and number > 0


def _gives_once(function: Any) -> bool:
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def _policies(place: str, policies: Policies) -> Iterator[Problem]:
    """Policies that were made in code, which nothing has checked so far."""
    for settings in (policies, *msgspec.structs.astuple(policies)):
        if isinstance(settings, msgspec.Struct):
            try:
                msgspec.convert(msgspec.structs.asdict(settings), type(settings))
            except msgspec.ValidationError as error:
                what = f"{type(settings).__name__}: {error}"
                yield Problem(place, what, hint="write it as in limit=Limit(in_flight_max=8)")


def _missing(node: Node, nodes: Mapping[str, Node], sources: Sequence[str]) -> Iterator[Problem]:
    name: Any  # whatever was written
    for name, place in edges(node):
        asker = f"node '{node.name}'" + (f", {place}" if place else "")
        if not isinstance(name, str):
            yield Problem(asker, f"a {type(name).__name__} is neither a node nor the name of one")
        elif name in sources and place is not None:
            yield Problem(asker, f"'{name}' is a source", hint="only functions may ask for sources")
        elif name not in nodes and name not in sources:
            available = (*nodes, *sources)
            hint = did_you_mean(name, available) or "declare it as a node, or name it among the sources"
            yield Problem(asker, f"needs '{name}', and there is no such node", available, hint)


def _conditions(node: Node, nodes: Mapping[str, Node]) -> Iterator[Problem]:
    """A default on a condition picks an arm, so it has to be a boolean that somebody wrote down."""
    if not isinstance(node, BRANCHES):
        return
    for test in node.tests()[0]:
        asked = nodes.get(test.node)
        if test.mode == "boolean" and isinstance(asked, WORKERS):
            stands_in = [value for _, value in asked.on_error]
            if asked.default is not NO_DEFAULT:
                stands_in.append(asked.default)
            if any(not isinstance(value, bool) for value in stands_in):
                yield Problem(
                    f"node '{asked.name}'",
                    f"is a condition of '{node.name}', and its default is not a boolean",
                    hint="write default=True or default=False, or leave it out: then the branch fails with it",
                )


def _cycles(nodes: Mapping[str, Node]) -> list[Problem]:
    """Depth first with a stack of our own: a graph may be 10,000 deep."""
    finished: set[str] = set()
    problems: list[Problem] = []
    for start in nodes:
        if start in finished:
            continue
        path: dict[str, Iterator[tuple[str, str | None]]] = {start: edges(nodes[start])}
        while path:
            name = next(reversed(path))
            for needed, _ in path[name]:
                if needed in path:
                    names = list(path)
                    problems.append(_cycle([*names[names.index(needed) :], needed]))
                elif needed in nodes and needed not in finished:
                    path[needed] = edges(nodes[needed])
                    break
            else:
                finished.add(name)
                del path[name]
    return problems


def _cycle(names: list[str]) -> Problem:
    return Problem(
        f"node '{names[0]}'", "needs itself: " + " -> ".join(names), hint="break the circle at one of these"
    )
