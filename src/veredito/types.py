"""The vocabulary that every room shares. It imports nothing of ours.

row
    a flat mapping, field name to scalar; what a schema describes.
missing
    ``None``, an absent nullable field and NaN are one and the same.
outcome
    how a node's value came to be.
source
    something that can be fetched from: opened at start, closed at stop.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
from collections.abc import Mapping
from typing import Literal, Protocol, TypeAlias, runtime_checkable

Kind: TypeAlias = Literal["bool", "int", "float", "text", "timestamp"]
"""The kinds a field can have. A timestamp is an aware `datetime`, UTC on the wire."""

Scalar: TypeAlias = bool | int | float | str | dt.datetime | None
Row: TypeAlias = Mapping[str, Scalar]

OutcomeKind: TypeAlias = Literal["fresh", "cached", "default", "skipped", "failed"]


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """How a node's value came to be.

    `kind` is one of ``fresh`` (computed now), ``cached``, ``default`` (its declared default stood in,
    `reason` says why), ``skipped`` (not needed, never ran) and ``failed``.
    """

    kind: OutcomeKind
    reason: str = ""
    attempts: int = 1

    @property
    def ok(self) -> bool:
        """Whether the value is the one the node itself produced, now or earlier."""
        return self.kind in {"fresh", "cached"}

    def __str__(self) -> str:
        return f"{self.kind}({self.reason})" if self.reason else self.kind


class Clock(Protocol):
    """Where time comes from, so that tests can own it."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary point; never goes back."""

    def time(self) -> float:
        """Seconds since the Unix epoch, UTC."""


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary point; never goes back."""
        return time.monotonic()

    def time(self) -> float:
        """Seconds since the Unix epoch, UTC."""
        return time.time()


@runtime_checkable
class Source(Protocol):
    """Something a decision fetches from. Effects call its other methods by name."""

    async def start(self) -> None:
        """Open connections and warm up; raise if the service must not start without it."""

    async def aclose(self) -> None:
        """Close what was opened. Safe to call twice."""
