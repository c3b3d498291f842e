"""Nodes: what a decision is declared from. Frozen data; running them is somebody else's job.

given
    `Value` (a constant) and `Input` (handed in at every run).
work
    `Pure` (a function of its needs, nothing else) and `Effect` (whatever waits: HTTP, a table, a model).
branches
    `Choose`, `Cond`, `AnyOf`, `AllOf`: only what is asked for runs.
each
    `Each`: one function over the elements of a sequence.

An operand of a branch is a node's name, or a node: then it belongs to the graph too.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final, Literal, NamedTuple, TypeAlias

from veredito.errors import Problem
from veredito.graph.resilience.settings import Policies
from veredito.graph.signature import Need, given_needs, read_parameters


class NoDefault(enum.Enum):
    """The mark of a node without a default; `None` is an ordinary default."""

    NO_DEFAULT = "no default"

    def __repr__(self) -> str:
        return self.name


NO_DEFAULT: Final = NoDefault.NO_DEFAULT

Operand: TypeAlias = "str | Node"
OnError: TypeAlias = tuple[tuple[type[Exception], Any], ...]
Mode: TypeAlias = Literal["boolean", "truthy", "falsy"]


class Test(NamedTuple):
    """One question a branch asks: the node asked, what counts as yes, and the node that is the result then."""

    node: str
    mode: Mode
    taken: str
    place: str


@dataclasses.dataclass(frozen=True, slots=True)
class Value:
    """A constant.

    Args:
        name: the node's name.
        value: what every run sees.
    """

    name: str
    value: Any
    kind: ClassVar[str] = "value"


@dataclasses.dataclass(frozen=True, slots=True)
class Input:
    """What the caller of a run hands in.

    Args:
        name: the key in the run's inputs.
        type: the class it must be an instance of; `None` takes anything.
    """

    name: str
    type: type | None = None
    kind: ClassVar[str] = "input"


@dataclasses.dataclass(frozen=True, slots=True)
class Pure:
    """A function of its needs and of nothing else: no waiting, no clock, no state.

    Args:
        name: the node's name.
        function: called with the values of `needs`, by position.
        needs: node or source names; read from the parameter names where not given.
        default: what stands in when the node fails, or anything it needs does.
        on_error: exception type to value, the first that matches wins; asked before `default`.
    """

    name: str
    function: Callable[..., Any]
    needs: tuple[Need, ...] | None = None
    default: Any = NO_DEFAULT
    on_error: OnError = ()
    keywords: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    faults: tuple[Problem, ...] = dataclasses.field(default=(), init=False, repr=False, compare=False)
    kind: ClassVar[str] = "pure"

    def __post_init__(self) -> None:
        _complete(self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself, as a unit test does."""
        return self.function(*args, **kwargs)


