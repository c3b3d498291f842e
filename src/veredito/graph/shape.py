"""What a plan knows about its nodes before anything runs: order, who surely runs, what can run as one piece.

Demand
    An *arm* is an alternative of a branch; arm 0 is the plan's targets. Taking an arm *commits* every node
    that must then run whichever way the branches below it go: its needs, and what all alternatives of a
    branch below have in common. `owners` of a node are the arms that commit it and that were not preceded
    by another commitment. Nodes with the same owners are always demanded together.
Regions
    Pure nodes of the same owners that wait for the same effects and branches become ready at the same moment, so
    they run as one straight line of code. No cycle can arise among regions: a node between two members of
    a region waits for the same and has the same owners, so it belongs to the region too.

Sets of nodes are integers used as bit sets: 10,000 nodes make 1,250 bytes, and unions run at memory speed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from veredito.graph.checks import edges
from veredito.graph.nodes import BRANCHES, WORKERS, Branch, Each, Input, Mode, Node, Value, waits
from veredito.graph.signature import OutcomeOf, need_name

ROOT = 0
"""The arm that is the plan itself."""


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """A branch's test, by node numbers; `yes` and `no` are the arms it opens."""

    node: int
    mode: Mode
    taken: int
    place: str
    yes: int
    no: int


@dataclasses.dataclass(frozen=True, slots=True)
class Questions:
    """All of a branch: its tests in order, and the result where none says yes."""

    asked: tuple[Question, ...]
    last: int
    last_place: str


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """The numbered nodes of a plan.

    Args:
        names: of nodes and sources, by number.
        nodes: by number; `None` is a source.
        order: numbers, needs before those who need them.
        needs: by number, what it reads always (a branch: its first test).
        edges: by number, all that it may read.
        branches: number to its questions.
        given: numbers that a run starts with: constants, inputs, sources.
        takes: by number, what its function is called with: a node and whether its outcome is meant.
        commits: by number, a bit set of what surely runs where it does, itself included.
        committed: bit set of what runs whichever way the branches go.
        onward: by branch, for each question (and the last result) a bit set of what reaching it commits.
        owners: by number, a bit set of arms.
        waits: by number, a bit set of the effects and branches it comes after.
    """

    names: tuple[str, ...]
    nodes: tuple[Node | None, ...]
    order: tuple[int, ...]
    needs: tuple[tuple[int, ...], ...]
    edges: tuple[tuple[int, ...], ...]
    branches: Mapping[int, Questions]
    given: frozenset[int]
    takes: tuple[tuple[tuple[int, bool], ...], ...]
    commits: tuple[int, ...]
    committed: int
    onward: Mapping[int, Sequence[int]]
    owners: tuple[int, ...]
    waits: tuple[int, ...]
    arms: int


def shape_of(nodes: Mapping[str, Node], targets: Sequence[str]) -> Shape:
    """The shape of what these targets need."""
    names = _order(nodes, targets)
    number = {name: at for at, name in enumerate(names)}
    listed = tuple(nodes.get(name) for name in names)
    refers = tuple(
        tuple(dict.fromkeys(number[name] for name, _ in edges(node))) if node else () for node in listed
    )
    branches, arms = _branches(listed, number)
    needs = tuple(
        (branches[at].asked[0].node if branches[at].asked else branches[at].last,)
        if at in branches
        else refers[at]
        for at in range(len(names))
    )
    given = frozenset(at for at, node in enumerate(listed) if node is None or isinstance(node, Value | Input))
    order = tuple(range(len(names)))
    commits, onward = _commitments(order, given, needs, branches)
    wanted = 0
    for target in targets:
        wanted |= commits[number[target]]
    owners = _owners(len(names), wanted, commits, onward, branches)
    return Shape(
        names=tuple(names),
        nodes=listed,
        order=order,
        needs=needs,
        edges=refers,
        branches=branches,
        given=given,
        takes=tuple(_takes(node, number) for node in listed),
        commits=tuple(commits),
        committed=wanted,
        onward=onward,
        owners=owners,
        waits=_waits(order, given, needs, listed, branches),
        arms=arms,
    )


