"""The behaviour that every engine must have, for pure nodes, effects on the loop and effects on threads."""

import asyncio
import contextlib
import inspect
import threading

import pytest

from veredito import graph as vg
from veredito.errors import GraphError
from veredito.graph.engines import background
from veredito.graph.reaper import reaper


class Leaves:
    """Makes nodes of one kind, and remembers which of them ran, in order."""

    def __init__(self, kind):
        self.kind = kind
        self.ran = []

    def __call__(self, name, function, **settings):
        needs = tuple(inspect.signature(function).parameters)

        def run(*args):
            self.ran.append(name)
            return function(*args)

        async def arun(*args):
            self.ran.append(name)
            await asyncio.sleep(0)
            return function(*args)

        if self.kind == "pure":
            return vg.Pure(name, run, needs, **settings)
        return vg.Effect(name, arun if self.kind == "async" else run, needs, **settings)


@pytest.fixture(params=["pure", "async", "blocking"])
def leaf(request):
    return Leaves(request.param)


def fail(message):
    raise LookupError(message)


def broken():
    fail("boom")


def never():
    raise AssertionError("a node ran that nothing asked for")


class TestNeeds:
    def test_only_what_is_needed_runs(self, execute, leaf):
        g = vg.Graph(
            [vg.value("a", 2), vg.value("b", 1), leaf("c", lambda a, b: a + b), leaf("other", never)]
        )

        assert execute(g.plan("c")).value == 3
        assert leaf.ran == ["c"]

    def test_values_flow_and_the_trace_shows_them(self, execute, leaf):
        run = execute(
            vg.Graph([vg.value("x", 2), leaf("y", lambda x: 2 * x), leaf("z", lambda x, y: x + y)]).plan("z")
        )

        assert run.values == {"x": 2, "y": 4, "z": 6}
        assert [span.node for span in run.trace.spans] == ["x", "y", "z"]

    def test_a_shared_need_runs_once(self, execute, leaf):
        nodes = [
            leaf("a", lambda: 3),
            leaf("b", lambda a: 2 * a),
            leaf("c", lambda a: 3 * a),
            leaf("d", lambda b, c: {b, c}),
        ]

        assert execute(vg.Graph(nodes).plan("d")).value == {6, 9}
        assert sorted(leaf.ran) == ["a", "b", "c", "d"]

    @pytest.mark.parametrize("result", [False, None, 0, "", []])
    def test_falsy_results_are_ordinary(self, execute, leaf, result):
        plan = vg.Graph([leaf("a", lambda: result), leaf("b", lambda a: a)]).plan(["b", "a"])

        assert execute(plan).value == (result, result)

    def test_several_targets_give_a_tuple_in_their_order(self, execute, leaf):
        g = vg.Graph([leaf("a", lambda: 1), leaf("b", lambda a: a + 1), leaf("c", lambda: 5)])

        assert execute(g.plan(["c", "a", "b"])).value == (5, 1, 2)

    def test_a_given_target_needs_no_run(self, execute):
        g = vg.Graph([vg.input("a"), vg.value("b", 2)])

        assert execute(g.plan(["a", "b"]), {"a": 1}).value == (1, 2)

    def test_keyword_only_parameters_are_needs(self, execute):
        def scaled(a, *, b):
            return a * b

        assert (
            execute(vg.Graph([vg.value("a", 2), vg.value("b", 3), vg.pure(scaled)]).plan("scaled")).value == 6
        )

    def test_a_parameter_with_a_default_is_no_need(self, execute):
        assert execute(vg.Graph([vg.Pure("f", lambda a=7: a)]).plan("f")).value == 7


