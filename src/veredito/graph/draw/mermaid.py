"""A graph as Mermaid text, for pages that draw it themselves."""

from __future__ import annotations

from veredito.graph.build import Graph
from veredito.graph.draw.sketch import Box, sketch
from veredito.graph.plan import Plan

_SHAPES = {"input": ("([", "])"), "value": ("(", ")"), "branch": ("{{", "}}"), "effect": ("[/", "/]")}
_CLASSES = (
    "classDef effect fill:#fff1e0,stroke:#d97706,color:#111827",
    "classDef branch fill:#f1eafc,stroke:#7c3aed,color:#111827",
    "classDef input fill:#e8eef7,stroke:#5b7db1,color:#111827",
)


def mermaid(drawn: Graph | Plan) -> str:
    """The Mermaid flowchart of a graph, or of what a plan needs of it.

    Args:
        drawn: a graph, or a plan.

    Example:
        >>> from veredito import graph as vg
        >>> print(mermaid(vg.Graph([vg.input("amount"), vg.Pure("large", lambda amount: amount > 100)])))
        flowchart LR
          n0(["amount<br/><small>input</small>"]):::input
          n1["large"]
          n0 --> n1
          classDef effect fill:#fff1e0,stroke:#d97706,color:#111827
          classDef branch fill:#f1eafc,stroke:#7c3aed,color:#111827
          classDef input fill:#e8eef7,stroke:#5b7db1,color:#111827
    """
    drawing = sketch(drawn)
    number = {box.name: f"n{at}" for at, box in enumerate(drawing.boxes)}
    lines = [f"  {number[box.name]}{_box(box)}" for box in drawing.boxes]
    for line in drawing.lines:
        arrow = f"-. {_text(line.label)} .->" if line.label else "-->"
        lines.append(f"  {number[line.start]} {arrow} {number[line.end]}")
    return "\n".join(["flowchart LR", *lines, *(f"  {text}" for text in _CLASSES)])


def _box(box: Box) -> str:
    left, right = _SHAPES.get(box.kind, ("[", "]"))
    detail = f"<br/><small>{_text(box.detail)}</small>" if box.detail else ""
    style = f":::{box.kind}" if box.kind in {"effect", "branch", "input"} else ""
    return f'{left}"{_text(box.name)}{detail}"{right}{style}'


def _text(text: str) -> str:
    """Mermaid reads markup and quotes in labels; entities keep them as they are."""
    return text.replace("&", "&amp;").replace('"', "#quot;").replace("<", "&lt;").replace(">", "&gt;")
