"""A graph as SVG: what waits is orange, branches are violet, and lines that say nothing new are pale."""

from __future__ import annotations

import itertools
from html import escape

from veredito.graph.build import Graph
from veredito.graph.draw.layout import Placed, place
from veredito.graph.draw.sketch import Box, Line, Sketch, sketch
from veredito.graph.plan import Plan
from veredito.graph.trace import Trace

_HEIGHT, _PADDING, _MARGIN, _GAP, _CUT = 36.0, 14.0, 24.0, 70.0, 9.0
_KINDS = {  # fill, border
    "input": ("#e8eef7", "#5b7db1"),
    "value": ("#f3f4f6", "#9ca3af"),
    "pure": ("#ffffff", "#4b5563"),
    "each": ("#ffffff", "#4b5563"),
    "effect": ("#fff1e0", "#d97706"),
    "branch": ("#f1eafc", "#7c3aed"),
}
_STATES = {
    "default": ("#fef9c3", "#ca8a04"),
    "failed": ("#fee2e2", "#dc2626"),
    "cached": ("#dcfce7", "#16a34a"),
}
_CRITICAL = "#be123c"
_STROKES = {"plain": ("#6b7280", 1.2), "implied": ("#d5d9e0", 1.0), "critical": (_CRITICAL, 2.4)}
_LEGEND = ("input", "value", "pure", "effect", "branch")


def svg(drawn: Graph | Plan, trace: Trace | None = None) -> str:
    """The picture of a graph, or of what a plan needs of it.

    Args:
        drawn: a graph, or a plan.
        trace: of a run: skipped nodes fade, defaults and failures show, the critical path is marked.

    Example:
        >>> from veredito import graph as vg
        >>> picture = svg(vg.Graph([vg.input("amount"), vg.Pure("large", lambda amount: amount > 100)]))
        >>> picture.startswith("<svg"), "large" in picture
        (True, True)
    """
    drawing = sketch(drawn, trace)
    sizes = {box.name: (_width(box), _HEIGHT) for box in drawing.boxes}
    late = frozenset(box.name for box in drawing.boxes if box.kind == "value")
    placed = place(sizes, [(line.start, line.end) for line in drawing.lines], late, _GAP)
    width, height = max(placed.width, 420.0) + 2 * _MARGIN, placed.height + 2 * _MARGIN + 28
    body = [*_lines(drawing, sizes, placed), *_boxes(drawing, sizes, placed), *_legend(height, trace)]
    return "\n".join([_head(width, height), *body, "</svg>", ""])


def _width(box: Box) -> float:
    return max(7.2 * len(box.name), 5.6 * len(box.detail), 30.0) + 2 * _PADDING


def _head(width: float, height: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" '
        f'font-family="Helvetica, Arial, sans-serif"><rect width="100%" height="100%" fill="#ffffff"/>'
        f"<defs>{''.join(map(_arrow, _STROKES))}</defs>"
    )


def _arrow(stroke: str) -> str:
    """An arrow's head in a line's colour; one for each, because few renderers know `context-stroke`."""
    return (
        f'<marker id="to-{stroke}" viewBox="0 0 8 8" refX="7" refY="4" markerUnits="userSpaceOnUse" '
        f'markerWidth="9" markerHeight="9" orient="auto">'
        f'<path d="M0,0.5 L8,4 L0,7.5 z" fill="{_STROKES[stroke][0]}"/></marker>'
    )


def _lines(drawing: Sketch, sizes: dict[str, tuple[float, float]], placed: Placed) -> list[str]:
    # Pale ones first, so that what matters lies on top.
    ordered = sorted(drawing.lines, key=lambda line: (line.critical, not line.implied))
    ports = _ports(drawing, placed)
    return [text for line in ordered for text in _line(line, sizes, placed, ports[line.start, line.end])]


def _ports(drawing: Sketch, placed: Placed) -> dict[tuple[str, str], float]:
    """How far down its box's side each line ends: at a branch apart, in order, so that its words have room."""
    kinds = {box.name: box.kind for box in drawing.boxes}
    arriving: dict[str, list[tuple[float, str]]] = {}
    for line in drawing.lines:
        way = placed.ways[line.start, line.end]
        arriving.setdefault(line.end, []).append(
            (way[-1][1] if way else placed.corners[line.start][1], line.start)
        )
    ports = {}
    for end, starts in arriving.items():
        apart = _HEIGHT / len(starts) if kinds[end] == "branch" else 0.0
        for at, (_, start) in enumerate(sorted(starts)):
            ports[start, end] = _HEIGHT / 2 + (at - (len(starts) - 1) / 2) * apart
    return ports