class TestBranches:
    def test_a_choice_runs_the_arm_it_takes(self, execute, leaf):
        z = vg.choose(
            "z",
            when=leaf("odd", lambda x: x % 2 == 1),
            then=vg.value("o", "odd"),
            otherwise=leaf("s", lambda x, y: x + y),
        )

        assert execute(vg.Graph([vg.value("x", 2), vg.value("y", 3), z]).plan("z")).value == 5

    def test_choices_nest_in_arms_and_in_conditions(self, execute, leaf):
        inner = vg.choose(
            "inner",
            when=leaf("no", lambda: False),
            then=leaf("bad", never),
            otherwise=leaf("yes", lambda: True),
        )
        arm = vg.choose("arm", when="no", then="bad", otherwise=leaf("deep", lambda: "deep"))
        z = vg.choose("z", when=inner, then=arm, otherwise="bad")

        assert execute(vg.Graph([z]).plan("z")).value == "deep"
        assert "bad" not in leaf.ran

    def test_the_arm_not_taken_never_runs_nor_what_only_it_needs(self, execute, leaf):
        y = leaf("y", lambda far: far)
        z = vg.choose("z", when=leaf("even", lambda x: x % 2 == 0), then="x", otherwise=y)
        run = execute(vg.Graph([leaf("x", lambda: 2), leaf("far", never), z]).plan("z"))

        assert run.value == 2
        assert run.outcomes["y"].kind == run.outcomes["far"].kind == "skipped"
        assert run.trace.arms["z"] == ("then", "x")

    def test_cond_takes_the_first_true_clause_and_asks_no_later_one(self, execute, leaf):
        z = vg.cond(
            "z",
            (leaf("c1", lambda: False), leaf("r1", never)),
            (leaf("c2", lambda: True), leaf("r2", lambda: "second")),
            (leaf("c3", never), leaf("r3", never)),
            otherwise=leaf("r4", never),
        )

        assert execute(vg.Graph([z]).plan("z")).value == "second"
        assert leaf.ran == ["c1", "c2", "r2"]

    def test_cond_without_a_match_gives_otherwise(self, execute, leaf):
        z = vg.cond(
            "z", (leaf("c", lambda: False), leaf("r", never)), otherwise=leaf("o", lambda: "otherwise")
        )

        assert execute(vg.Graph([z]).plan("z")).value == "otherwise"

    @pytest.mark.parametrize(
        ("make", "values", "expected", "asked"),
        [
            (vg.any_of, [None, False, 4, 9], 4, 3),
            (vg.any_of, [None, None, False], False, 3),
            (vg.all_of, [1, 2, 3], 3, 3),
            (vg.all_of, [1, False, 2], False, 2),
            (vg.any_of, [7], 7, 1),
            (vg.all_of, [0], 0, 1),
        ],
    )
    def test_any_of_and_all_of_stop_at_the_deciding_operand(
        self, execute, leaf, make, values, expected, asked
    ):
        operands = [leaf(f"n{at}", lambda value=value: value) for at, value in enumerate(values)]
        operands = [type(one)(one.name, one.function, ()) for one in operands]

        assert execute(vg.Graph([make("z", *operands)]).plan("z")).value == expected
        assert leaf.ran == [f"n{at}" for at in range(asked)]

    def test_what_both_arms_need_runs_also_when_only_one_is_taken(self, execute, leaf):
        z = vg.choose(
            "z", when=leaf("c", lambda: True), then=leaf("a", lambda s: s), otherwise=leaf("b", lambda s: -s)
        )

        assert execute(vg.Graph([leaf("s", lambda: 3), z]).plan("z")).value == 3
        assert sorted(leaf.ran) == ["a", "c", "s"]

    def test_an_arm_that_two_choices_share_runs_once(self, execute, leaf):
        shared = leaf("shared", lambda: 1)
        first = vg.choose("first", when=leaf("c1", lambda: True), then=shared, otherwise=vg.value("n1", 0))
        second = vg.choose(
            "second", when=leaf("c2", lambda first: first == 1), then="shared", otherwise=vg.value("n2", 0)
        )

        assert execute(vg.Graph([first, second]).plan(["first", "second"])).value == (1, 1)
        assert leaf.ran.count("shared") == 1

    def test_a_node_between_an_arm_and_the_rest_does_not_deadlock(self, execute, leaf):
        """`r` is needed by an arm and by the target; `p` before it and `q` after it wait for the same."""
        k = vg.choose(
            "k", when=leaf("c", lambda p: True), then=leaf("r", lambda p: p), otherwise=vg.value("u", 0)
        )
        g = vg.Graph([leaf("p", lambda: 1), leaf("q", lambda r: r + 1), k, leaf("t", lambda k, q: (k, q))])

        assert execute(g.plan("t")).value == (1, 2)


