"""What a picture shows, before anything is placed: boxes and lines, with their words."""

from __future__ import annotations

import dataclasses

from veredito.graph.build import Graph
from veredito.graph.checks import edges
from veredito.graph.nodes import BRANCHES, NO_DEFAULT, Each, Effect, Input, Node, Value, waits
from veredito.graph.plan import Plan
from veredito.graph.signature import need_name
from veredito.graph.trace import Span, Trace

_SHOWN_MAX = 34  # characters of a detail line; a box wider than that hides its neighbours


@dataclasses.dataclass(frozen=True, slots=True)
class Box:
    """One node: its kind decides the shape, its state the colour."""

    name: str
    kind: str
    detail: str
    state: str


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One dependency, from what is needed to who needs it; `label` is a branch's place."""

    start: str
    end: str
    label: str
    implied: bool
    critical: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Sketch:
    """Boxes, needs first, and lines."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def sketch(drawn: Graph | Plan, trace: Trace | None = None) -> Sketch:
    """The boxes and lines of a graph or of what a plan needs of it, coloured by a run where there is one.

    Inputs whose names begin with an underscore are left out.
    """
    graph = drawn.graph if isinstance(drawn, Plan) else drawn
    names = [
        name
        for name in (drawn.nodes if isinstance(drawn, Plan) else _ordered(graph))
        if not _is_bookkeeping(graph.nodes[name])
    ]
    spans = {span.node: span for span in trace.spans} if trace else {}
    on_path = set(zip(trace.critical_path, trace.critical_path[1:], strict=False)) if trace else set()
    boxes = tuple(_box(graph.nodes[name], graph, spans.get(name), ran=trace is not None) for name in names)
    return Sketch(boxes, tuple(_lines(graph, names, on_path)))


def duration(microseconds: float) -> str:
    """A time to read: in milliseconds from one on."""
    return f"{microseconds / 1e3:.1f} ms" if microseconds >= 1e3 else f"{microseconds:.0f} µs"


def _is_bookkeeping(node: Node) -> bool:
    """An input of a program's own, by its underscore: it is no part of the decision."""
    return isinstance(node, Input) and node.name.startswith("_")


def _ordered(graph: Graph) -> list[str]:
    from veredito.graph.shape import shape_of

    shape = shape_of(graph.nodes, list(graph.nodes))
    return [name for name, node in zip(shape.names, shape.nodes, strict=True) if node is not None]


def _box(node: Node, graph: Graph, span: Span | None, *, ran: bool) -> Box:
    kind = "branch" if isinstance(node, BRANCHES) else "effect" if waits(node) else node.kind
    state = (span.outcome.kind if span else "skipped") if ran else ""
    return Box(node.name, kind, _cut(_detail(node, graph, span)), state)


def _detail(node: Node, graph: Graph, span: Span | None) -> str:
    if span is not None and span.finish_us is not None and span.kind not in {"value", "input"}:
        took = duration(span.finish_us - (span.start_us or 0.0))
        return f"{took} {span.outcome}" if not span.outcome.ok else took
    if isinstance(node, Value):
        return repr(node.value)
    if isinstance(node, Input):
        return node.type.__name__ if node.type else "input"
    if isinstance(node, BRANCHES):
        return node.kind
    sources = [need_name(need) for need in node.needs or () if need_name(need) in graph.sources]
    parts = ["each"] if isinstance(node, Each) else []
    parts += [", ".join(sources)] if sources else []
    parts += [f"{node.timeout_ms:g} ms"] if isinstance(node, Effect | Each) and node.timeout_ms else []
    parts += [f"else {node.default!r}"] if node.default is not NO_DEFAULT else []
    return " · ".join(parts)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 1] + "…"


def _lines(graph: Graph, names: list[str], on_path: set[tuple[str, str]]) -> list[Line]:
    """All lines; those that a longer way implies are marked, so that a picture can keep them quiet."""
    place = {name: at for at, name in enumerate(names)}
    reach: dict[str, int] = {}
    lines = []
    for name in names:
        needed = {need: label for need, label in reversed(list(edges(graph.nodes[name]))) if need in place}
        behind = 0
        for need in sorted(needed, key=place.__getitem__, reverse=True):
            label = needed[need] or ""
            lines.append(
                Line(
                    need, name, label, bool(behind >> place[need] & 1) and not label, (need, name) in on_path
                )
            )
            behind |= reach[need]
        reach[name] = behind | 1 << place[name]
    return lines
