"""Coalescing: which concurrent calls go out together, and when."""

from __future__ import annotations

from typing import Generic, TypeVar

from veredito.graph.resilience.settings import Coalesce

T = TypeVar("T")


class Coalescer(Generic[T]):
    """Collects calls; says when a batch goes out.

    Args:
        settings: what was asked for.

    Example:
        >>> batches = Coalescer(Coalesce(hold_ms=2.0, batch_max=3))
        >>> batches.add("a", now=0.0), batches.add("b", now=0.001), batches.due
        (False, False, 0.002)
        >>> batches.add("c", now=0.001), batches.take()
        (True, ['a', 'b', 'c'])
    """

    def __init__(self, settings: Coalesce) -> None:
        self.settings = settings
        self.due = 0.0
        self._held: list[T] = []

    @property
    def held(self) -> int:
        """How many calls are held now."""
        return len(self._held)

    def add(self, call: T, now: float) -> bool:
        """Hold a call; whether the batch is full and goes out now. `due` is when it goes out at the latest."""
        if not self._held:
            self.due = now + self.settings.hold_ms / 1e3
        self._held.append(call)
        return len(self._held) >= self.settings.batch_max

    def take(self) -> list[T]:
        """The batch that goes out."""
        taken, self._held = self._held, []
        return taken
