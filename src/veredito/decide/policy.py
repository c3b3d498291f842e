"""A policy: ordered rules over a graph's nodes. The first rule whose condition holds decides."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from veredito.decide.decision import Decision, RuleResult
from veredito.decide.reads import paths_read, read
from veredito.errors import PolicyError, Problem

_NO_REASONS: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """One line of a policy.

    Args:
        name: short and unique, such as ``R1``.
        when: the condition: a function whose parameter names are nodes of the graph, or ``<node>_outcome``
            for how a node's value came to be; returns a bool.
        action: what to do when it holds.
        reason: why, for the person who asks.

    Raises:
        PolicyError: something is empty, or the condition cannot be called by parameter name.
    """

    name: str
    when: Callable[..., bool]
    action: str
    reason: str

    def __post_init__(self) -> None:
        problems = [
            Problem(f"rule {self.name or '(no name)'}", f"{part} is empty")
            for part in ("name", "action", "reason")
            if not getattr(self, part)
        ]
        problems += _signature_problems(f"rule {self.name}", self.when)
        if problems:
            raise PolicyError(problems)

    @property
    def needs(self) -> tuple[str, ...]:
        """The nodes its condition asks for."""
        return tuple(inspect.signature(self.when).parameters)


class Policy:
    """Ordered rules; the first whose condition holds decides, and `otherwise` if none does.

    A condition that raises, or that returns something other than a bool, fails the decision: a rule that
    cannot be evaluated is never taken for one that does not hold.

    Args:
        *rules: in order of precedence.
        otherwise: the action when no rule fires.
        score: a function of nodes whose result is reported as the decision's score.

    Raises:
        PolicyError: two rules share a name, or `otherwise` is empty.

    Example:
        >>> policy = Policy(
        ...     Rule("R1", when=lambda amount: amount > 1000, action="review", reason="large amount"),
        ...     otherwise="approve",
        ... )
        >>> policy.decide({"amount": 5000}).action
        'review'
    """

    def __init__(
        self, *rules: Rule, otherwise: str, score: Callable[..., float | None] | None = None
    ) -> None:
        self.rules = rules
        self.otherwise = otherwise
        self.score = score
        names = [rule.name for rule in rules]
        problems = [
            Problem(f"rule {name}", "two rules share this name")
            for name in dict.fromkeys(names)
            if names.count(name) > 1
        ]
        if not otherwise:
            problems.append(
                Problem("policy.otherwise", "is empty", hint="name the action for when no rule fires")
            )
        if score is not None:
            problems += _signature_problems("policy.score", score)
        if problems:
            raise PolicyError(problems)
        self._compiled = [(rule, rule.needs, _paths(rule.when)) for rule in rules]
        self._score_needs = tuple(inspect.signature(score).parameters) if score else ()

    @property
    def needs(self) -> tuple[str, ...]:
        """Every node that a rule or the score asks for, in the order they are first named."""
        return tuple(
            dict.fromkeys([*(name for _, needs, _ in self._compiled for name in needs), *self._score_needs])
        )

    @property
    def actions(self) -> tuple[str, ...]:
        """Every action that the policy can take."""
        return tuple(dict.fromkeys([*(rule.action for rule in self.rules), self.otherwise]))

    @property
    def version(self) -> str:
        """A short hash of the source that the rules are written in, and of their order."""
        digest = hashlib.sha256(
            repr([(r.name, r.action, r.reason) for r in self.rules] + [self.otherwise]).encode()
        )
        for source in sorted({_source(rule.when) for rule in self.rules}):
            digest.update(source)
        return digest.hexdigest()[:12]

    def __repr__(self) -> str:
        lines = "".join(
            f"\n  {rule.name}({', '.join(rule.needs)}) → {rule.action}: {rule.reason}" for rule in self.rules
        )
        return f"Policy{lines}\n  otherwise → {self.otherwise}"

    def decide(self, nodes: Mapping[str, Any]) -> Decision:
        """The decision for the given node values.

        Args:
            nodes: at least what `needs` names.

        Raises:
            PolicyError: a condition returned something other than a bool.
            Exception: what a condition itself raised, with the rule's name as a note.
        """
        results: list[RuleResult] = []
        action, reasons = self.otherwise, _NO_REASONS
        for rule, needs, paths in self._compiled:
            arguments = {name: nodes[name] for name in needs}
            fired = _evaluate(rule, arguments)
            results.append(RuleResult(rule=rule.name, fired=fired, read=read(paths, arguments)))
            if fired:
                action, reasons = rule.action, (rule.reason,)
                break
        score = self.score(**{name: nodes[name] for name in self._score_needs}) if self.score else None
        return Decision(action=action, reasons=reasons, score=score, rules=tuple(results))


def _evaluate(rule: Rule, arguments: dict[str, Any]) -> bool:
    try:
        fired = rule.when(**arguments)
    except Exception as error:
        error.add_note(f"while evaluating rule {rule.name}")
        raise
    return _checked(rule, fired)


def _checked(rule: Rule, fired: object) -> bool:
    if type(fired) is not bool:
        what = f"the condition returned {type(fired).__name__}, not a bool"
        raise PolicyError(
            Problem(f"rule {rule.name}", what, hint="compare explicitly: `x is not None`, `x > 0`")
        )
    return fired


def _signature_problems(place: str, function: object) -> list[Problem]:
    if not callable(function):
        return [Problem(place, "the condition is not a function")]
    kinds = {parameter.kind for parameter in inspect.signature(function).parameters.values()}
    if kinds - {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}:
        hint = "name each node that it reads as a parameter"
        return [Problem(place, "positional-only or variable parameters cannot name nodes", hint=hint)]
    return []


def _paths(function: Callable[..., Any]) -> tuple[tuple[str, ...], ...]:
    if isinstance(function, types.FunctionType):
        return paths_read(function)
    return tuple((name,) for name in inspect.signature(function).parameters)


def _source(function: Callable[..., Any]) -> bytes:
    """The bytes of the file a rule is written in, or of its code where there is no file."""
    path = inspect.getsourcefile(function) if isinstance(function, types.FunctionType) else None
    if path and Path(path).is_file():
        return Path(path).read_bytes()
    return function.__code__.co_code if isinstance(function, types.FunctionType) else repr(function).encode()
