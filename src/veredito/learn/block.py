"""The block: rows without a data frame.

One float64 matrix holds every numeric column (NaN is missing, booleans are 0 and 1, timestamps are seconds
since the epoch, UTC) and one list holds each text column (`None` is missing). A step is bound to column
positions once, so that at run time nothing is looked up by name and a step over many columns is one
vectorised operation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Matrix: TypeAlias = NDArray[np.float64]


@dataclasses.dataclass(slots=True)
class Block:
    """Rows on their way through the kernels of a row plan.

    Args:
        numbers: float64, shape (rows, numeric width), C order.
        texts: one list a text column, each as long as there are rows.
    """

    numbers: Matrix
    texts: list[list[str | None]]

    @property
    def rows(self) -> int:
        """How many rows the block holds."""
        return int(self.numbers.shape[0])


@dataclasses.dataclass(slots=True)
class _Widths:
    """How many columns a block needs; a layout and its forks share one."""

    numbers: int
    texts: int
    granted: set[str]  # reserved names whose slot somebody has


Kernel: TypeAlias = Callable[[Block], None]
"""Changes a block in place. A kernel never adds or drops rows."""


class Layout:
    """Where each name of a block lives while steps are being bound; it grows as they add columns.

    A name is numeric or text, one at a time: `number()` on a text name (an encoder that overwrites its
    input) moves the name to a numeric slot and leaves the text slot to those bound before. Slots are never
    reused, so what an earlier kernel was bound to stays where it was.

    Args:
        numbers: the numeric names, in the order of the matrix's first columns.
        texts: the text names, in order.
        reserved: numeric names that must lie side by side in this order, wherever they are made: what the
            model reads. They take the matrix's first columns.
    """

    def __init__(self, numbers: Iterable[str], texts: Iterable[str], reserved: Sequence[str] = ()) -> None:
        self._reserved = {name: slot for slot, name in enumerate(reserved)}
        self._widths = _Widths(len(self._reserved), 0, set())
        self._inherited: frozenset[str] = frozenset()
        self._numbers: dict[str, int] = {}
        self._texts: dict[str, int] = {}
        for name in numbers:
            self.number(name)
        for name in texts:
            self.text(name)

    @property
    def width(self) -> int:
        """How many numeric columns the matrix needs, so far."""
        return self._widths.numbers

    @property
    def texts_width(self) -> int:
        """How many text columns there are, so far."""
        return self._widths.texts

    @property
    def names(self) -> dict[str, Literal["number", "text"]]:
        """Every name that can be read now, with what it is."""
        return dict.fromkeys(self._numbers, "number") | dict.fromkeys(self._texts, "text")  # type: ignore[return-value]

    def number_at(self, name: str) -> int:
        """The slot of an existing numeric column; `KeyError` if there is none."""
        return self._numbers[name]

    def text_at(self, name: str) -> int:
        """The slot of an existing text column; `KeyError` if there is none."""
        return self._texts[name]

    def number(self, name: str) -> int:
        """The slot to write a numeric column to, made if it is not there."""
        if name not in self._numbers or name in self._inherited:
            self._texts.pop(name, None)
            self._numbers[name] = self._free_slot(name)
            self._inherited -= {name}
        return self._numbers[name]

    def _free_slot(self, name: str) -> int:
        if name in self._reserved and name not in self._widths.granted:
            self._widths.granted.add(name)
            return self._reserved[name]
        self._widths.numbers += 1
        return self._widths.numbers - 1

    def text(self, name: str) -> int:
        """The slot to write a text column to, made if it is not there."""
        if name not in self._texts or name in self._inherited:
            self._numbers.pop(name, None)
            self._texts[name], self._widths.texts = self._widths.texts, self._widths.texts + 1
            self._inherited -= {name}
        return self._texts[name]

    def fork(self) -> Layout:
        """A layout of the same block that reads what this one has, and writes to slots of its own.

        It is for steps that work beside each other: what one of them overwrites, the others still see.
        """
        other = Layout((), ())
        other._reserved, other._widths = self._reserved, self._widths
        other._numbers, other._texts = dict(self._numbers), dict(self._texts)
        other._inherited = frozenset(self._numbers) | frozenset(self._texts)
        return other

    def join(self, other: Layout, names: Iterable[str]) -> None:
        """Take columns over from a fork, where they lie there."""
        for name in names:
            self.drop(name)
            if name in other._numbers:
                self._numbers[name] = other._numbers[name]
            else:
                self._texts[name] = other._texts[name]

    def drop(self, name: str) -> None:
        """Forget a name; its slot stays."""
        self._numbers.pop(name, None)
        self._texts.pop(name, None)


def columns(slots: Sequence[int]) -> slice | NDArray[np.intp]:
    """An index for `block.numbers[:, index]`: a slice, hence a view, where the slots lie side by side."""
    if slots and list(slots) == list(range(slots[0], slots[0] + len(slots))):
        return slice(slots[0], slots[0] + len(slots))
    return np.asarray(slots, dtype=np.intp)
