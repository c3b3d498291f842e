"""Columns from a user's own function of numpy arrays.

A saved step refers to a function by its module and name, so it must be importable where it is loaded; one that
is not can be fitted, and not saved.
"""

from __future__ import annotations

import dataclasses
import importlib
import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np
import polars as pl

from veredito.errors import LearnerError, Problem
from veredito.learn.arrays import Want, array, column
from veredito.learn.block import Block, Kernel, Layout, Matrix
from veredito.learn.learner import Fit, Learner, names_of, settle
from veredito.learn.preview import Preview
from veredito.learn.step import Step

ArrayFunction = Callable[..., Any]


class ColumnFunction(Step, kind="column_function"):
    """Columns made by a function of arrays."""

    function: ArrayFunction | str
    columns: tuple[str, ...]
    into: tuple[str, ...]

    @cached_property
    def call(self) -> ArrayFunction:
        """The function itself; imported, if only its name is here.

        Raises:
            LearnerError: it is not there, or is one that no step is made of.
        """
        return _of_arrays(self.function) if isinstance(self.function, str) else self.function

    def params(self) -> dict[str, Any]:
        """Its configuration, the function by name.

        Raises:
            LearnerError: the function cannot be imported by name.
        """
        return super().params() | {"function": name_of(self.call)}

    @property
    def log_state(self) -> dict[str, Any]:
        """The function by the name it has, importable or not."""
        return super().params() | {"function": _shown(self.call)}

    @property
    def needs(self) -> dict[str, Want]:
        """The columns, as numbers."""
        return dict.fromkeys(self.columns, "number")

    @property
    def writes(self) -> tuple[str, ...]:
        """The columns made."""
        return self.into

    def _made(self, read: Sequence[Matrix]) -> list[Matrix]:
        result = self.call(*read)
        made = [result] if len(self.into) == 1 else list(result)
        rows = read[0].shape
        if len(made) != len(self.into) or any(np.shape(values) != rows for values in made):
            shapes = [np.shape(values) for values in made]
            what = f"its function must give {len(self.into)} arrays of shape {rows}, and gave {shapes}"
            raise LearnerError(Problem("step 'column_function'", what))
        return [np.asarray(values, dtype=np.float64) for values in made]

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """The function on whole columns."""
        made = self._made([array(table[name]) for name in self.columns])
        return table.with_columns(column(name, values) for name, values in zip(self.into, made, strict=True))

    def bind(self, layout: Layout) -> Kernel:
        """The same function on the block's columns, each contiguous as in a table."""
        sources = [layout.number_at(name) for name in self.columns]
        targets = [layout.number(name) for name in self.into]
        made = self._made

        def kernel(block: Block) -> None:
            numbers = block.numbers
            read = [np.ascontiguousarray(numbers[:, source]) for source in sources]
            for target, values in zip(targets, made(read), strict=True):
                numbers[:, target] = values

        return kernel

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ColumnFunction):
            return NotImplemented
        return (self.call, self.columns, self.into) == (other.call, other.columns, other.into)

    __hash__ = Step.__hash__

    def __repr__(self) -> str:
        return f"ColumnFunction({_shown(self.call)}, columns={self.columns!r}, into={self.into!r})"


def name_of(function: Any) -> str:
    """How a function can be imported: ``module:name``.

    Raises:
        LearnerError: it cannot, because it was made inside another function, or in the main script.
    """
    name = f"{getattr(function, '__module__', None)}:{getattr(function, '__qualname__', None)}"
    try:
        found = named(name)
    except LearnerError:
        found = None
    if found is not function or name.startswith("__main__:"):
        hint = "define it at the top of a module, and give it by that name"
        raise LearnerError(
            Problem("step 'column_function'", f"{_shown(function)} cannot be saved", hint=hint)
        )
    return name


def named(name: str) -> Any:
    """What ``module:name`` refers to.

    Raises:
        LearnerError: there is no such module, or nothing of that name in it.
    """
    module, _, attribute = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        hint = "install the project that defines it, beside the model"
        raise LearnerError(
            Problem(f"function '{name}'", f"cannot be imported: {error}", hint=hint)
        ) from error
    return found


def _of_arrays(name: str) -> ArrayFunction:
    """A function by its own name, and none of Python's own: those that read bytes would run what is in an array."""
    if name.partition(":")[0].partition(".")[0] in sys.stdlib_module_names:
        hint = "define the function in a module of yours"
        raise LearnerError(
            Problem(f"function '{name}'", "is Python's own, and no step may call it", hint=hint)
        )
    found = named(name)
    if name_of(found) != name:
        hint = f"it is {name_of(found)}"
        raise LearnerError(Problem(f"function '{name}'", "is another's, under another name", hint=hint))
    return cast("ArrayFunction", found)


def _shown(function: Any) -> str:
    return f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', function)}"


class column_function(Learner):
    """Makes columns with a function of numpy arrays, the same in batch and online.

    Args:
        function: takes one float64 array a column, shape (rows,), missing as NaN; gives one array of that
            shape, or one for each name of `into`. Row i of the result may depend on row i alone.
        columns: what it reads, in the order of its parameters.
        into: what it makes; the columns read, in place, if not given.

    Example:
        >>> column_function(np.sqrt, columns=["x"])(pl.DataFrame({"x": [1, 4, 9]})).table["x"].to_list()
        [1.0, 2.0, 3.0]
    """

    function: ArrayFunction
    _: dataclasses.KW_ONLY
    columns: Sequence[str]
    into: Sequence[str] | str | None = None

    def __post_init__(self) -> None:
        columns = names_of(self.kind, "columns", self.columns)
        into = columns if self.into is None else names_of(self.kind, "into", self.into)
        if not callable(self.function):
            raise LearnerError(Problem(self.kind, f"{self.function!r} cannot be called"))
        settle(self, columns=columns, into=into)

    def check(self, preview: Preview) -> None:
        """The columns must be numbers."""
        preview.need(self.columns, "number")
        preview.make(self.into or self.columns)

    def fit(self, table: pl.DataFrame) -> Fit:  # noqa: ARG002 - nothing is learned
        """Nothing is learned."""
        return Fit(ColumnFunction(self.function, tuple(self.columns), tuple(self.into or self.columns)))
