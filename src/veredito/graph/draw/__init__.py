"""Pictures of graphs and runs, without any program outside: SVG, Mermaid, and a run's waterfall."""

from veredito.graph.draw.mermaid import mermaid
from veredito.graph.draw.svg import svg
from veredito.graph.draw.waterfall import waterfall

__all__ = ["mermaid", "svg", "waterfall"]