class TestFailClosed:
    def test_a_failing_condition_runs_neither_arm(self, execute, leaf):
        z = vg.choose("z", when=leaf("c", broken), then=leaf("a", never), otherwise=leaf("b", never))
        run = execute(vg.Graph([z]).plan("z"))

        with pytest.raises(LookupError, match="boom"):
            _ = run.value
        assert leaf.ran == ["c"]

    @pytest.mark.parametrize("value", [None, 1, 0, "yes", [], float("nan")])
    def test_a_condition_that_is_no_boolean_fails_the_choice(self, execute, leaf, value):
        z = vg.choose("z", when=vg.value("c", value), then=leaf("a", never), otherwise=leaf("b", never))

        with pytest.raises(TypeError, match="must be True or False"):
            _ = execute(vg.Graph([z]).plan("z")).value
        assert leaf.ran == []

    def test_an_explicit_boolean_default_of_a_condition_picks_its_arm(self, execute, leaf):
        z = vg.choose(
            "z",
            when=leaf("c", broken, default=False),
            then=leaf("a", never),
            otherwise=leaf("b", lambda: "b"),
        )

        assert execute(vg.Graph([z]).plan("z")).value == "b"

    @pytest.mark.parametrize("default", [None, 0, "no"])
    def test_any_other_default_of_a_condition_is_refused_at_build(self, leaf, default):
        z = vg.choose(
            "z", when=leaf("c", fail, default=default), then=vg.value("a", 1), otherwise=vg.value("b", 2)
        )

        with pytest.raises(
            GraphError, match="node 'c': is a condition of 'z', and its default is not a boolean"
        ):
            vg.Graph([z])


