"""The circuit breaker: a table of states.

::

    state     event            next      because
    closed    success          closed
    closed    failure          closed    until `failures` in a row, or under `success_min` of the window
    closed    one too many     open      calls are refused until the pause is over
    open      pause over       probing   one call goes through, all others are refused
    probing   success          closed    with a clean window
    probing   failure          open      with twice the pause
    probing   given up         open      the pause is over at once: the next call probes
"""

from __future__ import annotations

import random
from collections import deque
from typing import Literal, TypeAlias

from veredito.graph.resilience.settings import Breaker

State: TypeAlias = Literal["closed", "open", "probing"]


class CircuitBreaker:
    """Decides whether a call may be made; told how each one went.

    Args:
        settings: what was asked for.
        jitter: where the jitter comes from.

    Example:
        >>> breaker = CircuitBreaker(Breaker(failures=2, pause_seconds=4.0))
        >>> breaker.failed(now=0.0); breaker.failed(now=0.0)
        >>> breaker.state, breaker.allows(now=1.9), breaker.allows(now=4.0), breaker.state
        ('open', False, True, 'probing')
    """

    def __init__(self, settings: Breaker, jitter: random.Random | None = None) -> None:
        self.settings = settings
        self.state: State = "closed"
        self.opened_total = 0
        self._jitter = jitter or random.Random()
        self._in_a_row = 0
        self._pauses = 0
        self._resumes = 0.0
        self._window: deque[tuple[float, bool]] = deque()
        self._successes = 0

    def allows(self, now: float) -> bool:
        """Whether a call may go out now; in a pause that is over, the one that asks is the probe."""
        if self.state == "open" and now >= self._resumes:
            self.state = "probing"
            return True
        return self.state == "closed"

    def retry_after(self, now: float) -> float:
        """Seconds until a call may go out."""
        return max(0.0, self._resumes - now)

    def succeeded(self, now: float) -> None:
        """A call came back well."""
        if self.state == "probing":
            self._close()
        self._in_a_row = 0
        self._count(now, success=True)
        if self.state == "closed" and self._too_few():
            self._open(now)

    def failed(self, now: float) -> None:
        """A call failed, or took too long."""
        self._in_a_row += 1
        self._count(now, success=False)
        if self.state == "probing" or (
            self.state == "closed" and (self._in_a_row >= self.settings.failures or self._too_few())
        ):
            self._open(now)

    def given_up(self, now: float) -> None:
        """A call was abandoned before it could say anything: a probe leaves its place to the next."""
        if self.state == "probing":
            self.state, self._resumes = "open", now

    def _count(self, now: float, *, success: bool) -> None:
        self._window.append((now, success))
        self._successes += success
        while self._window[0][0] <= now - self.settings.window_seconds:
            self._successes -= self._window.popleft()[1]

    def _too_few(self) -> bool:
        calls = len(self._window)
        return calls >= self.settings.calls_min and self._successes < self.settings.success_min * calls

    def _open(self, now: float) -> None:
        pause = min(self.settings.pause_seconds * 2**self._pauses, self.settings.pause_seconds_max)
        self._pauses += 1
        self.opened_total += 1
        self._resumes = now + pause * (0.5 + self._jitter.random() / 2)
        self.state = "open"

    def _close(self) -> None:
        self.state = "closed"
        self._pauses = 0
        self._window.clear()
        self._successes = 0
