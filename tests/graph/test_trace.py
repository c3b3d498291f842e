"""A trace says what took the time."""

import asyncio
import json

from veredito import graph as vg


async def turn():
    await asyncio.sleep(0)


class TestCriticalPath:
    def test_it_is_the_chain_of_needs_that_came_last(self, execute):
        async def first():
            await turn()

        async def second(first):
            await turn()

        nodes = [vg.effect(first), vg.effect(second), vg.Pure("answer", lambda first, second: 1)]

        assert execute(vg.Graph(nodes).plan("answer")).trace.critical_path == ("first", "second", "answer")

    def test_it_leads_through_the_condition_that_opened_an_arm(self, execute):
        """The arm's effect needs nothing of the condition, and could not start before it was known."""

        async def condition():
            await turn()
            return True

        async def arm(amount):
            await turn()
            return "arm"

        z = vg.choose("z", when=vg.effect(condition), then=vg.effect(arm), otherwise=vg.value("no", 0))
        run = execute(vg.Graph([vg.input("amount"), z]).plan("z"), {"amount": 1})

        assert run.trace.critical_path == ("condition", "arm", "z")

    def test_it_leads_through_every_clause_that_was_asked(self, execute):
        async def first():
            await turn()
            return False

        async def second():
            await turn()
            return True

        async def result():
            await turn()

        z = vg.cond(
            "z", (vg.effect(first), vg.value("a", 0)), (vg.effect(second), vg.effect(result)), otherwise="a"
        )

        assert execute(vg.Graph([z]).plan("z")).trace.critical_path == ("first", "second", "result", "z")

    def test_a_branch_that_never_ran_opens_nothing(self, execute):
        """`shared` is an arm of a branch that nobody asked for; what made it run is the other branch."""
        shared = vg.Pure("shared", lambda: 1)
        idle = vg.choose("idle", when="flag", then=shared, otherwise=vg.value("x", 0))
        z = vg.choose(
            "z", when=vg.Pure("asked", lambda: False), then=idle, otherwise=vg.any_of("other", "shared")
        )
        run = execute(vg.Graph([vg.value("flag", True), z]).plan("z"))

        assert run.trace.critical_path == ("asked", "shared", "other", "z")


def test_a_trace_is_plain_data(execute):
    async def fetch():
        await turn()
        raise ConnectionError

    z = vg.choose(
        "z", when=vg.value("yes", True), then=vg.Effect("e", fetch, default=None), otherwise=vg.value("n", 0)
    )
    told = execute(vg.Graph([z]).plan("z", deadline_ms=60_000)).trace.to_dict()

    assert json.loads(json.dumps(told)) == told
    assert told["arms"] == {"z": {"arm": "then", "node": "e"}}
    assert told["nodes"]["e"]["outcome"] == "default"
    assert told["nodes"]["e"]["reason"] == "ConnectionError"
    assert 0 <= told["nodes"]["e"]["start_us"] <= told["nodes"]["e"]["finish_us"] <= told["finish_us"]
    assert told["nodes"]["n"]["outcome"] == "fresh"
    assert 0 < told["deadline_us"] <= 60_000_000
