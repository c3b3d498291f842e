"""An exact limit on calls in flight: who goes, who waits, who is refused."""

from __future__ import annotations

from collections import deque
from typing import Generic, Literal, TypeVar

from veredito.graph.resilience.settings import Limit

T = TypeVar("T")


class Limiter(Generic[T]):
    """Hands out places. A place that is given back goes to the longest waiting.

    Args:
        settings: what was asked for.

    Example:
        >>> limiter = Limiter(Limit(in_flight_max=1, waiting_max=1))
        >>> limiter.ask("a"), limiter.ask("b"), limiter.ask("c")
        ('go', 'wait', 'refuse')
        >>> limiter.give_back(), limiter.in_flight
        ('b', 1)
    """

    def __init__(self, settings: Limit) -> None:
        self.settings = settings
        self.in_flight = 0
        self.refused_total = 0
        self._waiting: deque[T] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    def ask(self, who: T) -> Literal["go", "wait", "refuse"]:
        """Ask for a place."""
        if self.in_flight < self.settings.in_flight_max:
            self.in_flight += 1
            return "go"
        if len(self._waiting) < self.settings.waiting_max:
            self._waiting.append(who)
            return "wait"
        self.refused_total += 1
        return "refuse"

    def give_back(self) -> T | None:
        """A place is free: who has it now, or `None` where nobody waits."""
        if self._waiting:
            return self._waiting.popleft()
        self.in_flight -= 1
        return None

    def leave(self, who: T) -> bool:
        """Stop waiting; `False` where the place had been handed over already, and must be given back."""
        if who in self._waiting:
            self._waiting.remove(who)
            return True
        return False
