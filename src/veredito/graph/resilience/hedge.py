"""When to ask a second time: at the live percentile of recent latencies, within a share of extra load.

After the tail-tolerant scheme of Dean and Barroso, "The Tail at Scale" (2013): hedging at the 95th percentile
adds at most 5 % load, and the share caps it below that.
"""

from __future__ import annotations

from collections import deque

from veredito.graph.resilience.load import Load
from veredito.graph.resilience.settings import Hedge

_KEPT = 512  # latencies kept: the 95th percentile rests on some 25 of them
_REFRESH = 32  # sorting 512 numbers takes 20 us; once in so many calls it costs nothing


class Hedging:
    """Decides the delay before a second call, and whether there may be one.

    Args:
        settings: what was asked for.
    """

    def __init__(self, settings: Hedge) -> None:
        self.settings = settings
        self.load = Load(settings.share)
        self._latencies: deque[float] = deque(maxlen=_KEPT)
        self._since_refresh = 0
        self._delay: float | None = None

    def record(self, seconds: float) -> None:
        """One more latency that a call had."""
        self._latencies.append(seconds)
        self._since_refresh += 1
        if len(self._latencies) >= self.settings.samples_min and (
            self._delay is None or self._since_refresh >= _REFRESH
        ):
            self._since_refresh = 0
            ordered = sorted(self._latencies)
            percentile = ordered[min(len(ordered) - 1, int(self.settings.percentile * len(ordered)))]
            self._delay = max(percentile, self.settings.floor_ms / 1e3)

    @property
    def delay(self) -> float | None:
        """Seconds to wait before a second call; `None` while too little is known."""
        return self._delay

    def may(self, now: float) -> bool:
        """Whether a second call is within the extra load; it is counted if so."""
        return self.load.take_extra(now)
