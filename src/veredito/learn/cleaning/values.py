"""Values for other values: maps, and rare categories made one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from veredito.errors import LearnerError, Problem
from veredito.learn.arrays import Want, array, is_whole
from veredito.learn.block import Block, Kernel, Layout, Matrix
from veredito.learn.encoding.categories import counted, encoder, keys_of, need_categories
from veredito.learn.kernels import in_order
from veredito.learn.learner import Fit, Learner, names_of, settle
from veredito.learn.lookup import Lookup
from veredito.learn.pipeline import Pipeline
from veredito.learn.preview import Preview
from veredito.learn.step import Step, fitted

KEEP = "keep"
MISSING = "missing"


class TextMap(Step, kind="text_map"):
    """Columns whose values become texts. An unseen text stays if `keep`, else becomes `unseen_as`."""

    columns: tuple[str, ...]
    keep: bool
    unseen_as: str | None
    missing_as: tuple[str | None, ...] = fitted()
    keys: tuple[tuple[str, ...] | Matrix, ...] = fitted()
    values: tuple[tuple[str | None, ...], ...] = fitted()

    @cached_property
    def _maps(self) -> dict[str, Callable[[Any], str | None]]:
        parts = zip(self.columns, self.keys, self.values, self.missing_as, strict=True)
        return {name: self._map(keys, values, missing) for name, keys, values, missing in parts}

    def _map(
        self, keys: Any, values: Sequence[str | None], missing: str | None
    ) -> Callable[[Any], str | None]:
        listed = keys.tolist() if isinstance(keys, np.ndarray) else keys
        get, unseen = {**dict(zip(listed, values, strict=True)), None: missing}.get, self.unseen_as
        if isinstance(keys, np.ndarray):
            return lambda value: get(value, unseen) if value == value else missing  # noqa: PLR0124 - NaN
        return (lambda value: get(value, value)) if self.keep else (lambda value: get(value, unseen))

    @property
    def needs(self) -> dict[str, Want]:
        """The columns, as what the map's keys are."""
        return {
            name: "number" if isinstance(keys, np.ndarray) else "text"
            for name, keys in zip(self.columns, self.keys, strict=True)
        }

    @property
    def writes(self) -> tuple[str, ...]:
        """The same columns."""
        return self.columns

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """One look into the map a distinct value, and one join a column."""
        return table.with_columns(self._mapped(table[name]) for name in self.columns)

    def _mapped(self, series: pl.Series) -> pl.Series:
        if series.dtype != pl.String:
            series = pl.Series(series.name, array(series))
        distinct = series.unique()
        mapped = pl.Series([self._maps[series.name](value) for value in distinct.to_list()], dtype=pl.String)
        return series.replace_strict(distinct, mapped, return_dtype=pl.String).cast(pl.String)

    def bind(self, layout: Layout) -> Kernel:
        """One look into a dictionary a value."""
        return in_order([self._bound(layout, name, want) for name, want in self.needs.items()])

    def _bound(self, layout: Layout, name: str, want: Want) -> Kernel:
        text = want == "text"
        source = layout.text_at(name) if text else layout.number_at(name)
        target, found = layout.text(name), self._maps[name]

        def kernel(block: Block) -> None:
            read: Any = block.texts[source] if text else block.numbers[:, source].tolist()
            block.texts[target] = [found(value) for value in read]

        return kernel

    def unseen(self, series: pl.Series) -> int:
        """How many values are not in the map."""
        keys = self.keys[self.columns.index(series.name)]
        return Lookup(keys, np.zeros(len(keys))).unseen_in(series)