def _order(nodes: Mapping[str, Node], targets: Sequence[str]) -> list[str]:
    """Every name the targets may need, needs first; iterative, because graphs are deep."""
    done: dict[str, None] = {}
    stack: list[tuple[str, Iterator[tuple[str, str | None]]]] = []
    for target in targets:
        if target not in done:
            stack.append((target, edges(nodes[target])))
        while stack:
            name, remaining = stack[-1]
            for needed, _ in remaining:
                if needed not in done:
                    stack.append((needed, edges(nodes[needed]) if needed in nodes else iter(())))
                    break
            else:
                stack.pop()
                done.setdefault(name)
    return list(done)


def _branches(listed: Sequence[Node | None], number: Mapping[str, int]) -> tuple[dict[int, Questions], int]:
    arms = ROOT + 1
    branches: dict[int, Questions] = {}
    for at, node in enumerate(listed):
        if isinstance(node, BRANCHES):
            tests, last = node.tests()
            asked = []
            for test in tests:
                asked.append(
                    Question(
                        number[test.node], test.mode, number[test.taken], test.place, yes=arms, no=arms + 1
                    )
                )
                arms += 2
            branches[at] = Questions(tuple(asked), number[last], _last_place(node, len(tests)))
    return branches, arms


def _takes(node: Node | None, number: Mapping[str, int]) -> tuple[tuple[int, bool], ...]:
    if not isinstance(node, WORKERS):
        return ()
    taken = [(number[need_name(need)], isinstance(need, OutcomeOf)) for need in node.needs or ()]
    return ((number[node.over], False), *taken) if isinstance(node, Each) else tuple(taken)


def _last_place(node: Branch, asked: int) -> str:
    return "otherwise" if node.kind in {"choose", "cond"} else f"operand {asked + 1}"


def _commitments(
    order: Sequence[int],
    given: frozenset[int],
    needs: Sequence[tuple[int, ...]],
    branches: Mapping[int, Questions],
) -> tuple[list[int], dict[int, list[int]]]:
    """By node, the nodes that run where it does; by branch, what is committed from each question on."""
    commits = [0] * len(order)
    onward: dict[int, list[int]] = {}
    if not branches:  # then everything is committed, and one set says it
        everything = ((1 << len(order)) - 1) & ~sum(1 << at for at in given)
        return [everything] * len(order), onward
    for at in order:
        if at in given:
            continue
        bits = 1 << at
        if at in branches:
            onward[at] = _onward(branches[at], commits)
            bits |= onward[at][0]
        else:
            for need in needs[at]:
                bits |= commits[need]
        commits[at] = bits
    return commits, onward


def _onward(questions: Questions, commits: Sequence[int]) -> list[int]:
    """What is committed on reaching each question, and at the end the last result."""
    bits = commits[questions.last]
    found = [bits]
    for question in reversed(questions.asked):
        bits = commits[question.node] | (commits[question.taken] & bits)
        found.append(bits)
    return found[::-1]


def _owners(
    count: int,
    wanted: int,
    commits: Sequence[int],
    onward: Mapping[int, list[int]],
    branches: Mapping[int, Questions],
) -> tuple[int, ...]:
    """By node, the arms that bring it into a run. Branches go consumer first, so their own owners are known."""
    owners = [0] * count
    demanded = dict.fromkeys(
        branches, -1
    )  # by branch: what surely runs where the branch does; -1 is everything

    def commit(arm: int, bits: int, known: int) -> None:
        for at in members(bits & ~known):
            owners[at] |= 1 << arm
            if at in demanded:
                demanded[at] &= known | bits

    commit(ROOT, wanted, 0)
    for at in sorted(branches, reverse=True):
        known = demanded[at]
        for step, question in enumerate(branches[at].asked):
            commit(question.yes, commits[question.taken], known)
            following = onward[at][step + 1]
            commit(question.no, following, known)
            known |= following
    return tuple(owners)


def _waits(
    order: Sequence[int],
    given: frozenset[int],
    needs: Sequence[tuple[int, ...]],
    listed: Sequence[Node | None],
    branches: Mapping[int, Questions],
) -> tuple[int, ...]:
    after = [0] * len(order)
    slow = [at in branches or (node is not None and waits(node)) for at, node in enumerate(listed)]
    for at in order:
        bits = 0
        if at not in given:
            for need in needs[at]:
                bits |= after[need] | (1 << need if slow[need] else 0)
        after[at] = bits
    return tuple(after)


def members(bits: int) -> Iterator[int]:
    """The numbers in a bit set, ascending, in time linear in its width."""
    text = f"{bits:b}"[::-1]
    at = text.find("1")
    while at >= 0:
        yield at
        at = text.find("1", at + 1)
