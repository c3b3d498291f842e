"""A clock that is turned by hand."""

from __future__ import annotations

_EPOCH = 1_700_000_000.0  # any moment that is not the epoch itself: a test that mixes the clocks up shows it


class VirtualClock:
    """Time that passes only when told to; a `Clock`.

    Args:
        now: seconds on the monotonic clock.

    Example:
        >>> clock = VirtualClock()
        >>> clock.advance(1.5)
        >>> clock.monotonic(), clock.time()
        (1.5, 1700000001.5)
    """

    def __init__(self, now: float = 0.0) -> None:
        self._now = now

    def monotonic(self) -> float:
        """Seconds from the clock's own beginning."""
        return self._now

    def time(self) -> float:
        """Seconds since the Unix epoch, UTC."""
        return _EPOCH + self._now

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Args:
            seconds: how much; never negative.

        Raises:
            ValueError: time does not go back.
        """
        if seconds < 0:
            raise ValueError(f"time does not go back, and {seconds} seconds would")
        self._now += seconds