@dataclasses.dataclass(frozen=True, slots=True)
class Effect:
    """Whatever waits or reaches outside. `async def` runs on the loop, `def` on a worker thread.

    Args:
        name: the node's name.
        function: called with the values of `needs`, by position.
        needs: node or source names; read from the parameter names where not given.
        timeout_ms: the most it may take in all, retries included; `None` leaves only the run's deadline.
        default: what stands in when the node fails or is late, or anything it needs has failed.
        on_error: exception type to value, the first that matches wins; asked before `default`.
        policies: retries, hedging, breaker, limit, cache, single flight, coalescing.
    """

    name: str
    function: Callable[..., Any]
    needs: tuple[Need, ...] | None = None
    timeout_ms: float | None = None
    default: Any = NO_DEFAULT
    on_error: OnError = ()
    policies: Policies | None = None
    keywords: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    faults: tuple[Problem, ...] = dataclasses.field(default=(), init=False, repr=False, compare=False)
    kind: ClassVar[str] = "effect"

    def __post_init__(self) -> None:
        _complete(self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself, as a unit test does."""
        return self.function(*args, **kwargs)


@dataclasses.dataclass(frozen=True, slots=True)
class Each:
    """One function over the elements of another node's value; the result is a list, in order.

    Args:
        name: the node's name.
        over: the node whose value is iterated; null gives an empty list.
        function: called with an element, then with the values of `needs`. `async def` makes the node an
            effect whose elements run concurrently.
        needs: what the function takes after the element; read from its further parameters where not given.
        in_flight_max: how many elements of an `async def` run at a time.
        timeout_ms: for the whole node; only for `async def`.
        default: what stands in for the whole list.
        on_error: exception type to value, the first that matches wins; asked before `default`.
    """

    name: str
    over: str
    function: Callable[..., Any]
    needs: tuple[Need, ...] | None = None
    in_flight_max: int = 32
    timeout_ms: float | None = None
    default: Any = NO_DEFAULT
    on_error: OnError = ()
    keywords: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    inner: tuple[Node, ...] = dataclasses.field(default=(), init=False, repr=False, compare=False)
    faults: tuple[Problem, ...] = dataclasses.field(default=(), init=False, repr=False, compare=False)
    kind: ClassVar[str] = "each"

    def __post_init__(self) -> None:
        _take_operands(self, over=self.over)
        _complete(self, skip=1)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself with one element, as a unit test does."""
        return self.function(*args, **kwargs)


@dataclasses.dataclass(frozen=True, slots=True)
class Choose:
    """`then` where `when` is true, `otherwise` where it is false; the other one never runs."""

    name: str
    when: str
    then: str
    otherwise: str
    inner: tuple[Node, ...] = dataclasses.field(default=(), init=False, repr=False, compare=False)
    kind: ClassVar[str] = "choose"

    def __post_init__(self) -> None:
        _take_operands(self, when=self.when, then=self.then, otherwise=self.otherwise)

    def tests(self) -> tuple[tuple[Test, ...], str]:
        """The questions in order, and the result where none is answered with yes."""
        return (Test(self.when, "boolean", self.then, "then"),), self.otherwise


@dataclasses.dataclass(frozen=True, slots=True)
class Cond:
    """The first clause whose condition is true wins; later conditions are not asked."""

    name: str
    clauses: tuple[tuple[str, str], ...]
    otherwise: str
    inner: tuple[Node, ...] = dataclasses.field(default=(), init=False, repr=False, compare=False)
    faults: tuple[Problem, ...] = dataclasses.field(default=(), init=False, repr=False, compare=False)
    kind: ClassVar[str] = "cond"

    def __post_init__(self) -> None:
        inner: list[Node] = []
        clauses, faults = [], []
        given: Any = self.clauses  # whatever was written: the build says what is wrong with it
        otherwise: Any = self.otherwise
        for number, clause in enumerate(given, start=1):
            if not isinstance(clause, tuple | list) or len(clause) != 2 or None in clause:
                faults.append(_incomplete_clause(self.name, number))
            else:
                clauses.append((_name_of(clause[0], inner), _name_of(clause[1], inner)))
        if not given:
            faults.append(
                Problem(f"node '{self.name}'", "cond has no clauses", hint="give (condition, result)")
            )
        if otherwise is None:
            faults.append(
                Problem(
                    f"node '{self.name}'",
                    "cond has no otherwise",
                    hint="say what it is when no clause matches",
                )
            )
        object.__setattr__(self, "clauses", tuple(clauses))
        object.__setattr__(self, "otherwise", _name_of(otherwise, inner))
        object.__setattr__(self, "inner", tuple(inner))
        object.__setattr__(self, "faults", tuple(faults))

    def tests(self) -> tuple[tuple[Test, ...], str]:
        """The questions in order, and the result where none is answered with yes."""
        asked = (
            Test(when, "boolean", then, f"clause {n}") for n, (when, then) in enumerate(self.clauses, start=1)
        )
        return tuple(asked), self.otherwise


@dataclasses.dataclass(frozen=True, slots=True)
class AnyOf:
    """The first operand that is truthy, or else the last one's value; later operands never run."""

    name: str
    operands: tuple[str, ...]
    inner: tuple[Node, ...] = dataclasses.field(default=(), init=False, repr=False, compare=False)
    faults: tuple[Problem, ...] = dataclasses.field(default=(), init=False, repr=False, compare=False)
    kind: ClassVar[str] = "any_of"
    mode: ClassVar[Mode] = "truthy"

    def __post_init__(self) -> None:
        _take_sequence(self, self.operands)

    def tests(self) -> tuple[tuple[Test, ...], str]:
        """The questions in order, and the result where none is answered with yes."""
        return _operand_tests(self.operands, self.mode)


@dataclasses.dataclass(frozen=True, slots=True)
class AllOf:
    """The first operand that is falsy, or else the last one's value; later operands never run."""

    name: str
    operands: tuple[str, ...]
    inner: tuple[Node, ...] = dataclasses.field(default=(), init=False, repr=False, compare=False)
    faults: tuple[Problem, ...] = dataclasses.field(default=(), init=False, repr=False, compare=False)
    kind: ClassVar[str] = "all_of"
    mode: ClassVar[Mode] = "falsy"

    def __post_init__(self) -> None:
        _take_sequence(self, self.operands)

    def tests(self) -> tuple[tuple[Test, ...], str]:
        """The questions in order, and the result where none is answered with yes."""
        return _operand_tests(self.operands, self.mode)


Worker: TypeAlias = Pure | Effect | Each
Branch: TypeAlias = Choose | Cond | AnyOf | AllOf
Node: TypeAlias = Value | Input | Pure | Effect | Each | Choose | Cond | AnyOf | AllOf
NODES: Final = (Value, Input, Pure, Effect, Each, Choose, Cond, AnyOf, AllOf)
BRANCHES: Final = (Choose, Cond, AnyOf, AllOf)
WORKERS: Final = (Pure, Effect, Each)


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it gives a coroutine, for functions and for objects with an async `__call__`."""
    call = getattr(function, "__call__", None)  # noqa: B004 - the method itself is asked for
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def waits(node: Node) -> bool:
    """Whether the node is an effect: something a run waits for."""
    return isinstance(node, Effect) or (isinstance(node, Each) and is_async(node.function))


def _complete(node: Worker, skip: int = 0) -> None:
    """Fill in the needs from the parameter names, and keep what cannot be read as a fault for the build."""
    set_field = object.__setattr__
    errors: Any = node.on_error
    pairs, faults = _pairs(node.name, errors)
    set_field(node, "on_error", pairs)
    set_field(node, "faults", faults)
    function: Any = node.function
    needs: Any = node.needs
    if not callable(function):
        fault = Problem(f"node '{node.name}'", f"{type(function).__name__} is not a function")
        set_field(node, "needs", ())
        set_field(node, "faults", (*faults, fault))
        return
    if needs is None:
        read = read_parameters(node.name, function, skip)
        set_field(node, "keywords", read.keywords)
    else:
        listed = (needs,) if isinstance(needs, str) else tuple(needs)
        if node.keywords:  # a copy of a node that was read before
            return
        read = given_needs(node.name, function, listed, skip)
    set_field(node, "needs", read.needs)
    set_field(node, "faults", (*faults, *read.faults))


def _pairs(name: str, errors: Any) -> tuple[OnError, tuple[Problem, ...]]:
    """Error policies as pairs of exception type and value."""
    listed = errors.items() if isinstance(errors, Mapping) else errors
    if isinstance(listed, Iterable):
        pairs = tuple(listed)
        if all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs):
            return pairs, ()
    return (), (Problem(f"node '{name}'", "on_error is no mapping of exception types to values"),)


def _incomplete_clause(name: str, number: int) -> Problem:
    return Problem(
        f"node '{name}'", f"clause {number} is incomplete", hint="a clause is a pair: (condition, result)"
    )


def _name_of(operand: Any, inner: list[Node]) -> Any:
    if isinstance(operand, NODES):
        inner.append(operand)
        return operand.name
    return operand


def _take_operands(node: Any, **operands: Any) -> None:
    inner: list[Node] = []
    for field, operand in operands.items():
        object.__setattr__(node, field, _name_of(operand, inner))
    object.__setattr__(node, "inner", tuple(inner))


def _take_sequence(node: Any, operands: Sequence[Any]) -> None:
    inner: list[Node] = []
    given = (operands,) if isinstance(operands, str) else operands
    names = tuple(_name_of(operand, inner) for operand in given)
    faults = () if names else (Problem(f"node '{node.name}'", f"{node.kind} has no operands"),)
    object.__setattr__(node, "operands", names)
    object.__setattr__(node, "inner", tuple(inner))
    object.__setattr__(node, "faults", faults)


def _operand_tests(operands: tuple[str, ...], mode: Mode) -> tuple[tuple[Test, ...], str]:
    asked = (Test(name, mode, name, f"operand {n}") for n, name in enumerate(operands[:-1], start=1))
    return tuple(asked), operands[-1]
