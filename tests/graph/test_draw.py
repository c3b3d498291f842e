"""Pictures: every node is in them, nothing lies on top of anything, and a run shows."""

import asyncio
import itertools
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veredito import graph as vg
from veredito.graph import draw
from veredito.graph.draw.layout import place


@pytest.fixture
def graph():
    return vg.Graph(
        [
            vg.input("amount", int),
            vg.Pure("applicable", lambda amount: amount > 1),
            vg.Effect("customer", lambda amount: 1 / 0, timeout_ms=1_000, default=None),
            vg.Pure("policy", lambda amount, customer: "approve"),
            vg.choose(
                "decision", when="applicable", then="policy", otherwise=vg.Effect('a < b & "c"', lambda: 0)
            ),
        ]
    )


def words(svg):
    return {element.text for element in ET.fromstring(svg).iter() if element.text and element.text.strip()}


def test_every_node_and_every_arm_is_in_the_picture(graph):
    assert {*graph.nodes, "when", "then", "otherwise"} <= words(draw.svg(graph))


def test_a_run_shows_in_the_picture(graph):
    plan = graph.plan("decision")
    run = plan.run({"amount": 5})
    picture = draw.svg(plan, run.trace)

    assert any("default(ZeroDivisionError)" in word for word in words(picture))
    assert picture.count('opacity="0.35"') == 1


def test_a_waterfall_names_what_ran_what_did_not_and_the_critical_path(graph):
    run = graph.plan("decision", deadline_ms=60_000).run({"amount": 5})
    shown = words(draw.waterfall(run.trace))

    assert {"applicable", "customer", "policy", "decision"} <= shown
    assert 'never ran: a < b & "c"' in shown
    assert "critical path: " + " → ".join(run.trace.critical_path) in shown


def test_a_deadline_that_passed_is_marked(graph):
    async def hang(amount):
        await asyncio.Event().wait()

    plan = graph.replace(vg.Effect("customer", hang, default=None)).plan("decision", deadline_ms=5)
    run = plan.run({"amount": 5})

    assert run.value == "approve"
    assert "deadline" in words(draw.waterfall(run.trace))


def test_words_beside_a_bar_are_not_cut_off():
    """The picture is as wide as what stands in it."""
    name = "TooManyOpenConnectionsToTheBureauError"
    error = type(name, (Exception,), {})

    def bureau():
        raise error

    run = vg.Graph([vg.Effect("bureau", bureau, default=None)]).plan("bureau").run()
    root = ET.fromstring(draw.waterfall(run.trace))
    words = next(element for element in root.iter() if name in (element.text or ""))

    assert float(words.get("x")) + 4.5 * len(words.text) < float(root.get("width"))


def test_mermaid_has_a_line_for_every_edge(graph):
    text = draw.mermaid(graph)

    assert text.count("-->") == 4
    assert text.count("-. then .->") == text.count("-. when .->") == text.count("-. otherwise .->") == 1
    assert "a &lt; b &amp; #quot;c#quot;" in text


@st.composite
def pictures(draw_from):
    count = draw_from(st.integers(1, 40))
    sizes = {f"n{at}": (draw_from(st.floats(30, 200)), 36.0) for at in range(count)}
    lines = {(f"n{draw_from(st.integers(0, at - 1))}", f"n{at}") for at in range(1, count) for _ in range(2)}
    return sizes, sorted(lines)


@given(pictures())
@settings(max_examples=60, deadline=None)
def test_no_two_boxes_overlap(picture):
    sizes, lines = picture
    placed = place(sizes, lines, frozenset(), 60.0)

    for one, two in itertools.combinations(sizes, 2):
        (x1, y1), (x2, y2) = placed.corners[one], placed.corners[two]
        apart_x = x1 + sizes[one][0] <= x2 or x2 + sizes[two][0] <= x1
        apart_y = y1 + sizes[one][1] <= y2 + 1e-6 or y2 + sizes[two][1] <= y1 + 1e-6
        assert apart_x or apart_y


@given(pictures())
@settings(max_examples=30, deadline=None)
def test_everything_lies_within_the_picture_and_lines_go_right(picture):
    sizes, lines = picture
    placed = place(sizes, lines, frozenset(), 60.0)

    for name, (x, y) in placed.corners.items():
        assert -1e-6 <= x <= placed.width - sizes[name][0] + 1e-6
        assert -1e-6 <= y <= placed.height - sizes[name][1] + 1e-6
    assert all(placed.corners[start][0] < placed.corners[end][0] + sizes[end][0] for start, end in lines)


def test_a_programs_own_inputs_are_not_drawn():
    """What begins with an underscore is no part of the decision."""
    graph = vg.Graph(
        [vg.input("amount"), vg.input("_clock"), vg.Pure("policy", lambda amount, _clock: amount)]
    )
    drawn = words(draw.svg(graph))

    assert {"amount", "policy"} <= drawn
    assert "_clock" not in drawn
