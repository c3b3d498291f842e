"""What is wrong with a graph is said when it is built: all of it, with the place and the way out."""

import asyncio

import pytest

from veredito import graph as vg
from veredito.errors import GraphError, InputError
from veredito.graph.resilience import Limit, Retry


def broken(make):
    with pytest.raises(GraphError) as caught:
        make()
    return [str(problem) for problem in caught.value.problems]


def f(a):
    return a


async def generator():
    yield 1


class TestNames:
    def test_missing_keys_are_named_with_who_asks_in_every_arm(self):
        """Taken or not: a typo in an arm that is rarely taken would otherwise wait for its day."""
        nodes = [
            vg.value("yes", True),
            vg.choose("z", when="yes", then="aplle", otherwise="pear"),
            vg.cond("k", ("no", "yes"), ("yes", "plum"), otherwise="fig"),
            vg.any_of("o", "yes", "kiwi"),
            vg.each("e", over="grapes", function=lambda grape, knife: 1),
            vg.value("apple", 1),
        ]
        found = broken(lambda: vg.Graph(nodes))

        assert [text.partition(", and there")[0] for text in found] == [
            "node 'z', then: needs 'aplle'",
            "node 'z', otherwise: needs 'pear'",
            "node 'k', when: needs 'no'",
            "node 'k', clause 2: needs 'plum'",
            "node 'k', otherwise: needs 'fig'",
            "node 'o', operand 2: needs 'kiwi'",
            "node 'e', over: needs 'grapes'",
            "node 'e': needs 'knife'",
        ]
        assert found[0].endswith("available: yes, z, k, o, e, apple. Hint: did you mean 'apple'?")

    def test_problems_of_all_kinds_come_together(self):
        nodes = [
            vg.Pure("a", lambda b: b),
            vg.Pure("b", lambda a: a),
            vg.value("b", 1),
            vg.Effect("e", lambda nothing: 1, timeout_ms=-1),
        ]
        found = broken(lambda: vg.Graph(nodes))

        assert len(found) == 4
        assert {text.partition(":")[0] for text in found} == {"node 'a'", "node 'b'", "node 'e'"}

    def test_a_source_and_a_node_cannot_share_a_name(self):
        assert broken(lambda: vg.Graph([vg.value("crm", 1)], sources=["crm"])) == [
            "source 'crm': a node has this name. Hint: rename one of the two"
        ]

    def test_a_source_is_no_operand(self):
        z = vg.any_of("z", "crm")

        assert broken(lambda: vg.Graph([z], sources="crm")) == [
            "node 'z', operand 1: 'crm' is a source. Hint: only functions may ask for sources"
        ]


