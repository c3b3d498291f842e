"""A step: what a learner fitted, as frozen data with two executions.

A step is called on a table (Polars or pandas) and gives a table. It is also bound to a block's layout and
then runs without a data frame; both give the same numbers, bit for bit. What it learned is JSON, arrays and
text (`state`), and `Step.restore` makes an equal step from that. Nothing is ever pickled.

A new kind of step is a subclass with fields, `needs`, `writes`, `apply` and `bind`; subclasses are made
into frozen dataclasses and registered under their `kind` by being defined.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

import numpy as np
import polars as pl

from veredito.errors import LearnerError, Problem, did_you_mean

from .arrays import Want, array, canonical, fits, want_of
from .block import Kernel, Layout
from .frames import adopt

T = TypeVar("T")

_REGISTRY: dict[str, type[Step]] = {}


def fitted() -> Any:
    """Marks a dataclass field as learned from a table: it goes to `state`, not to `params`."""
    return dataclasses.field(metadata={"fitted": True})


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(fitted, dataclasses.field))
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Step(ABC):
    """A fitted transform: rows in, the same rows out in the same order, with columns changed or added.

    Subclass with ``class Capper(Step, kind="capper")``. `table_only` says that the row form goes through a
    one-row table; it is slow, and `veredito profile` shows how slow.
    """

    kind: ClassVar[str] = ""
    table_only: ClassVar[bool] = False

    def __init_subclass__(cls, *, kind: str = "", **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        dataclasses.dataclass(frozen=True, eq=False, repr=False)(cls)
        if not kind:
            return
        known = _REGISTRY.get(kind)
        if known and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            hint = "choose another kind"
            raise LearnerError(Problem(f"step '{kind}'", f"is already {known.__qualname__}", hint=hint))
        cls.kind, _REGISTRY[kind] = kind, cls

    @property
    @abstractmethod
    def needs(self) -> Mapping[str, Want]:
        """The columns it reads, and what each must be."""

    @property
    @abstractmethod
    def writes(self) -> tuple[str, ...]:
        """The columns it adds or changes."""

    @abstractmethod
    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """The table form, on a table whose columns are there, well typed, and null where missing."""

    @abstractmethod
    def bind(self, layout: Layout) -> Kernel:
        """The row form: a function that changes a block of this layout in place."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns it reads."""
        return tuple(self.needs)

    @property
    def drops(self) -> tuple[str, ...]:
        """The columns that are there before and not after."""
        return ()

    @property
    def children(self) -> tuple[Step, ...]:
        """The steps it is made of."""
        return ()

    @property
    def log_state(self) -> dict[str, Any]:
        """What the training log says was learned; a model leaves its library's own text out."""
        return self.params() | self.state()

    def __call__(self, table: Any) -> Any:
        """The table with this step's columns changed or added; the caller's table stays as it is.

        Raises:
            LearnerError: a column it reads is not there or has the wrong type; every such column is named.
        """
        place = f"step '{self.kind}'"
        frame, give_back = adopt(table, place)
        if problems := column_problems(place, frame.schema, self.needs):
            raise LearnerError(problems)
        needs = dict(self.needs)
        result = self.apply(canonical(frame, needs))
        return give_back(as_they_came(frame, result, needs, self.writes), self.writes)

    def counts(self, table: Any) -> dict[str, dict[str, int]]:
        """How often each column it reads is missing, infinite or unseen in a table; zeros are left out.

        It costs a pass over the table, and nothing where it is not asked for.
        """
        frame, _ = adopt(table, f"step '{self.kind}'")
        found: dict[str, dict[str, int]] = {}
        self.count(canonical(frame, dict(self.needs)), found)
        return found

    def count(self, table: pl.DataFrame, found: dict[str, dict[str, int]]) -> pl.DataFrame:
        """Add this step's counts for a canonical table to `found`, and give the table after the step."""
        for name in self.needs:
            series = table[name]
            tally = {
                "missing": series.null_count(),
                "infinite": _infinite(series),
                "unseen": self.unseen(series),
            }
            mine = found.setdefault(name, {})
            mine |= {what: max(number, mine.get(what, 0)) for what, number in tally.items() if number}
        for name in [name for name, tally in found.items() if not tally]:
            del found[name]
        return self.apply(table)

    def unseen(self, series: pl.Series) -> int:  # noqa: ARG002 - what a column step learned nothing about
        """How many values of a column it reads were not there when it was fitted."""
        return 0

    def params(self) -> dict[str, Any]:
        """How it was configured: JSON-able."""
        return {
            f.name: getattr(self, f.name) for f in dataclasses.fields(self) if not f.metadata.get("fitted")
        }

    def state(self) -> dict[str, Any]:
        """What it learned: JSON, arrays, bytes, steps, and lists and mappings of these."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.metadata.get("fitted")}

    @classmethod
    def restore(cls, params: Mapping[str, Any], state: Mapping[str, Any]) -> Self:
        """An equal step from what `params` and `state` gave, lists standing for tuples."""
        return cls(**{name: _frozen(value) for name, value in {**params, **state}.items()})

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(same(getattr(self, f.name), getattr(other, f.name)) for f in dataclasses.fields(self))

    def __hash__(self) -> int:
        return hash((self.kind, self.reads, self.writes))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.params().items())
        return f"{type(self).__name__}({shown})" if shown else f"{type(self).__name__}(reads={self.reads!r})"


def step_kinds() -> dict[str, type[Step]]:
    """Every kind of step that is defined, by name."""
    return dict(_REGISTRY)


def step_of(kind: str) -> type[Step]:
    """The class of a kind of step.

    Raises:
        LearnerError: no such kind; where it is a user's own, its module must be imported first.
    """
    if kind not in _REGISTRY:
        hint = did_you_mean(kind, _REGISTRY) or "import the module that defines it first"
        raise LearnerError(Problem(f"step '{kind}'", "unknown kind", tuple(sorted(_REGISTRY)), hint))
    return _REGISTRY[kind]


def walk(step: Step) -> Iterator[Step]:
    """The step and all steps inside it, outermost first."""
    yield step
    for child in step.children:
        yield from walk(child)


def column_problems(
    place: str, schema: Mapping[str, pl.DataType], needs: Mapping[str, Want]
) -> list[Problem]:
    """What is wrong with a table's columns for something that needs these."""
    problems = []
    for name, want in needs.items():
        if name not in schema:
            hint = did_you_mean(name, schema)
            problems.append(Problem(place, f"column '{name}' is missing", tuple(schema), hint))
        elif not fits(schema[name], want):
            what = f"column '{name}' must be {want}, and is {want_of(schema[name])} ({schema[name]})"
            problems.append(Problem(place, what, hint=f"cast '{name}', or leave it out"))
    return problems


def as_they_came(
    before: pl.DataFrame, after: pl.DataFrame, touched: Mapping[str, Want], written: Sequence[str]
) -> pl.DataFrame:
    """The result, with the columns that were only read given back untouched."""
    kept = [
        before[name]
        for name in touched
        if name in after.columns and name not in written and name in before.columns
    ]
    return after.with_columns(kept) if kept else after


def same(one: Any, other: Any) -> bool:
    """Whether two fitted values are equal: arrays element by element, NaN equal to NaN."""
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        one, other = np.asarray(one), np.asarray(other)
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return list(one) == list(other) and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def _frozen(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, Mapping):
        return {key: _frozen(item) for key, item in value.items()}
    return value


def _infinite(series: pl.Series) -> int:
    return int(np.isinf(array(series)).sum()) if series.dtype.is_float() else 0
