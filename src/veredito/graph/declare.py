"""The short way to write nodes: decorators, and functions with the words of the design."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, overload

from veredito.errors import GraphError, Problem, did_you_mean
from veredito.graph.nodes import (
    NO_DEFAULT,
    AllOf,
    AnyOf,
    Choose,
    Cond,
    Each,
    Effect,
    Input,
    Operand,
    Pure,
    Value,
)
from veredito.graph.resilience.settings import Policies
from veredito.graph.signature import Need

_Function = Callable[..., Any]
_Errors = Any  # Mapping[type[Exception], Any], or pairs: nodes take either, and say what is wrong with it


def value(name: str, value: Any) -> Value:
    """A constant.

    Example:
        >>> value("limit", 500)
        Value(name='limit', value=500)
    """
    return Value(name, value)


def input(name: str, type: type | None = None) -> Input:  # noqa: A001, A002 - the design's words; used as vg.input
    """What the caller of a run hands in under this name; checked to be an instance of `type` where given.

    Example:
        >>> input("amount", float)
        Input(name='amount', type=<class 'float'>)
    """
    return Input(name, type)


@overload
def pure(function: _Function, /) -> Pure: ...
@overload
def pure(
    function: None = None,
    /,
    *,
    name: str | None = ...,
    needs: Sequence[Need] | None = ...,
    default: Any = ...,
    on_error: _Errors = ...,
) -> Callable[[_Function], Pure]: ...
def pure(
    function: _Function | None = None,
    /,
    *,
    name: str | None = None,
    needs: Sequence[Need] | None = None,
    default: Any = NO_DEFAULT,
    on_error: _Errors = (),
) -> Pure | Callable[[_Function], Pure]:
    """A node from a function of its needs; the parameter names are the dependencies.

    Args:
        function: the function, where used as a bare decorator.
        name: the node's name; the function's own where not given.
        needs: dependencies, where the parameter names do not say them.
        default: what stands in when the node fails, or anything it needs does.
        on_error: exception type to value; the first that matches wins, before `default`.

    Example:
        >>> @pure
        ... def total(price, quantity):
        ...     return price * quantity
        >>> total.needs, total(2, 3)
        (('price', 'quantity'), 6)
    """

    def declare(function: _Function) -> Pure:
        return Pure(name or _name(function), function, _tuple(needs), default, on_error)

    return declare if function is None else declare(function)


@overload
def effect(function: _Function, /) -> Effect: ...
@overload
def effect(
    function: None = None,
    /,
    *,
    name: str | None = ...,
    needs: Sequence[Need] | None = ...,
    timeout_ms: float | None = ...,
    default: Any = ...,
    on_error: _Errors = ...,
    **policies: Any,
) -> Callable[[_Function], Effect]: ...
def effect(
    function: _Function | None = None,
    /,
    *,
    name: str | None = None,
    needs: Sequence[Need] | None = None,
    timeout_ms: float | None = None,
    default: Any = NO_DEFAULT,
    on_error: _Errors = (),
    **policies: Any,
) -> Effect | Callable[[_Function], Effect]:
    """A node from a function that waits: `async def` runs on the loop, `def` on a worker thread.

    Args:
        function: the function, where used as a bare decorator.
        name: the node's name; the function's own where not given.
        needs: dependencies, where the parameter names do not say them.
        timeout_ms: the most it may take in all, retries included.
        default: what stands in when the node fails or is late, or anything it needs has failed.
        on_error: exception type to value; the first that matches wins, before `default`.
        **policies: the fields of `resilience.Policies`: ``retry=``, ``hedge=``, ``breaker=``, ``limit=``,
            ``cache=``, ``single_flight=``, ``coalesce=``, ``key=``.

    Raises:
        GraphError: a policy by an unknown name.

    Example:
        >>> @effect(timeout_ms=80, default=None)
        ... async def customer(transaction, crm):
        ...     return await crm.get(transaction.customer_id)
        >>> customer.needs, customer.timeout_ms
        (('transaction', 'crm'), 80)
    """

    def declare(function: _Function) -> Effect:
        under_stress = _policies(name or _name(function), policies) if policies else None
        return Effect(
            name or _name(function),
            function,
            _tuple(needs),
            timeout_ms,
            default,
            on_error,
            under_stress,
        )

    return declare if function is None else declare(function)


def choose(name: str, *, when: Operand, then: Operand, otherwise: Operand) -> Choose:
    """A branch: `then` where the condition is true, `otherwise` where it is false.

    Args:
        name: the node's name.
        when: the condition; must give True or False.
        then: a node, or its name.
        otherwise: a node, or its name.

    Example:
        >>> choose("decision", when="applicable", then="policy", otherwise="preliminary")
        Choose(name='decision', when='applicable', then='policy', otherwise='preliminary')
    """
    return Choose(name, when, then, otherwise)  # type: ignore[arg-type]  # nodes become names in it


def cond(name: str, *clauses: tuple[Operand, Operand], otherwise: Operand | None = None) -> Cond:
    """The first clause whose condition is true; `otherwise` is required, and its absence said at build.

    Example:
        >>> cond("band", ("is_small", "low"), ("is_large", "high"), otherwise="middle").clauses
        (('is_small', 'low'), ('is_large', 'high'))
    """
    return Cond(name, clauses, otherwise)  # type: ignore[arg-type]  # nodes become names in it


def any_of(name: str, *operands: Operand) -> AnyOf:
    """The first truthy operand, or the last one's value.

    Example:
        >>> any_of("email", "own_email", "account_email").operands
        ('own_email', 'account_email')
    """
    return AnyOf(name, operands)  # type: ignore[arg-type]  # nodes become names in it


def all_of(name: str, *operands: Operand) -> AllOf:
    """The first falsy operand, or the last one's value.

    Example:
        >>> all_of("eligible", "adult", "resident").operands
        ('adult', 'resident')
    """
    return AllOf(name, operands)  # type: ignore[arg-type]  # nodes become names in it


@overload
def each(
    name: str,
    *,
    over: Operand,
    function: _Function,
    needs: Sequence[Need] | None = ...,
    in_flight_max: int = ...,
    timeout_ms: float | None = ...,
    default: Any = ...,
    on_error: _Errors = ...,
) -> Each: ...
@overload
def each(
    name: str | None = None,
    *,
    over: Operand,
    function: None = None,
    needs: Sequence[Need] | None = ...,
    in_flight_max: int = ...,
    timeout_ms: float | None = ...,
    default: Any = ...,
    on_error: _Errors = ...,
) -> Callable[[_Function], Each]: ...
def each(
    name: str | None = None,
    *,
    over: Operand,
    function: _Function | None = None,
    needs: Sequence[Need] | None = None,
    in_flight_max: int = 32,
    timeout_ms: float | None = None,
    default: Any = NO_DEFAULT,
    on_error: _Errors = (),
) -> Each | Callable[[_Function], Each]:
    """One function over the elements of a node's value; a decorator where no function is given.

    Args:
        name: the node's name; the function's own where not given.
        over: the node whose value is iterated; null gives an empty list.
        function: takes an element first, then its needs.
        needs: what it takes after the element, where the parameter names do not say it.
        in_flight_max: how many elements of an `async def` run at a time.
        timeout_ms: for the whole node; only for `async def`.
        default: what stands in for the whole list.
        on_error: exception type to value; the first that matches wins, before `default`.

    Example:
        >>> @each(over="prices")
        ... def gross(price, rate):
        ...     return price * (1 + rate)
        >>> gross.name, gross.over, gross.needs
        ('gross', 'prices', ('rate',))
    """

    def declare(function: _Function) -> Each:
        return Each(
            name or _name(function),
            over,  # type: ignore[arg-type]  # a node becomes its name in it
            function,
            _tuple(needs),
            in_flight_max,
            timeout_ms,
            default,
            on_error,
        )

    return declare if function is None else declare(function)


def _name(function: _Function) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _tuple(needs: Sequence[Need] | None) -> tuple[Need, ...] | None:
    if needs is None:
        return None
    return (needs,) if isinstance(needs, str) else tuple(needs)


def _policies(name: str, given: Mapping[str, Any]) -> Policies:
    unknown = [policy for policy in given if policy not in Policies.__struct_fields__]
    if unknown:
        raise GraphError(
            [
                Problem(
                    f"node '{name}'",
                    f"there is no policy '{policy}'",
                    Policies.__struct_fields__,
                    did_you_mean(policy, Policies.__struct_fields__),
                )
                for policy in unknown
            ]
        )
    return Policies(**given)