class TestCycles:
    def test_a_cycle_is_printed(self):
        nodes = [vg.Pure("a", lambda b: 1), vg.Pure("b", lambda c: 1), vg.Pure("c", lambda a: 1)]

        assert broken(lambda: vg.Graph(nodes)) == [
            "node 'a': needs itself: a -> b -> c -> a. Hint: break the circle at one of these"
        ]

    def test_a_cycle_through_arms_that_exclude_each_other_is_one_too(self):
        """Whether it closed would depend on the values of a run."""
        nodes = [
            vg.value("yes", True),
            vg.choose("x", when="yes", then="y", otherwise="yes"),
            vg.choose("y", when="yes", then="yes", otherwise="x"),
        ]

        assert "needs itself: x -> y -> x" in broken(lambda: vg.Graph(nodes))[0]

    def test_a_cycle_of_ten_thousand_is_found(self):
        nodes = [vg.Pure(f"n{at}", f, needs=(f"n{(at + 1) % 10_000}",)) for at in range(10_000)]

        assert "needs itself: n0 -> n1 ->" in broken(lambda: vg.Graph(nodes))[0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: vg.value("a", 1), "graph: a Value is no list of nodes. Hint: Graph([...])"),
        (lambda: None, "graph: a NoneType is no list of nodes"),
        (lambda: [f], "graph: function is not a node. Hint: decorate functions with @pure or @effect"),
        (lambda: [vg.Pure("", f)], "a node of kind pure has no name"),
        (lambda: [vg.Pure("p", 5)], "node 'p': int is not a function"),
        (lambda: [vg.Pure("p", lambda *a: a)], "node 'p': '*a' does not say what the function needs"),
        (lambda: [vg.Pure("p", f, needs=())], "node 'p': its function takes 1 arguments, and is given 0 needs"),
        (lambda: [vg.Pure("p", f, needs=(f,))], "node 'p': needs has a function, which is no name"),
        (
            lambda: [vg.Each("e", "xs", lambda x: x, needs=("a",)), vg.value("xs", []), vg.value("a", 1)],
            "node 'e': its function takes 1 arguments, and is given 1 needs and an element",
        ),
        (lambda: [vg.Each("e", "xs", lambda: 1), vg.value("xs", [])], "node 'e': the function takes no element"),
        (lambda: [vg.Pure("p", asyncio.sleep, needs=("a",)), vg.value("a", 0)], "a pure node is not async"),
        (lambda: [vg.Effect("e", generator)], "node 'e': is a generator, and its values could be read only once"),
        (lambda: [vg.Effect("e", f, needs="a", timeout_ms="80")], "timeout_ms must be a number above 0"),
        (lambda: [vg.Effect("e", f, needs="a", timeout_ms=float("nan"))], "timeout_ms must be a number above 0"),
        (lambda: [vg.Each("e", "xs", f, needs=(), timeout_ms=5)], "timeout_ms has no effect on a function that"),
        (lambda: [vg.Each("e", "xs", f, needs=(), in_flight_max=0)], "in_flight_max must be a whole number"),
        (lambda: [vg.Pure("p", f, on_error=5)], "node 'p': on_error is no mapping of exception types to values"),
        (lambda: [vg.Pure("p", f, on_error={"x": 1})], "node 'p': on_error has a key that is no exception type"),
        (lambda: [vg.effect(limit=8)(f)], "node 'f': Policies: Expected `object | null`, got `int`"),
        (lambda: [vg.effect(limit=Limit(in_flight_max=0))(f)], "node 'f': Limit: Expected `int` >= 1"),
        (lambda: [vg.effect(retries=3)(f)], "node 'f': there is no policy 'retries'; available: attempt_timeout_ms"),
        (lambda: [vg.input("a", "float")], "node 'a': its type is a str, not a class"),
        (lambda: [vg.cond("z", ("a",), otherwise="a")], "node 'z': clause 1 is incomplete"),
        (lambda: [vg.cond("z", ("a", "b"))], "node 'z': cond has no otherwise"),
        (lambda: [vg.cond("z", otherwise="a")], "node 'z': cond has no clauses"),
        (lambda: [vg.any_of("z")], "node 'z': any_of has no operands"),
        (lambda: [vg.choose("z", when="a", then=f, otherwise=None)], "then: a function is neither a node nor"),
    ],
)  # fmt: skip
def test_each_misuse_names_the_node_and_what_is_wrong_with_it(make, message):
    assert any(message in text for text in broken(lambda: vg.Graph(make())))


