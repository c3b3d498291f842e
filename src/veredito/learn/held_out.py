"""Rows that are held out: a calibrator is fitted on what its model has not seen, by construction.

A learner with ``on=learn.on(fraction=0.2)`` is fitted on that part of the rows only, and every learner of
the same pipeline without it is fitted on none of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from veredito.errors import LearnerError, Problem

Mask: TypeAlias = NDArray[np.bool_]


def shown(made: Any, name: str) -> str:
    """A dataclass as it would be written in code: without what is left at its default."""
    given = [
        f"{f.name}={value!r}"
        for f in dataclasses.fields(made)
        if (value := getattr(made, f.name))
        != (f.default_factory() if callable(f.default_factory) else f.default)
    ]
    return f"{name}({', '.join(given)})"


@dataclasses.dataclass(frozen=True, repr=False)
class HeldOut:
    """A part of the training rows, by fraction or by name; made by `on`."""

    fraction: float | None = None
    after: str | None = None
    column: str | None = None
    value: str | int | None = None
    name: str = "held_out"
    seed: int = 0

    def __repr__(self) -> str:
        return shown(self, "on")


def on(  # noqa: D417 - the part has one of two forms, described together
    *,
    fraction: float | None = None,
    after: str | None = None,
    column: str | None = None,
    value: str | int | None = None,
    name: str = "held_out",
    seed: int = 0,
) -> HeldOut:
    """The rows to fit a learner on, kept from all other learners of the pipeline.

    Args:
        fraction: how much of the table, drawn at random by `seed`; between 0 and 1.
        after: with `fraction`, take the last rows in the order of this column instead.
        column: with `value`, the named split: rows where this column has this value.
        name: parts of different names share no row; the same part may be used by several learners.

    Raises:
        LearnerError: neither a fraction nor a named split is given, or both are.

    Example:
        >>> on(fraction=0.2).fraction
        0.2
    """
    by_name = column is not None and value is not None
    if by_name == (fraction is not None) or (column is None) != (value is None):
        hint = "on(fraction=0.2), or on(column='split', value='calibration')"
        raise LearnerError(Problem("on", "needs either a fraction, or a column and its value", hint=hint))
    if fraction is not None and not 0 < fraction < 1:
        raise LearnerError(Problem("on", f"fraction must be between 0 and 1, and is {fraction}"))
    if by_name and after is not None:
        raise LearnerError(Problem("on", "'after' goes with a fraction, not with a named split"))
    return HeldOut(fraction, after, column, value, name, seed)


@dataclasses.dataclass(frozen=True)
class Split:
    """Which rows each held-out part has, and which are left for training.

    `watched` are the rows that a model looks at while it is fitted, without learning from them.
    """

    training: Mask | None
    parts: dict[HeldOut, Mask]
    watched: pl.DataFrame | None = None

    def rows_of(self, part: HeldOut | None) -> Mask | None:
        """The rows of a part, or the training rows; `None` for all."""
        return self.training if part is None else self.parts[part]

    def take(self, rows: Mask) -> Split:
        """The same split of some of the rows."""
        training = None if self.training is None else self.training[rows]
        return Split(training, {part: mask[rows] for part, mask in self.parts.items()})

    @classmethod
    def of(cls, parts: Iterable[HeldOut], table: pl.DataFrame, place: str) -> Split:
        """The rows of each part of a table.

        Raises:
            LearnerError: a part's column is missing, a part is empty, or nothing is left for training.
        """
        ordered = sorted(parts, key=lambda part: (part.name, repr(part)))
        if not ordered:
            return cls(None, {})
        _check(ordered, table, place)
        named = _named(ordered, table)
        masks = named | _fractions(ordered, table, taken=_union(named, table.height))
        training = ~_union(masks, table.height)
        empty = [part for part, mask in masks.items() if not mask.any()]
        if empty:
            what = "no row is held out by " + ", ".join(map(repr, empty))
            raise LearnerError(Problem(place, what, hint="hold out more, or check the split's column"))
        return cls(training, masks)


def _check(parts: list[HeldOut], table: pl.DataFrame, place: str) -> None:
    problems = [
        Problem(place, f"column '{name}' of the held-out part '{part.name}' is missing", tuple(table.columns))
        for part in parts
        for name in (part.column, part.after)
        if name is not None and name not in table.columns
    ]
    names = [part.name for part in parts if part.fraction is not None]
    problems += [
        Problem(place, f"two different held-out parts are named '{name}'", hint="give them different names")
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    total = sum(part.fraction or 0.0 for part in parts)
    if total >= 1:
        problems.append(
            Problem(place, f"the held-out fractions sum to {total:g}", hint="leave rows to train on")
        )
    if problems:
        raise LearnerError(problems)


def _named(parts: list[HeldOut], table: pl.DataFrame) -> dict[HeldOut, Mask]:
    return {
        part: table.select(pl.col(part.column).eq(part.value).fill_null(value=False)).to_series().to_numpy()
        for part in parts
        if part.column is not None
    }


def _union(masks: dict[HeldOut, Mask], rows: int) -> Mask:
    union = np.zeros(rows, dtype=bool)
    for mask in masks.values():
        union |= mask
    return union


def _fractions(parts: list[HeldOut], table: pl.DataFrame, taken: Mask) -> dict[HeldOut, Mask]:
    """Cut the rows that are still free, in an order, one piece a part from the end."""
    masks: dict[HeldOut, Mask] = {}
    for part in parts:
        if part.fraction is None:
            continue
        order = _order(part, table)
        free = order[~taken[order]]
        rows = free[free.size - round(part.fraction * table.height) :]
        mask = np.zeros(table.height, dtype=bool)
        mask[rows] = True
        masks[part], taken = mask, taken | mask
    return masks


def _order(part: HeldOut, table: pl.DataFrame) -> NDArray[Any]:
    if part.after is not None:
        return table[part.after].arg_sort(nulls_last=False).to_numpy()
    return np.random.default_rng(part.seed).permutation(table.height)
