"""The differential law: on any graph every engine agrees with the reference, and runs each node at most once."""

import asyncio
import collections

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.graph.engines_under_test import ENGINES, execute_on

from veredito import graph as vg

KINDS = ["pure", "async", "waiting", "blocking"]
VALUES = [None, False, True, 0, 3, [1, 2], []]


class Recipe:
    """A graph that can be built again and again, each time with a count of what ran."""

    def __init__(self, specs, targets):
        self.specs, self.targets = specs, targets

    def build(self):
        ran = collections.Counter()
        nodes = [self.node(at, spec, ran) for at, spec in enumerate(self.specs)]
        return vg.Graph(nodes).plan([f"n{at}" for at in self.targets]), ran

    def node(self, at, spec, ran):
        name, kind, needs = f"n{at}", spec["kind"], tuple(f"n{need}" for need in spec["needs"])
        if kind == "value":
            return vg.Value(name, spec["value"])
        if kind == "choose":
            return vg.Choose(name, *needs[:3])
        if kind == "cond":
            return vg.Cond(name, ((needs[0], needs[1]), (needs[2], needs[3])), needs[4])
        if kind in {"any_of", "all_of"}:
            return (vg.AnyOf if kind == "any_of" else vg.AllOf)(name, needs)
        settings = {} if spec["default"] == "none" else {"default": spec["default"]}
        if kind == "each":
            return vg.Each(name, needs[0], *self.functions(name, spec, ran, needs[1:]), **settings)
        make = vg.Pure if spec["body"] == "pure" else vg.Effect
        return make(name, *self.functions(name, spec, ran, needs), **settings)

    def functions(self, name, spec, ran, needs):
        def run(*args):
            ran[name] += 1
            if spec["fails"]:
                raise LookupError(name)
            return spec["value"] if spec["fixed"] else [name, *map(repr, args)]

        async def arun(*args):
            if spec["body"] == "waiting":
                for _ in range(spec["turns"]):
                    await asyncio.sleep(0)
            return run(*args)

        if spec["outcome"] and needs:
            needs = (*needs, vg.OutcomeOf(needs[0]))
        return (arun if spec["body"] in {"async", "waiting"} else run), needs


@st.composite
def recipes(draw):
    specs = []
    for at in range(draw(st.integers(3, 14))):
        kinds = ["value", "work", "work", "work", "work", "choose", "cond", "any_of", "all_of", "each"]
        kind = draw(st.sampled_from(kinds)) if at else "value"
        count = {"value": 0, "choose": 3, "cond": 5, "each": draw(st.integers(1, 2))}.get(
            kind, draw(st.integers(0, 4))
        )
        if kind in {"any_of", "all_of"}:
            count = max(1, count)
        specs.append(
            {
                "kind": kind,
                "needs": [draw(st.integers(0, at - 1)) for _ in range(count)],
                "body": draw(st.sampled_from(KINDS)),
                "value": draw(st.sampled_from(VALUES)),
                "fixed": draw(st.sampled_from([True, True, False])),
                "fails": draw(st.sampled_from([False, False, False, True])),
                "default": draw(st.sampled_from(["none", "none", True, False])),
                "turns": draw(st.integers(0, 4)),
                "outcome": draw(st.sampled_from([False, False, True])),
            }
        )
    targets = draw(st.lists(st.integers(0, len(specs) - 1), min_size=1, max_size=3, unique=True))
    return Recipe(specs, [len(specs) - 1, *targets])


def observed(engine, recipe):
    plan, ran = recipe.build()
    run = execute_on(engine, plan)
    error = run.error
    shown = run.value if error is None else (type(error), error.args, error.__notes__)
    outcomes = {name: (outcome.kind, outcome.reason) for name, outcome in run.outcomes.items()}
    arms = dict(run.trace.arms)
    return shown, run.values, outcomes, arms, set(ran), ran


@given(recipes())
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_engine_agrees_with_the_reference(recipe):
    """Value or error, values, outcomes, arms and the set of nodes that ran are the same; none ran twice."""
    *expected, _ = observed("serial", recipe)

    for engine in ENGINES:
        *found, ran = observed(engine, recipe)
        assert found == expected, engine
        assert all(times == 1 for name, times in ran.items() if recipe.specs[int(name[1:])]["kind"] != "each")


@given(recipes())
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_not_needed_never_runs(recipe):
    """Everything that ran is reached from a target through needs, conditions asked and results taken."""
    plan, ran = recipe.build()
    run = execute_on("asyncio", plan)
    reached, waiting = set(), list(plan.targets)
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        waiting += asked(plan.graph.nodes[name], run)

    assert set(ran) <= reached


def asked(node, run):
    """What a node may have asked for in this run. An unsettled choice asked for what its arms have in common."""
    if not hasattr(node, "tests"):
        return (
            [node.over, *map(str_of, node.needs)]
            if node.kind == "each"
            else map(str_of, getattr(node, "needs", ()))
        )
    tests, last = node.tests()
    arms = run.trace.arms
    if node.name not in arms:
        return [name for test in tests for name in (test.node, test.taken)] + [last]
    place, result = arms[node.name]
    names = []
    for test in tests:
        names.append(test.node)
        if test.place == place:
            break
    return [*names, result]


def str_of(need):
    return need if isinstance(need, str) else need.node


@given(recipes())
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_committed_nodes_are_those_on_every_way(recipe):
    """The bit sets of the shape agree with the definition, written as sets."""
    plan, _ = recipe.build()
    shape = plan.shape
    commits = {}
    for at in shape.order:
        if at in shape.given:
            commits[at] = set()
        elif at in shape.branches:
            questions = shape.branches[at]
            onward = commits[questions.last]
            for question in reversed(questions.asked):
                onward = commits[question.node] | (commits[question.taken] & onward)
            commits[at] = {at} | onward
        else:
            commits[at] = {at}.union(*(commits[need] for need in shape.needs[at]))

    if shape.branches:
        assert {
            at: {n for n in shape.order if bits >> n & 1} for at, bits in enumerate(shape.commits)
        } == commits
    wanted = set().union(*(commits[at] for at in plan.target_numbers))
    assert {at for at in shape.order if shape.committed >> at & 1} == wanted