class TestPlan:
    graph = vg.Graph(
        [vg.input("amount", float), vg.Pure("p", lambda amount: 1), vg.Effect("e", lambda amount, crm: 1)],
        sources=["crm"],
    )

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda g: g.plan("amonut"), "target 'amonut': no such node; available: amount, p, e. Hint: did you"),
            (lambda g: g.plan([]), "plan: has no target"),
            (lambda g: g.plan(None), "plan: a NoneType is no target"),
            (lambda g: g.plan("p", deadline_ms=0), "plan: deadline_ms must be a number above 0"),
            (lambda g: g.plan("p", deadline_ms="5"), "plan: deadline_ms must be a number above 0"),
            (lambda g: g.plan("p").run({}), "input 'amount': is not given to the run"),
            (lambda g: g.plan("p").run({"amonut": 1.0}), "available: amonut. Hint: did you mean 'amonut'?"),
            (lambda g: g.plan("p").run({"amount": 1.0, "x": 2}), "input 'x': the graph has no such input"),
            (lambda g: g.plan("p").run({"amount": 1.0, "e": 2}), "input 'e': is a node that is computed"),
            (lambda g: g.plan("p").run([1.0]), "inputs: a list is no mapping of names to values"),
            (lambda g: g.plan("e").run({"amount": 1.0}), "source 'crm': is not given to the run"),
            (lambda g: g.plan("p").run({}, engine="thread"), "no such engine; available: serial, threads. Hint: did"),
            (lambda g: g.replace(5), "graph: int is not a node"),
        ],
    )  # fmt: skip
    def test_each_misuse_is_said_before_anything_runs(self, make, message):
        assert any(message in text for text in broken(lambda: make(self.graph)))

    def test_an_input_of_the_wrong_type_is_the_callers_mistake(self):
        with pytest.raises(InputError, match="input 'amount': is a str, not a float"):
            self.graph.plan("p").run({"amount": "12"})

    def test_a_chain_of_timeouts_longer_than_the_deadline_is_refused(self):
        nodes = [
            vg.Effect("a", lambda: 1, timeout_ms=60),
            vg.Effect("b", f, timeout_ms=50),
            vg.Pure("c", lambda b: b),
        ]

        [found] = broken(lambda: vg.Graph(nodes).plan("c", deadline_ms=100))

        assert "timeouts of 110 ms in a row exceed the deadline of 100 ms: a (60 ms) -> b (50 ms)" in found

    def test_an_arm_comes_after_its_condition_in_the_chain(self):
        """The arm's effect needs nothing of the condition, and cannot start before it is known."""
        arm = vg.Effect("arm", lambda: 1, timeout_ms=50)
        z = vg.choose(
            "z",
            when=vg.Effect("asked", lambda: True, timeout_ms=60),
            then=arm,
            otherwise=vg.value("no", 0),
        )

        [found] = broken(lambda: vg.Graph([z]).plan("z", deadline_ms=100))
        assert (
            "timeouts of 110 ms in a row exceed the deadline of 100 ms: asked (60 ms) -> arm (50 ms)" in found
        )
        assert vg.Graph([z]).plan(["z", "arm"], deadline_ms=100).remaining == (0.0,) * 4

    def test_warnings_say_what_is_unused_unread_and_unprotected(self):
        def waits_in_vain(e, unread):
            return e

        nodes = [
            vg.Effect("e", lambda: 1),
            vg.Effect("unread", lambda: 1, timeout_ms=5, default=None, policies=None),
            vg.pure(waits_in_vain),
            vg.value("idle", 1),
        ]

        assert [str(warning) for warning in vg.Graph(nodes).plan("waits_in_vain").warnings] == [
            "plan: no target needs idle. Hint: leave them out, or ask for them as targets",
            "node 'e': an effect without timeout_ms. Hint: only the run's deadline bounds it, if there is one",
            "node 'e': an effect without a default. Hint: when it fails, so does everything that needs it",
            "node 'waits_in_vain': waits for 'unread' and never reads it. Hint: drop the parameter, and it starts earlier",
        ]

    def test_a_graph_and_a_plan_can_be_printed(self):
        z = vg.choose("z", when=vg.value("yes", True), then="p", otherwise="e")
        text = str(vg.Graph([*self.graph.nodes.values(), z], sources=["crm"]))

        assert text.splitlines()[0] == "graph of 5 nodes, sources: crm"
        assert "  z       choose <- when: yes, then: p, otherwise: e" in text
        assert repr(self.graph.plan("p")) == "<Plan for p: 2 nodes, 1 units>"

    def test_a_module_is_a_graph(self):
        class Features:
            amount = vg.input("amount")
            double = vg.Pure("double", lambda amount: 2 * amount)
            limit = 5

        assert vg.Graph.of(Features).plan("double").run({"amount": 2}).value == 4


def test_policies_that_are_right_pass():
    node = vg.effect(limit=Limit(in_flight_max=2), retry=Retry(), key=lambda a: a)(f)

    assert len(vg.Graph([vg.value("a", 1), node])) == 2
