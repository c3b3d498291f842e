"""Columns from Polars expressions.

An expression is saved as Polars' own JSON; one that calls Python inside is refused, because loading it would
unpickle code.
"""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import polars as pl

from veredito.errors import LearnerError, Problem
from veredito.learn.arrays import Want, want_of
from veredito.learn.block import Kernel, Layout
from veredito.learn.kernels import through_table
from veredito.learn.learner import Fit, Learner, names_of, settle
from veredito.learn.preview import Preview
from veredito.learn.step import Step, fitted


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


_HINT = "cast the column first"


def _known(dtype: pl.DataType) -> bool:
    return str(dtype) in _DTYPES or isinstance(dtype, pl.Datetime)


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
        """The columns that the expressions name must be there, and of types that they can be computed of."""
        known = len(preview.problems)
        for item in self._parsed():
            preview.need(item.meta.root_names())
            empty = preview.without_rows(item.meta.root_names())
            if empty is not None and len(preview.problems) == known:
                self._try(preview, item, empty)
        preview.make([item.meta.output_name() for item in self._parsed()], "any")

    @staticmethod
    def _try(preview: Preview, item: pl.Expr, empty: pl.DataFrame) -> None:
        try:
            for name, dtype in [*empty.schema.items(), *empty.select(item).schema.items()]:
                if not _known(dtype):
                    preview.wrong(f"column '{name}' has type {dtype}, which a row cannot hold", hint=_HINT)
        except pl.exceptions.PolarsError as error:
            types = ", ".join(f"'{name}' {dtype}" for name, dtype in empty.schema.items())
            what = f"'{item.meta.output_name()}' cannot be made of {types}: {str(error).splitlines()[0]}"
            preview.wrong(what, hint=_HINT)

    def fit(self, table: pl.DataFrame) -> Fit:
        """Nothing is learned but the types of what is read and made."""
        reads = dict.fromkeys(name for item in self._parsed() for name in item.meta.root_names())
        dtypes = {name: str(table.schema[name]) for name in reads}
        made = table.select(list(reads)).lazy().select(self._parsed()).collect_schema()
        problems = [
            Problem(self.kind, f"column '{name}' has type {dtype}, which a row cannot hold", hint=_HINT)
            for name, dtype in [*table.select(list(reads)).schema.items(), *made.items()]
            if not _known(dtype)
        ]
        if problems:
            raise LearnerError(problems)
        texts: Any = self.expressions  # as __post_init__ has written them down
        return Fit(Expression(tuple(texts), dtypes, {name: str(dtype) for name, dtype in made.items()}))
