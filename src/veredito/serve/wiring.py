"""The decision as one graph: the user's nodes, a node for each model, the pre-policy and the policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from time import perf_counter
from types import ModuleType
from typing import Any

import msgspec

from veredito import graph as vg
from veredito.decide import Decision, Policy, PrePolicy
from veredito.errors import GraphError, Problem, did_you_mean
from veredito.serve.predictor import Predictor
from veredito.serve.stages import STAGES_INPUT

DECISION = "decision"


def decision_graph(
    module: ModuleType,
    *,
    predictors: Mapping[str, tuple[Predictor, str]],
    policy: Policy,
    pre_policy: PrePolicy | None,
    sources: Sequence[str],
) -> vg.Graph:
    """The graph whose node ``decision`` is the whole decision.

    Args:
        module: where the user's nodes are.
        predictors: model name to the model and the node that gives its row.
        policy: decides when the pre-policy lets it.
        pre_policy: the cheap question; without one every event goes to the policy.
        sources: names that effects may ask for.

    Raises:
        GraphError: names collide or are missing; all are listed.
    """
    nodes = [value for value in vars(module).values() if isinstance(value, vg.Node)]
    problems = _problems(module, nodes, predictors, pre_policy)
    if problems:
        raise GraphError(problems)
    return vg.Graph(
        [
            *nodes,
            vg.input(STAGES_INPUT),
            *(_model_node(name, predictor, row) for name, (predictor, row) in predictors.items()),
            *_decision_nodes(policy, pre_policy, {*predictors, *(node.name for node in nodes)}),
        ],
        sources=tuple(sources),
    )


def input_node(module: ModuleType, event: type[msgspec.Struct]) -> str:
    """The name of the module's input that takes an event of that type.

    Raises:
        GraphError: there is none, or more than one.
    """
    inputs = [value for value in vars(module).values() if isinstance(value, vg.Input)]
    fitting = {node.name for node in inputs if node.type is event}
    if len(fitting) != 1:
        what = f"{len(fitting)} inputs of type {event.__name__}, where one is needed"
        available = tuple(node.name for node in inputs)
        hint = f'name = veredito.graph.input("name", {event.__name__})'
        raise GraphError(Problem(module.__name__, what, available=available, hint=hint))
    return fitting.pop()


def effects(graph: vg.Graph) -> tuple[str, ...]:
    """The names of a graph's effects."""
    return tuple(name for name, node in graph.nodes.items() if isinstance(node, vg.Effect))


def _problems(
    module: ModuleType,
    nodes: Sequence[vg.Node],
    predictors: Mapping[str, tuple[Predictor, str]],
    pre_policy: PrePolicy | None,
) -> list[Problem]:
    names = tuple(node.name for node in nodes)
    taken = {DECISION, "policy", "preliminary", STAGES_INPUT, *predictors}
    problems = [
        Problem(
            f"{module.__name__}.{name}",
            "the name belongs to a model or to the service",
            hint="rename the node",
        )
        for name in names
        if name in taken
    ]
    wanted = {f"[models.{name}].features": row for name, (_, row) in predictors.items()}
    if pre_policy is not None:
        wanted["[decision].pre_policy.node"] = pre_policy.node
    problems += [
        Problem(place, f"no node '{name}'", available=names, hint=did_you_mean(name, names))
        for place, name in wanted.items()
        if name not in names
    ]
    return problems


def _model_node(name: str, predictor: Predictor, row: str) -> vg.Node:
    def predict(features: Any, stages: Any) -> Any:
        return predictor.predict([features], stages)[0]

    return vg.Pure(name, predict, needs=(row, STAGES_INPUT))


def _decision_nodes(policy: Policy, pre_policy: PrePolicy | None, nodes: AbstractSet[str]) -> list[vg.Node]:
    needs = (*(_need(name, nodes) for name in policy.needs), STAGES_INPUT)
    if pre_policy is None:
        return [vg.Pure(DECISION, _timed(policy), needs=needs)]
    return [
        vg.Pure("policy", _timed(policy), needs=needs),
        vg.value("preliminary", pre_policy.preliminary),
        vg.choose(DECISION, when=pre_policy.node, then="policy", otherwise="preliminary"),
    ]


def _need(name: str, nodes: AbstractSet[str]) -> str | vg.OutcomeOf:
    """A rule's parameter is a node; ``<node>_outcome``, where there is no such node, is that node's outcome.

    Rules are mostly lambdas, which cannot be annotated as a pure node's parameters are.
    """
    asked = name.removesuffix("_outcome")
    return vg.OutcomeOf(asked) if name not in nodes and asked in nodes else name


def _timed(policy: Policy) -> Callable[..., Decision]:
    needs = policy.needs

    def decide(*values: Any) -> Decision:
        *nodes, stages = values
        begun = perf_counter()
        decision = policy.decide(dict(zip(needs, nodes, strict=True)))
        stages.add("policy", perf_counter() - begun)
        return decision

    return decide
