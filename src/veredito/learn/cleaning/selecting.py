"""Which columns there are, and what they are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from veredito.errors import LearnerError, Problem, did_you_mean
from veredito.learn.arrays import Want, want_of
from veredito.learn.block import Kernel, Layout
from veredito.learn.kernels import copy, nothing
from veredito.learn.learner import Fit, Learner, names_of, settle
from veredito.learn.pipeline import Pipeline
from veredito.learn.preview import Preview
from veredito.learn.step import Step, fitted


class Columns(Step, kind="columns"):
    """Columns copied to other names, then columns dropped. `kinds` are what the copied ones were."""

    copied: dict[str, str]
    dropped: tuple[str, ...]
    kinds: dict[str, str] = fitted()

    @property
    def needs(self) -> dict[str, Want]:
        """What is copied. What is dropped need not be there."""
        return {name: self.kinds[name] for name in self.copied}  # type: ignore[misc]

    @property
    def writes(self) -> tuple[str, ...]:
        """The copies."""
        return tuple(self.copied.values())

    @property
    def drops(self) -> tuple[str, ...]:
        """What is there no more."""
        return self.dropped

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """Columns under other names share their memory."""
        copies = [table[source].alias(target) for source, target in self.copied.items()]
        return table.with_columns(copies).drop(self.dropped, strict=False)

    def bind(self, layout: Layout) -> Kernel:
        """Copies, and names that the layout forgets."""
        kernel = copy(layout, self.copied)
        for name in self.dropped:
            layout.drop(name)
        return kernel


class Selection(Step, kind="selection"):
    """Only the columns named, in their order. `dropped` are the others that the training table had."""

    columns: tuple[str, ...]
    kinds: dict[str, str] = fitted()
    dropped: tuple[str, ...] = fitted()

    @property
    def needs(self) -> dict[str, Want]:
        """The columns."""
        return {name: self.kinds[name] for name in self.columns}  # type: ignore[misc]

    @property
    def writes(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    @property
    def drops(self) -> tuple[str, ...]:
        """The others."""
        return self.dropped

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """The columns, shared with the table."""
        return table.select(self.columns)

    def bind(self, layout: Layout) -> Kernel:
        """Names that the layout forgets."""
        for name in set(layout.names) - set(self.columns):
            layout.drop(name)
        return nothing


def kinds_in(table: pl.DataFrame, names: Sequence[str]) -> dict[str, str]:
    """What these columns of a table are."""
    return {name: want_of(table.schema[name]) for name in names}


def kept_under(place: str, columns: Sequence[str], keep_as: Any) -> dict[str, str] | None:
    """The names under which originals are kept, by column.

    Raises:
        LearnerError: a name is not one of the columns, is given twice, or one name is given for several.
    """
    if keep_as is None:
        return None
    if isinstance(keep_as, str):
        if len(columns) > 1:
            hint = f"keep_as={{'{columns[0]}': '{keep_as}'}}"
            raise LearnerError(Problem(place, "keep_as has one name for several columns", hint=hint))
        return {columns[0]: keep_as}
    problems = [
        Problem(
            place,
            f"keep_as names '{name}', which is no column of it",
            tuple(columns),
            did_you_mean(name, columns),
        )
        for name in keep_as
        if name not in columns
    ]
    if problems:
        raise LearnerError(problems)
    names_of(place, "keep_as", keep_as.values())
    return dict(keep_as)


def keeping(keep_as: Any, table: pl.DataFrame, step: Step) -> Step:
    """The step, after one that leaves the originals under other names where that is asked for."""
    if not keep_as:
        return step
    return Pipeline(("keep", step.kind), (Columns(dict(keep_as), (), kinds_in(table, list(keep_as))), step))


class selector(Learner):
    """Keeps only the columns named, in this order.

    Args:
        columns: what to keep.

    Example:
        >>> selector(["b"])(pl.DataFrame({"a": [1], "b": [2]})).table.columns
        ['b']
    """

    columns: Sequence[str]

    def __post_init__(self) -> None:
        settle(self, columns=names_of(self.kind, "columns", self.columns))

    def check(self, preview: Preview) -> None:
        """The columns must be there; no others are afterwards."""
        preview.need(self.columns)
        preview.drop([name for name in preview.columns if name not in self.columns])

    def fit(self, table: pl.DataFrame) -> Fit:
        """Nothing is learned."""
        dropped = tuple(name for name in table.columns if name not in self.columns)
        return Fit(Selection(tuple(self.columns), kinds_in(table, self.columns), dropped))


class dropper(Learner):
    """Drops columns.

    Args:
        columns: what to drop; on other tables they need not be there.

    Example:
        >>> dropper(["b"])(pl.DataFrame({"a": [1], "b": [2]})).table.columns
        ['a']
    """

    columns: Sequence[str]

    def __post_init__(self) -> None:
        settle(self, columns=names_of(self.kind, "columns", self.columns))

    def check(self, preview: Preview) -> None:
        """The columns must be there now, and are not afterwards."""
        preview.need(self.columns)
        preview.drop(self.columns)

    def fit(self, table: pl.DataFrame) -> Fit:  # noqa: ARG002 - nothing is learned
        """Nothing is learned."""
        return Fit(Columns({}, tuple(self.columns), {}))


class rename(Learner):
    """Gives columns other names.

    Args:
        names: old name to new name.

    Example:
        >>> rename({"a": "x"})(pl.DataFrame({"a": [1], "b": [2]})).table.columns
        ['b', 'x']
    """

    names: Mapping[str, str]

    def __post_init__(self) -> None:
        names_of(self.kind, "names", self.names)
        names_of(self.kind, "the new names", self.names.values())
        settle(self, names=dict(self.names))

    def check(self, preview: Preview) -> None:
        """The old names must be there, and the new ones free."""
        preview.need(self.names)
        kinds = {new: preview.columns.get(old, "any") for old, new in self.names.items()}
        preview.drop(self.names)
        for new, kind in kinds.items():
            preview.make_new([new], kind)

    def fit(self, table: pl.DataFrame) -> Fit:
        """Nothing is learned."""
        dropped = tuple(name for name in self.names if name not in self.names.values())
        return Fit(Columns(dict(self.names), dropped, kinds_in(table, list(self.names))))