class TestErrors:
    def test_the_original_error_arrives_with_its_node_and_path(self, execute, leaf):
        boom = LookupError("boom")

        def raise_it():
            raise boom

        nodes = [
            leaf("a", raise_it),
            leaf("b", lambda a: a),
            leaf("c", lambda a: a),
            leaf("d", lambda b, c: 0),
        ]
        run = execute(vg.Graph(nodes).plan("d"))

        with pytest.raises(LookupError) as caught:
            _ = run.value
        assert caught.value is boom
        assert boom.__notes__ == ["in node 'a'; path: d <- b <- a"]
        assert leaf.ran == ["a"]

    def test_the_first_failing_need_wins_whatever_fails_first(self, execute, leaf):
        nodes = [
            leaf("slow", lambda: 1),
            leaf("a", lambda slow: fail("a")),
            leaf("b", lambda: fail("b")),
            leaf("d", lambda a, b: 0),
        ]

        assert str(execute(vg.Graph(nodes).plan("d")).error) == "a"

    def test_a_failing_region_runs_the_rest_of_what_is_needed(self, execute, leaf):
        nodes = [
            leaf("a", lambda: 1),
            leaf("b", lambda a: fail()),
            leaf("c", lambda a: 3),
            leaf("d", lambda b, c: 0, default="d"),
        ]
        run = execute(vg.Graph(nodes).plan("d"))

        assert run.value == "d"
        assert str(run.outcomes["d"]) == "default(b failed)"
        assert sorted(leaf.ran) == ["a", "b", "c"]

    def test_the_first_matching_error_type_wins_and_the_default_comes_last(self, execute, leaf):
        on_error = {KeyError: "key", LookupError: "lookup"}
        nodes = [
            leaf("a", broken, on_error=on_error),
            leaf("b", lambda: {}["x"], on_error=on_error),
            leaf("c", lambda: 1 // 0, on_error=on_error, default="default"),
        ]

        assert execute(vg.Graph(nodes).plan(["a", "b", "c"])).value == ("lookup", "key", "default")

    def test_a_mutable_default_belongs_to_one_run(self, execute, leaf):
        plan = vg.Graph([leaf("a", broken, default={})]).plan("a")
        execute(plan).value["changed"] = True

        assert execute(plan).value == {}

    def test_an_outcome_can_be_asked_for_without_try(self, execute, leaf):
        def explain(a_outcome: vg.Outcome, b_outcome: "vg.Outcome"):
            return str(a_outcome), str(b_outcome)

        g = vg.Graph([leaf("a", broken), leaf("b", broken, default=None), vg.pure(explain)])

        assert execute(g.plan("explain")).value == ("failed(LookupError)", "default(LookupError)")


class TestEach:
    def test_each_keeps_the_order(self, execute, leaf):
        assert execute(
            vg.Graph([vg.value("xs", [1, 2, 3]), each_of(leaf, lambda x: x + 1)]).plan("ys")
        ).value == [2, 3, 4]

    @pytest.mark.parametrize("empty", [[], None, ()])
    def test_each_over_nothing_is_an_empty_list(self, execute, leaf, empty):
        assert (
            execute(vg.Graph([vg.value("xs", empty), each_of(leaf, lambda x: never())]).plan("ys")).value
            == []
        )

    def test_what_the_function_closes_over_runs_once(self, execute, leaf):
        ys = vg.each("ys", over="xs", function=lambda x, z: x + z)
        g = vg.Graph([vg.value("xs", [1, 2]), leaf("z", lambda: 10), ys, leaf("t", lambda ys, z: (ys, z))])

        assert execute(g.plan("t")).value == ([11, 12], 10)
        assert leaf.ran.count("z") == 1

    def test_a_failing_element_fails_the_node_with_its_index(self, execute, leaf):
        run = execute(vg.Graph([vg.value("xs", [1, 0, 2]), each_of(leaf, lambda x: 1 // x)]).plan("ys"))

        with pytest.raises(ZeroDivisionError) as caught:
            _ = run.value
        assert caught.value.__notes__ == ["at element 1", "in node 'ys'"]

    def test_no_element_starts_after_a_failure_is_known(self, execute):
        started = []

        async def element(x):
            started.append(x)
            await asyncio.sleep(0)
            return 1 // x

        g = vg.Graph(
            [vg.value("xs", [0, *range(1, 50)]), vg.each("ys", over="xs", function=element, in_flight_max=2)]
        )

        assert isinstance(execute(g.plan("ys")).error, ZeroDivisionError)
        assert len(started) <= 4

    def test_the_first_failing_element_in_order_gives_the_error(self, execute):
        async def element(x):
            for _ in range(x):
                await asyncio.sleep(0)
            raise LookupError(x)

        g = vg.Graph([vg.value("xs", [5, 3, 1]), vg.each("ys", over="xs", function=element)])

        assert execute(g.plan("ys")).error.args == (5,)

    def test_no_more_elements_run_at_a_time_than_allowed(self, execute):
        running, most = set(), []

        async def element(x):
            running.add(x)
            most.append(len(running))
            await asyncio.sleep(0)
            running.discard(x)

        execute(
            vg.Graph(
                [vg.value("xs", range(20)), vg.each("ys", over="xs", function=element, in_flight_max=3)]
            ).plan("ys")
        )

        assert max(most) == 3


def each_of(leaf, function):
    async def afunction(*args):
        await asyncio.sleep(0)
        return function(*args)

    return vg.each("ys", over="xs", function=afunction if leaf.kind == "async" else function, needs=())


class TestOverride:
    def test_an_overridden_node_never_runs_nor_what_only_it_needed(self, execute, leaf):
        g = vg.Graph([leaf("a", never), leaf("b", lambda a: never()), leaf("c", lambda b: b + 1)])

        assert execute(g.override(b=5).plan("c")).value == 6
        assert leaf.ran == ["c"]

    def test_overriding_what_is_not_there_names_the_nearest(self):
        with pytest.raises(
            GraphError,
            match=r"override 'amout': no such node; available: amount\. Hint: did you mean 'amount'",
        ):
            vg.Graph([vg.input("amount")]).override(amout=1)

    def test_a_choice_can_be_overridden_with_its_nested_nodes_left(self, execute, leaf):
        z = vg.choose(
            "z", when=leaf("c", lambda: True), then=leaf("a", lambda: 1), otherwise=leaf("b", never)
        )

        assert execute(vg.Graph([z]).override(c=True, a=2).plan("z")).value == 2


class TestTogether:
    """What is independent runs side by side; a rendezvous proves it without a clock."""

    def test_nine_independent_effects_are_in_flight_together(self, execute_together):
        assert execute_together(9, 9).value == (True,) * 9

    def test_effects_start_while_a_region_waits(self, execute_together):
        assert execute_together(2, 2).value == (True,) * 2

    @pytest.fixture
    def execute_together(self, engine, execute):
        if engine == "serial":
            pytest.skip("the reference runs one node after the other")

        def run(count, parties):
            meet = asyncio.Barrier(parties) if engine == "asyncio" else threading.Barrier(parties, timeout=30)

            async def arrive():
                await meet.wait()
                return True

            def arrive_blocking():
                meet.wait()
                return True

            body = arrive if engine == "asyncio" else arrive_blocking
            nodes = [vg.Effect(f"e{at}", body) for at in range(count)]
            return execute(vg.Graph(nodes).plan([node.name for node in nodes]))

        return run

    def test_a_blocking_effect_does_not_hold_the_loop(self):
        """Two blocking effects that wait for each other finish: each has a thread of its own."""
        meet = threading.Barrier(2, timeout=30)
        g = vg.Graph([vg.Effect("a", lambda: meet.wait() >= 0), vg.Effect("b", lambda: meet.wait() >= 0)])

        assert asyncio.run(g.plan(["a", "b"]).arun({})).value == (True, True)

    def test_what_both_arms_need_starts_before_the_condition_is_known(self):
        """The condition waits for the shared need: it can only be known if that has started already."""

        async def main():
            begun = asyncio.Event()

            async def shared():
                begun.set()
                return 1

            async def condition():
                await begun.wait()
                return True

            arms = {
                "then": vg.Pure("a", lambda shared: shared),
                "otherwise": vg.Pure("b", lambda shared: -shared),
            }
            z = vg.choose("z", when=vg.effect(condition), **arms)
            return await vg.Graph([vg.effect(shared), z]).plan("z").arun({})

        assert asyncio.run(main()).value == 1


def detached_so_far():
    """The process's count, once what earlier runs gave up is in it: their loop counts it in its own turns."""

    async def some_turns():
        for _ in range(10):
            await asyncio.sleep(0)

    asyncio.run_coroutine_threadsafe(some_turns(), background.loop()).result()
    return reaper.detached_total


class TestTime:
    def test_an_effect_over_its_timeout_yields_its_default(self, execute):
        async def hang():
            await asyncio.Event().wait()

        run = execute(vg.Graph([vg.Effect("slow", hang, timeout_ms=5, default="default")]).plan("slow"))

        assert run.value == "default"
        assert str(run.outcomes["slow"]) == "default(timeout)"

    def test_without_a_default_the_node_fails_and_says_how_long_it_had(self, execute):
        async def hang():
            await asyncio.Event().wait()

        run = execute(vg.Graph([vg.Effect("slow", hang, timeout_ms=5)]).plan("slow"))

        with pytest.raises(vg.TimedOutError, match="'slow' took longer than its 5 ms"):
            _ = run.value
        assert isinstance(run.error, TimeoutError)

    def test_at_the_deadline_every_default_stands_in_and_pure_nodes_answer(self, execute):
        async def hang():
            await asyncio.Event().wait()

        nodes = [
            vg.Effect("slow", hang, default=1),
            vg.Effect("after", lambda slow: never(), default=2),
            vg.Pure("answer", lambda slow, after: slow + after),
        ]
        run = execute(vg.Graph(nodes).plan("answer", deadline_ms=10))

        assert run.value == 3
        assert str(run.outcomes["slow"]) == str(run.outcomes["after"]) == "default(deadline)"

    def test_a_default_does_not_delay_or_disturb_the_others(self, execute):
        async def hang():
            await asyncio.Event().wait()

        g = vg.Graph(
            [vg.Effect("slow", hang, timeout_ms=5, default=None), vg.Effect("quick", lambda: "quick")]
        )

        assert execute(g.plan(["quick", "slow"])).value == ("quick", None)

    def test_a_blocking_effect_over_its_timeout_is_left_alone_and_counted(self, execute):
        """Its thread cannot be stopped: it is given up, and held until the call returns."""
        free, before = threading.Event(), detached_so_far()
        nodes = [
            vg.Effect("slow", free.wait, needs=(), timeout_ms=5, default="default"),
            vg.Pure("answer", lambda slow: (slow, reaper.detached_total - before)),
        ]
        try:
            run = execute(vg.Graph(nodes).plan("answer"))
        finally:
            free.set()

        assert run.value == ("default", 1)
        assert str(run.outcomes["slow"]) == "default(timeout)"

    def test_an_effect_that_ignores_its_cancellation_is_counted_too(self, execute):
        free, before = threading.Event(), detached_so_far()

        async def stubborn():
            while not free.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(0.01)

        async def wait_a_turn(slow):
            await asyncio.sleep(0.005)
            return reaper.detached_total - before

        nodes = [vg.Effect("slow", stubborn, timeout_ms=5, default=None), vg.effect(wait_a_turn)]
        try:
            assert execute(vg.Graph(nodes).plan("wait_a_turn")).value == 1
        finally:
            free.set()

    def test_a_condition_leaves_the_arms_their_time(self, execute):
        """The budget of what is asked ends so early that what the answer sets going can have its timeout."""

        async def hang():
            await asyncio.Event().wait()

        asked = vg.Effect("asked", hang, default=True)
        arm = vg.Effect("arm", lambda: "arm", timeout_ms=60_000)
        z = vg.choose("z", when=asked, then=arm, otherwise=vg.value("no", 0))

        run = execute(vg.Graph([z]).plan("z", deadline_ms=60_020))

        assert run.value == "arm"
        assert str(run.outcomes["asked"]) == "default(deadline)"

    def test_a_deadline_given_to_the_run_goes_before_the_plans(self, execute):
        plan = vg.Graph([vg.Effect("a", never, default="late")]).plan("a", deadline_ms=60_000)

        assert execute(plan, deadline=0.0).value == "late"


class TestSize:
    @pytest.mark.parametrize("kind", ["pure", "async"])
    def test_ten_thousand_wide(self, execute, kind):
        leaf = Leaves(kind)
        nodes = [leaf(f"n{at}", lambda: 1) for at in range(10_000)]
        total = vg.Pure("total", lambda *ones: sum(ones), needs=tuple(node.name for node in nodes))

        assert execute(vg.Graph([*nodes, total]).plan("total")).value == 10_000

    @pytest.mark.parametrize("kind", ["pure", "async"])
    def test_ten_thousand_deep(self, execute, kind):
        async def astep(before):
            return before + 1

        make, step = (vg.Pure, lambda before: before + 1) if kind == "pure" else (vg.Effect, astep)
        nodes = [make(f"n{at}", step, needs=(f"n{at - 1}",)) for at in range(1, 10_001)]

        assert execute(vg.Graph([vg.value("n0", 0), *nodes]).plan("n10000")).value == 10_000

    def test_ten_thousand_nested_choices(self, execute):
        nodes = [vg.value("yes", True), vg.value("n0", "end")]
        nodes += [vg.Choose(f"n{at}", "yes", f"n{at - 1}", "n0") for at in range(1, 10_001)]

        assert execute(vg.Graph(nodes).plan("n10000")).value == "end"
