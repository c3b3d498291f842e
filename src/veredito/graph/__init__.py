"""The decision graph: declare what is needed from what; run it at the speed of its critical path, never late."""

from veredito.graph.build import Graph
from veredito.graph.declare import all_of, any_of, choose, cond, each, effect, input, pure, value  # noqa: A004
from veredito.graph.nodes import (
    NO_DEFAULT,
    AllOf,
    AnyOf,
    Choose,
    Cond,
    Each,
    Effect,
    Input,
    Node,
    Pure,
    Value,
)
from veredito.graph.plan import Plan
from veredito.graph.run import Run, TimedOutError
from veredito.graph.signature import OutcomeOf
from veredito.graph.trace import Span, Trace
from veredito.types import Outcome

__all__ = [
    "NO_DEFAULT",
    "AllOf",
    "AnyOf",
    "Choose",
    "Cond",
    "Each",
    "Effect",
    "Graph",
    "Input",
    "Node",
    "Outcome",
    "OutcomeOf",
    "Plan",
    "Pure",
    "Run",
    "Span",
    "TimedOutError",
    "Trace",
    "Value",
    "all_of",
    "any_of",
    "choose",
    "cond",
    "each",
    "effect",
    "input",
    "pure",
    "value",
]
