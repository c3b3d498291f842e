"""Columns from a user's own code: a function of numpy arrays, or a Polars expression.

A saved step refers to a function by its module and name, so it must be importable where it is loaded. An
expression is saved as Polars' own JSON; one that calls Python inside is refused, because loading it would
unpickle code.
"""

from __future__ import annotations

import dataclasses
import importlib
import io
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from veredito.errors import LearnerError, Problem
from veredito.learn.arrays import Want, array, column, want_of
from veredito.learn.block import Block, Kernel, Layout, Matrix
from veredito.learn.kernels import through_table
from veredito.learn.learner import Fit, Learner, names_of, settle
from veredito.learn.preview import Preview
from veredito.learn.step import Step, fitted

ArrayFunction = Callable[..., Any]


class ColumnFunction(Step, kind="column_function"):
    """Columns made by a function of arrays."""

    function: ArrayFunction | str
    columns: tuple[str, ...]
    into: tuple[str, ...]

    @cached_property
    def call(self) -> ArrayFunction:
        """The function itself; imported, if only its name is here."""
        return named(self.function) if isinstance(self.function, str) else self.function

    def params(self) -> dict[str, Any]:
        """Its configuration, the function by name.

        Raises:
            LearnerError: the function cannot be imported by name.
        """
        return super().params() | {"function": name_of(self.call)}

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
    if found is not function:
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


class Expression(Step, kind="expression"):
    """Columns made by Polars expressions, each as its own JSON. Table only: see what it costs a row."""

    expressions: tuple[str, ...]
    dtypes: dict[str, str] = fitted()
    made: dict[str, str] = fitted()

    table_only = True

    @cached_property
    def parsed(self) -> tuple[pl.Expr, ...]:
        """The expressions.

        Raises:
            LearnerError: one calls Python.
        """
        for text in self.expressions:
            _refuse_python(text)
        return tuple(pl.Expr.deserialize(io.StringIO(text), format="json") for text in self.expressions)

    @property
    def needs(self) -> dict[str, Want]:
        """The columns that the expressions name."""
        return {name: want_of(_dtype(dtype)) for name, dtype in self.dtypes.items()}

    @property
    def writes(self) -> tuple[str, ...]:
        """The columns that the expressions make."""
        return tuple(self.made)

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """The expressions, on columns of the types they were fitted on."""
        made = table.select(pl.col(name).cast(_dtype(dtype)) for name, dtype in self.dtypes.items()).select(
            self.parsed
        )
        if made.height != table.height:
            what = f"gave {made.height} rows for {table.height}"
            raise LearnerError(
                Problem("step 'expression'", what, hint="use expressions that work row by row")
            )
        return table.with_columns(
            _settled(made[name]).cast(_dtype(dtype)) for name, dtype in self.made.items()
        )

    def bind(self, layout: Layout) -> Kernel:
        """A table of the block's rows, and back."""
        dtypes = {name: _dtype(dtype) for name, dtype in self.dtypes.items()}
        writes = {name: want_of(_dtype(dtype)) for name, dtype in self.made.items()}
        return through_table(layout, dtypes, self.needs, self.apply, writes)


def _settled(series: pl.Series) -> pl.Series:
    return series.fill_nan(None) if series.dtype.is_float() else series


_DTYPES = {str(dtype): dtype for dtype in (
    pl.Boolean(), pl.String(), pl.Date(), pl.Float32(), pl.Float64(),
    pl.Int8(), pl.Int16(), pl.Int32(), pl.Int64(), pl.UInt8(), pl.UInt16(), pl.UInt32(), pl.UInt64(),
)}  # fmt: skip


def _dtype(name: str) -> pl.DataType:
    if name.startswith("Datetime"):
        unit = "ns" if "'ns'" in name else "ms" if "'ms'" in name else "us"
        return pl.Datetime(unit, "UTC" if "'UTC'" in name else None)  # type: ignore[arg-type]
    return _DTYPES[name]


def _refuse_python(text: str) -> None:
    found = [
        key
        for key in _keys(json.loads(text))
        if any(word in key for word in ("Anonymous", "Plugin", "Python"))
    ]
    if found:
        what = f"calls code outside Polars ({found[0]})"
        raise LearnerError(Problem("expression", what, hint="use column_function for a function of yours"))


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _keys(item)


class expression(Learner):
    """Makes columns with Polars expressions that work row by row.

    It has a table form only: one row goes through a small table, which takes some hundred microseconds.

    Args:
        expressions: one expression, or several; each has an output name. Python inside them is refused.

    Example:
        >>> ratio = expression((pl.col("x") / pl.col("y")).alias("ratio"))
        >>> ratio(pl.DataFrame({"x": [1, 2], "y": [4, 4]})).table["ratio"].to_list()
        [0.25, 0.5]
    """

    expressions: pl.Expr | Sequence[pl.Expr]

    def __post_init__(self) -> None:
        given: list[Any] = (
            [self.expressions] if isinstance(self.expressions, pl.Expr) else list(self.expressions)
        )
        wrong = [item for item in given if not isinstance(item, pl.Expr)]
        if wrong or not given:
            raise LearnerError(Problem(self.kind, f"needs Polars expressions, and has {wrong}"))
        texts = []
        for item in given:
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore"
                )  # JSON is not promised across versions: the artifact keeps them
                texts.append(item.meta.serialize(format="json"))
            _refuse_python(texts[-1])
        settle(self, expressions=tuple(texts))
        names_of(self.kind, "the output names", [item.meta.output_name() for item in given])

    def _parsed(self) -> list[pl.Expr]:
        return list(Expression(tuple(self.expressions), {}, {}).parsed)  # type: ignore[arg-type]

    def check(self, preview: Preview) -> None:
        """The columns that the expressions name must be there."""
        for item in self._parsed():
            preview.need(item.meta.root_names())
        preview.make([item.meta.output_name() for item in self._parsed()], "any")

    def fit(self, table: pl.DataFrame) -> Fit:
        """Nothing is learned but the types of what is read and made."""
        reads = dict.fromkeys(name for item in self._parsed() for name in item.meta.root_names())
        dtypes = {name: str(table.schema[name]) for name in reads}
        made = table.select(list(reads)).lazy().select(self._parsed()).collect_schema()
        problems = [
            Problem(self.kind, f"column '{name}' has type {dtype}, which a row cannot hold")
            for name, dtype in [*dtypes.items(), *((name, str(dtype)) for name, dtype in made.items())]
            if dtype not in _DTYPES and not dtype.startswith("Datetime")
        ]
        if problems:
            raise LearnerError(problems)
        texts: Any = self.expressions  # as __post_init__ has written them down
        return Fit(Expression(tuple(texts), dtypes, {name: str(dtype) for name, dtype in made.items()}))
