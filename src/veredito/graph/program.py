"""A program: the units that a run schedules, and the generated code that they run.

A *unit* is an effect, a branch, or a region of pure nodes. Regions are written out as Python, one line a
node in needs-first order, because a call written by hand is the fastest call there is. A line's number
tells which node raised, so the fast path pays nothing for knowing.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from veredito.graph.elements import aover_elements, blocking, over_elements
from veredito.graph.guarded import GuardedEffect
from veredito.graph.nodes import WORKERS, Each, Effect, Pure, Value, is_async, waits
from veredito.graph.shape import ROOT, Shape, members

REGION, EFFECT, BRANCH = range(3)


class _Unset:
    def __repr__(self) -> str:
        return "UNSET"


UNSET: Any = _Unset()
"""A slot whose node has not produced a value. `None` is an ordinary value."""


@dataclasses.dataclass(frozen=True, slots=True)
class Program:
    """What all runs of a plan share. Immutable.

    Args:
        template: values by node, as a run begins.
        kinds: of units.
        members: of units, node numbers in order.
        unit_of: by node; -1 is given.
        before: by node, the one that runs just before it in its region.
        gates: units that are demanded together and wait for the same; they become ready together.
        left: by gate, how many units it waits for.
        following: by unit, the gates that wait for it.
        opens: by arm, the gates that taking it demands.
        functions: by node number, what is called for it.
        coroutines: the nodes whose function gives a coroutine.
        code: by unit, the generated function: a region's body, or an effect's call.
        source: the generated text.
    """

    template: tuple[Any, ...]
    kinds: tuple[int, ...]
    members: tuple[tuple[int, ...], ...]
    unit_of: tuple[int, ...]
    before: tuple[int | None, ...]
    gates: tuple[tuple[int, ...], ...]
    left: tuple[int, ...]
    following: tuple[tuple[int, ...], ...]
    opens: Mapping[int, tuple[int, ...]]
    functions: Mapping[int, Callable[..., Any]]
    coroutines: frozenset[int]
    code: tuple[Callable[..., Any], ...]
    source: str


def program_of(shape: Shape) -> Program:
    """Compile a shape."""
    kinds, grouped, unit_of, owners = _units(shape)
    awaited = [_awaited_units(unit, nodes, shape, unit_of) for unit, nodes in enumerate(grouped)]
    gates = _gates(owners, awaited)
    following: list[list[int]] = [[] for _ in grouped]
    opens: dict[int, list[int]] = {ROOT: []}
    for gate, (owner, units) in enumerate(gates):
        for unit in units:
            following[unit].append(gate)
        for arm in members(owner):
            opens.setdefault(arm, []).append(gate)
    functions = {at: _function(node) for at, node in enumerate(shape.nodes) if isinstance(node, WORKERS)}
    source, code = _generate(shape, kinds, grouped, functions)
    return Program(
        template=tuple(node.value if isinstance(node, Value) else UNSET for node in shape.nodes),
        kinds=tuple(kinds),
        members=tuple(tuple(nodes) for nodes in grouped),
        unit_of=tuple(unit_of),
        before=_befores(len(shape.names), grouped),
        gates=tuple(tuple(units) for units in gates.values()),
        left=tuple(len(units) for _, units in gates),
        following=tuple(tuple(behind) for behind in following),
        opens={arm: tuple(opened) for arm, opened in opens.items()},
        functions=functions,
        coroutines=frozenset(
            at
            for at, function in functions.items()
            if isinstance(function, GuardedEffect) or is_async(function)
        ),
        code=code,
        source=source,
    )


def _units(shape: Shape) -> tuple[list[int], list[list[int]], list[int], list[int]]:
    kinds: list[int] = []
    grouped: list[list[int]] = []
    owners: list[int] = []
    unit_of = [-1] * len(shape.names)
    regions: dict[tuple[int, int], int] = {}
    for at in shape.order:
        node = shape.nodes[at]
        if at in shape.given or node is None:
            continue
        if at in shape.branches or waits(node):
            unit = len(kinds)
            kinds.append(BRANCH if at in shape.branches else EFFECT)
        else:
            unit = regions.setdefault((shape.owners[at], shape.waits[at]), len(kinds))
            if unit == len(kinds):
                kinds.append(REGION)
        if unit == len(grouped):
            grouped.append([])
            owners.append(shape.owners[at])
        grouped[unit].append(at)
        unit_of[at] = unit
    return kinds, grouped, unit_of, owners


def _befores(count: int, grouped: Sequence[Sequence[int]]) -> tuple[int | None, ...]:
    before: list[int | None] = [None] * count
    for nodes in grouped:
        for one, two in itertools.pairwise(nodes):
            before[two] = one
    return tuple(before)


def _awaited_units(unit: int, nodes: Sequence[int], shape: Shape, unit_of: Sequence[int]) -> frozenset[int]:
    return frozenset(unit_of[need] for at in nodes for need in shape.needs[at]) - {unit, -1}


def _gates(
    owners: Sequence[int], awaited: Sequence[frozenset[int]]
) -> dict[tuple[int, frozenset[int]], list[int]]:
    """Units by owners and by what they wait for."""
    gates: dict[tuple[int, frozenset[int]], list[int]] = {}
    for unit, key in enumerate(zip(owners, awaited, strict=True)):
        gates.setdefault(key, []).append(unit)
    return gates


def _generate(
    shape: Shape,
    kinds: Sequence[int],
    grouped: Sequence[Sequence[int]],
    functions: Mapping[int, Callable[..., Any]],
) -> tuple[str, tuple[Callable[..., Any], ...]]:
    """The text of every unit's function, compiled in one go."""
    scope: dict[str, Any] = {f"f{at}": function for at, function in functions.items()}
    scope |= {"now": time.monotonic, "no_code": _no_code}
    lines: list[str] = []
    names: list[str] = []
    for unit, nodes in enumerate(grouped):
        names.append("no_code" if kinds[unit] == BRANCH else f"unit_{unit}")
        if kinds[unit] == REGION:
            lines.append(f"def unit_{unit}(V, F, run):")
            lines.extend(_region(nodes, shape))
        elif kinds[unit] == EFFECT:
            lines.append(f"def unit_{unit}(V, run): return f{nodes[0]}({_arguments(nodes[0], shape, set())})")
    source = "\n".join(lines) + "\n"
    exec(compile(source, "<veredito plan>", "exec"), scope)  # noqa: S102 - our own text, of numbers only
    return source, tuple(scope[name] for name in names)


