"""How many extra calls the last seconds allow: retries and hedges are paid from the load they add to."""

from __future__ import annotations


class Load:
    """Counts calls and extra calls over a sliding window, in ten slices.

    Args:
        share: extra calls allowed, as a share of calls.
        window_seconds: how long it looks back.
        burst: extra calls allowed whatever the share.

    Example:
        >>> load = Load(share=0.1, window_seconds=10.0)
        >>> for _ in range(10):
        ...     load.call(now=0.0)
        >>> load.take_extra(now=0.0), load.take_extra(now=0.0)
        (True, False)
    """

    _SLICES = 10

    def __init__(self, share: float, window_seconds: float = 10.0, burst: int = 0) -> None:
        self.share, self.burst = share, burst
        self._slice_seconds = window_seconds / self._SLICES
        self._slices: dict[int, list[int]] = {}

    def call(self, now: float) -> None:
        """One more call, at this moment in seconds."""
        self._slice(now)[0] += 1

    def take_extra(self, now: float) -> bool:
        """Whether one more extra call is within the budget; it is counted if so."""
        here = self._slice(now)
        calls = sum(counts[0] for counts in self._slices.values())
        extra = sum(counts[1] for counts in self._slices.values())
        allowed = extra + 1 <= max(self.burst, self.share * calls)
        here[1] += allowed
        return allowed

    def _slice(self, now: float) -> list[int]:
        at = int(now / self._slice_seconds)
        if at not in self._slices:
            self._slices = {old: counts for old, counts in self._slices.items() if old > at - self._SLICES}
            self._slices[at] = [0, 0]
        return self._slices[at]
