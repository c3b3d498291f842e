"""What can be known of a pipeline before anything is fitted.

A `Preview` walks through learners in order. Each one says what columns it needs and what columns it makes;
problems are collected, and said together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import polars as pl

from veredito.errors import LearnerError, Problem, did_you_mean

from .arrays import Want, want_of


class Preview:
    """The columns that the next learner will meet, and what is wrong so far.

    Args:
        table: the table that will be fitted on.
        place: the name of the learner that is asked.
    """

    def __init__(self, table: pl.DataFrame, place: str) -> None:
        self.place = place
        self.columns: dict[str, Want] = {name: want_of(dtype) for name, dtype in table.schema.items()}
        self.problems: list[Problem] = []
        self.read: dict[str, Want] = {}  # columns of the table itself that some learner reads
        self.made: set[str] = set()
        self.dropped: set[str] = set()
        self._table = table
        self._original = set(table.columns)
        self.prefixes: tuple[str, ...] = ()
        if table.is_empty():
            self.problems.append(Problem(place, "the table has no rows", hint="fit on at least one row"))

    def done(self) -> None:
        """Raise what was found.

        Raises:
            LearnerError: something was found.
        """
        if self.problems:
            raise LearnerError(list(dict.fromkeys(self.problems)))

    @contextmanager
    def at(self, place: str) -> Iterator[None]:
        """Say problems as those of an inner learner."""
        outer, self.place = self.place, place
        yield
        self.place = outer

    def fork(self, rows: pl.Series | None = None) -> Preview:
        """A preview of the same columns whose changes stay its own; its problems are shared.

        Args:
            rows: which rows it is of, as a mask; all of them, if not given.
        """
        other = object.__new__(Preview)
        other.__dict__ |= self.__dict__ | {
            "columns": dict(self.columns),
            "_original": set(self._original),
            "made": set(),
            "dropped": set(),
        }
        if rows is not None:
            read = [name for name in self._table.columns if name in self._original]
            other._table = self._table.lazy().select(read).filter(rows).collect()
        return other

    def join(self, forks: Mapping[str, Preview]) -> None:
        """Take over what learners that stand beside each other make, each with other columns."""
        made = set().union(*(fork.made for fork in forks.values()))
        makers: dict[str, list[str]] = {}
        for place, fork in forks.items():
            for name in fork.made | (fork.dropped & made):
                makers.setdefault(name, []).append(place)
            self.drop(fork.dropped)
        for name, places in makers.items():
            if len(places) > 1:
                hint = "write to another name, or put them in a pipeline, one after the other"
                self.wrong(f"column '{name}' is made or dropped by {' and by '.join(places)}", hint=hint)
        for fork in forks.values():
            for name in fork.made:
                self.make([name], fork.columns[name])
            self.make_some(*fork.prefixes)

    def join_ways(self, forks: Sequence[Preview]) -> None:
        """Take over what learners make of which each has some of the rows."""
        kinds: dict[str, set[Want]] = {}
        for fork in forks:
            for name in fork.made:
                kinds.setdefault(name, set()).add(fork.columns[name])
            self.make_some(*fork.prefixes)
        for name, found in kinds.items():
            self._one_kind(name, found - {"any"})
            self.make([name], next(iter(found)))
        self.drop(set.intersection(*(fork.dropped for fork in forks)))

    def _one_kind(self, name: str, found: set[Want]) -> None:
        if len(found) > 1:
            kinds = " in some rows and ".join(sorted(found))
            self.wrong(f"column '{name}' would be {kinds} in others", hint="write to another name")
        if "timestamp" in found:
            hint = f"make '{name}' before the rows part"
            self.wrong(f"column '{name}' is a timestamp, and only numbers and texts can be made", hint=hint)

    def wrong(self, what: str, *, available: Iterable[str] = (), hint: str = "") -> None:
        """Add a problem of the current learner."""
        self.problems.append(Problem(self.place, what, tuple(available), hint))

    def need(
        self, names: Iterable[str], want: Want = "any", *, values: bool = False, times: bool = True
    ) -> None:
        """Columns that must be there.

        Args:
            names: which.
            want: what each must be.
            values: whether at least one value must not be missing.
            times: whether a timestamp may stand for a number, as seconds.
        """
        for name in names:
            found = self.columns.get(name)
            if found is None:
                if not name.startswith(self.prefixes or ("\0",)):
                    hint = did_you_mean(name, self.columns)
                    self.wrong(f"column '{name}' is missing", available=self.columns, hint=hint)
                continue
            if found == "timestamp" and want == "number" and not times:
                hint = "take its parts by calendar or cyclic_time; models read it as seconds"
                self.wrong(f"column '{name}' must be number, and is timestamp", hint=hint)
                continue
            self._need_kind(name, found, want)
            if values and self.all_missing(name):
                hint = f"leave '{name}' out"
                self.wrong(f"column '{name}' has no value at all, so there is nothing to learn", hint=hint)

    def _need_kind(self, name: str, found: Want, want: Want) -> None:
        original = name in self._original
        empty = original and self._table[name].dtype == pl.Null
        if want not in {"any", found} and not empty and (want, found) != ("number", "timestamp"):
            shown = f" ({self._table[name].dtype})" if original else ""
            hint = f"cast '{name}', encode it first, or leave it out"
            self.wrong(f"column '{name}' must be {want}, and is {found}{shown}", hint=hint)
        elif original:
            self.read.setdefault(name, want)

    def need_target(self, name: str, *, classes: int | None = None) -> None:
        """A target: there, with values, none of them missing, not constant, of at most `classes` classes."""
        self.need([name], values=True)
        if name not in self._original or self._table.is_empty() or self.all_missing(name):
            return
        values = self._table[name].drop_nulls()
        values = values.drop_nans() if values.dtype.is_float() else values
        if values.len() < self._table.height:
            self.wrong(f"target '{name}' is missing in some rows", hint="drop the rows without an outcome")
        distinct = values.n_unique()
        if distinct == 1:
            self.wrong(f"target '{name}' is constant", hint="train on rows with more than one outcome")
        elif classes and distinct > classes:
            self.wrong(f"target '{name}' has {distinct} values, and {classes} are allowed")

    def need_binary(self, name: str) -> None:
        """A target of zeros and ones, both there, none missing."""
        self.need([name], "number")
        self.need_target(name, classes=2)
        if name in self._original and self.columns.get(name) == "number":
            values = set(self._table[name].drop_nulls().unique().cast(pl.Float64).drop_nans().to_list())
            if len(values) == 2 and values != {0.0, 1.0}:
                self.wrong(f"target '{name}' must be 0 and 1", hint="map its two values to 0 and 1")

    def classes(self, name: str) -> tuple[Any, ...] | None:
        """The distinct values of a column that is as it was in the table, sorted; else `None`."""
        if name not in self._original or self._table[name].dtype.is_nested():
            return None
        values = self._table[name].drop_nulls()
        return tuple((values.drop_nans() if values.dtype.is_float() else values).unique().sort().to_list())

    def without_rows(self, names: Iterable[str]) -> pl.DataFrame | None:
        """These columns without their rows, if all of them are as they were in the table."""
        wanted = list(dict.fromkeys(names))
        return self._table[:0].select(wanted) if self._original.issuperset(wanted) else None

    def rows_where(self, name: str, value: Any) -> pl.Series:
        """Which rows have a value in a column that is as it was in the table."""
        return self._table.select(pl.col(name).eq(value).fill_null(value=False)).to_series()

    def all_missing(self, name: str) -> bool:
        """Whether a column, as it is in the table, has no value."""
        if name not in self._original or self._table.is_empty():
            return False
        column = self._table[name]
        return column.null_count() == column.len() or bool(column.dtype.is_float() and column.is_nan().all())

    def make(self, names: Iterable[str], want: Want = "number") -> None:
        """Columns that are added or changed."""
        for name in names:
            self.columns[name] = want
            self._original.discard(name)
            self.made.add(name)
            self.dropped.discard(name)

    def make_new(self, names: Iterable[str], want: Want = "number") -> None:
        """Columns that are added, and must not be there yet."""
        for name in names:
            if name in self.columns:
                self.wrong(f"column '{name}' is there already", hint="write to another name")
        self.make(names, want)

    def make_some(self, *prefixes: str) -> None:
        """Columns whose names begin so, and are known only after fitting."""
        self.prefixes = tuple(dict.fromkeys((*self.prefixes, *prefixes)))

    def make_any(self) -> None:
        """Columns of which nothing is known, old names among them: every later need is taken to be met."""
        self.columns.clear()
        self._original.clear()
        self.prefixes = ("",)

    def drop(self, names: Iterable[str]) -> None:
        """Columns that are there no more."""
        for name in names:
            self.columns.pop(name, None)
            self._original.discard(name)
            self.made.discard(name)
            self.dropped.add(name)