class value_mapper(Learner):
    """Replaces values by others.

    Args:
        maps: for each column, old value to new value. `None` stands for missing on both sides. New values of
            a column are all numbers or all texts.
        unseen: ``keep`` leaves other values as they are; ``missing`` makes them missing.

    Example:
        >>> mapper = value_mapper({"x": {10: 1, 13: 2}})
        >>> mapper(pl.DataFrame({"x": [10, 10, 13, 15]})).table["x"].to_list()
        [1, 1, 2, 15]
    """

    maps: Mapping[str, Mapping[Any, Any]]
    _: dataclasses.KW_ONLY
    unseen: str = KEEP

    def __post_init__(self) -> None:
        names_of(self.kind, "maps", self.maps)
        problems = [problem for name, found in self.maps.items() for problem in self._problems(name, found)]
        if self.unseen not in {KEEP, MISSING}:
            problems.append(Problem(self.kind, f"unknown unseen '{self.unseen}'", (KEEP, MISSING)))
        if problems:
            raise LearnerError(problems)
        settle(self, maps={name: dict(found) for name, found in self.maps.items()})

    def _problems(self, name: str, found: Mapping[Any, Any]) -> list[Problem]:
        if not any(key is not None for key in found):
            return [Problem(self.kind, f"the map of '{name}' is empty")]
        mixed = [
            side
            for side in (found.keys(), found.values())
            if len({isinstance(v, str) for v in side if v is not None}) > 1
        ]
        if mixed:
            return [Problem(self.kind, f"the map of '{name}' mixes texts and numbers on one side")]
        if self.unseen == KEEP and _text(found.keys()) != _text(found.values()):
            hint = "set unseen='missing'"
            return [
                Problem(
                    self.kind,
                    f"the map of '{name}' changes what the column is, so nothing can be kept",
                    hint=hint,
                )
            ]
        return []

    def check(self, preview: Preview) -> None:
        """The columns must be what the maps' keys are."""
        for name, found in self.maps.items():
            preview.need([name], "text" if _text(found) else "number", times=False)
            preview.make([name], "text" if _text(found.values()) else "number")

    def fit(self, table: pl.DataFrame) -> Fit:  # noqa: ARG002 - nothing is learned
        """Nothing is learned."""
        texts = {name: found for name, found in self.maps.items() if _text(found.values())}
        numbers = {
            name: _lookup(found, keep=self.unseen == KEEP)
            for name, found in self.maps.items()
            if name not in texts
        }
        steps: list[Step] = [encoder(numbers, whole=True)] if numbers else []
        steps += [_text_map(texts, keep=self.unseen == KEEP)] if texts else []
        return Fit(steps[0] if len(steps) == 1 else Pipeline(("numbers", "texts"), tuple(steps)))


def _text(values: Any) -> bool:
    return any(isinstance(value, str) for value in values)


def _parted(found: Mapping[Any, Any]) -> tuple[Any, list[Any], Any]:
    """Keys, sorted as a lookup wants them, their values, and the value for missing."""
    if _text(found):
        keys: Any = tuple(key for key in found if key is not None)
        return keys, [found[key] for key in keys], found.get(None)
    by_number = {float(key): value for key, value in found.items() if key is not None}
    ordered = sorted(by_number)
    return np.array(ordered), [by_number[key] for key in ordered], found.get(None)


def _lookup(found: Mapping[Any, Any], *, keep: bool) -> Lookup:
    keys, values, missing = _parted(found)
    numbers = np.array([np.nan if value is None else value for value in values], dtype=float)
    return Lookup(keys, numbers, missing=np.nan if missing is None else float(missing), keep=keep)


def _text_map(maps: Mapping[str, Mapping[Any, Any]], *, keep: bool) -> TextMap:
    keys, values, missing = zip(*(_parted(found) for found in maps.values()), strict=True)
    return TextMap(tuple(maps), keep, None, missing, keys, tuple(map(tuple, values)))


class truncate_categories(Learner):
    """Makes rare categories one: those with less than a share of the rows, and those never seen.

    Args:
        columns: columns of categories, changed in place.
        share: categories with at least this share of the training rows stay.
        replacement: what the others become: a text for columns of texts, a number for numbers.

    Example:
        >>> table = pl.DataFrame({"x": [*"aaabbbbcdf", None]})
        >>> truncate_categories(["x"], share=0.1)(table).table["x"].unique().sort().to_list()
        [None, 'a', 'b', 'other']
    """

    columns: Sequence[str]
    _: dataclasses.KW_ONLY
    share: float
    replacement: str | float = "other"

    def __post_init__(self) -> None:
        settle(self, columns=names_of(self.kind, "columns", self.columns))
        if not 0 < self.share < 1:
            raise LearnerError(Problem(self.kind, f"share must be between 0 and 1, and is {self.share}"))

    def check(self, preview: Preview) -> None:
        """The columns must be categories of the replacement's kind, and have values."""
        need_categories(preview, self.columns)
        for name in self.columns:
            kind = preview.columns.get(name)
            if kind in {"text", "number"} and (kind == "text") != isinstance(self.replacement, str):
                preview.wrong(
                    f"column '{name}' is {kind}, and {self.replacement!r} is not",
                    hint="give a replacement of its kind",
                )
        preview.make(self.columns, "text" if isinstance(self.replacement, str) else "number")

    def fit(self, table: pl.DataFrame) -> Fit:
        """Count the categories."""
        kept = {name: self._kept(table[name]) for name in self.columns}
        if not isinstance(self.replacement, str):
            numbers = {
                n: Lookup(v.to_numpy(), v.to_numpy(), float(self.replacement)) for n, v in kept.items()
            }
            return Fit(encoder(numbers, whole=all(is_whole(table.schema[name]) for name in kept)))
        keys = tuple(keys_of(values) for values in kept.values())
        nothing = (None,) * len(kept)
        return Fit(TextMap(tuple(kept), False, self.replacement, nothing, keys, keys))  # type: ignore[arg-type]

    def _kept(self, series: pl.Series) -> pl.Series:
        values, counts = counted(series, self.kind)
        return values.filter(pl.Series(counts >= self.share * series.len()))