def _region(nodes: Sequence[int], shape: Shape) -> list[str]:
    lines = []
    known: set[int] = set()
    for at in nodes:
        lines.append(f"    V[{at}] = v{at} = f{at}({_arguments(at, shape, known)}); F[{at}] = now()")
        known.add(at)
    return lines


def _arguments(at: int, shape: Shape, known: set[int]) -> str:
    node = shape.nodes[at]
    texts = [
        f"run.outcome({need})" if outcome else f"v{need}" if need in known else f"V[{need}]"
        for need, outcome in shape.takes[at]
    ]
    keywords: tuple[str, ...] = getattr(node, "keywords", ())
    plain = len(texts) - len(keywords)
    return ", ".join(
        texts[:plain] + [f"{name}={text}" for name, text in zip(keywords, texts[plain:], strict=True)]
    )


def _function(node: Pure | Effect | Each) -> Callable[..., Any]:
    if isinstance(node, Pure):
        return node.function
    if isinstance(node, Effect):
        function = node.function if is_async(node.function) else blocking(node.function)
        return function if node.policies is None else GuardedEffect(node, function, node.policies)
    return (
        aover_elements(node.function, node.in_flight_max)
        if is_async(node.function)
        else over_elements(node.function)
    )


def _no_code() -> None:
    """Branches are decided by the engine; they have no code of their own."""