def _line(line: Line, sizes: dict[str, tuple[float, float]], placed: Placed, port: float) -> list[str]:
    (x1, y1), (x2, y2) = placed.corners[line.start], placed.corners[line.end]
    start = (x1 + sizes[line.start][0] + _MARGIN, y1 + _HEIGHT / 2 + _MARGIN)
    # A branch's side is a wedge: the further from its middle, the later the line meets it.
    inset = _CUT * abs(port - _HEIGHT / 2) / (_HEIGHT / 2)
    end = (x2 + _MARGIN - 1 + inset, y2 + port + _MARGIN)
    between = [(x + _MARGIN, y + _MARGIN) for x, y in placed.ways[line.start, line.end]]
    curves = (_curve(one, two) for one, two in itertools.pairwise([start, *between, end]))
    path = f"M{start[0]:.1f},{start[1]:.1f}" + "".join(curves)
    stroke = "critical" if line.critical else "implied" if line.implied else "plain"
    colour, width = _STROKES[stroke]
    dash = ' stroke-dasharray="5 4"' if line.label and line.label != "when" else ""
    texts = [
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dash} marker-end="url(#to-{stroke})"/>'
    ]
    if line.label:
        texts += _words(line.label, x2 + _MARGIN - 9, end[1] + 3)
    return texts


def _words(label: str, x: float, y: float) -> list[str]:
    """A line's words, on a halo of their own: not every renderer knows `paint-order`."""
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="9.5" text-anchor="end"'
    return [
        f'<text {place} stroke="#ffffff" stroke-width="4" aria-hidden="true">{escape(label)}</text>',
        f'<text {place} fill="#6d28d9">{escape(label)}</text>',
    ]


def _curve(one: tuple[float, float], two: tuple[float, float]) -> str:
    bend = (two[0] - one[0]) / 2
    return f" C{one[0] + bend:.1f},{one[1]:.1f} {two[0] - bend:.1f},{two[1]:.1f} {two[0]:.1f},{two[1]:.1f}"


def _boxes(drawing: Sketch, sizes: dict[str, tuple[float, float]], placed: Placed) -> list[str]:
    return [_draw(box, placed.corners[box.name], sizes[box.name][0]) for box in drawing.boxes]


def _draw(box: Box, corner: tuple[float, float], width: float) -> str:
    x, y = corner[0] + _MARGIN, corner[1] + _MARGIN
    fill, border = _STATES.get(box.state, _KINDS[box.kind])
    faded = ' opacity="0.35"' if box.state == "skipped" else ""
    round_by = {"input": 18, "value": 18, "branch": 0}.get(box.kind, 5)
    outline = f'fill="{fill}" stroke="{border}" stroke-width="1.3"'
    if box.kind == "branch":
        right, bottom = x + width, y + _HEIGHT
        middle = y + _HEIGHT / 2
        shape = f'<path d="M{x + _CUT:.1f},{y:.1f} H{right - _CUT:.1f} L{right:.1f},{middle:.1f} L{right - _CUT:.1f},{bottom:.1f} H{x + _CUT:.1f} L{x:.1f},{middle:.1f} z" {outline}/>'
    else:
        shape = f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{_HEIGHT:.0f}" rx="{round_by}" {outline}/>'
    centre = x + width / 2
    name = f'<text x="{centre:.1f}" y="{y + (15.5 if box.detail else 22):.1f}" font-size="13" text-anchor="middle" fill="#111827">{escape(box.name)}</text>'
    detail = (
        f'<text x="{centre:.1f}" y="{y + 28.5:.1f}" font-size="10" text-anchor="middle" fill="#4b5563">{escape(box.detail)}</text>'
        if box.detail
        else ""
    )
    return f"<g{faded}>{shape}{name}{detail}</g>"


def _legend(height: float, trace: Trace | None) -> list[str]:
    """What the colours mean, in one row."""
    entries = [(name, *_KINDS[name]) for name in _LEGEND]
    if trace is not None:
        entries += [(name, *_STATES[name]) for name in _STATES] + [("critical path", "#ffffff", _CRITICAL)]
    x, texts = _MARGIN, []
    for name, fill, border in entries:
        texts.append(
            f'<rect x="{x:.0f}" y="{height - 26:.0f}" width="12" height="12" rx="2" fill="{fill}" stroke="{border}"/>'
        )
        texts.append(
            f'<text x="{x + 17:.0f}" y="{height - 16:.0f}" font-size="11" fill="#4b5563">{name}</text>'
        )
        x += 6.2 * len(name) + 36
    return texts
