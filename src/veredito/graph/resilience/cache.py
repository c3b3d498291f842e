"""Results kept for a while: fresh, or stale and only good when the call fails."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Literal, NamedTuple

from veredito.graph.resilience.settings import Cache


class Found(NamedTuple):
    """What a look-up gave; `value` means nothing for a miss."""

    state: Literal["fresh", "stale", "miss"]
    value: Any = None


class TimedCache:
    """Keeps results by key, for so long and so many.

    Args:
        settings: what was asked for.

    Example:
        >>> cache = TimedCache(Cache(ttl_ms=1000, stale_ms=500))
        >>> cache.put("k", 7, now=0.0)
        >>> [cache.get("k", now).state for now in (0.9, 1.2, 1.6)]
        ['fresh', 'stale', 'miss']
    """

    def __init__(self, settings: Cache) -> None:
        self.settings = settings
        self.hits_total = 0
        self.misses_total = 0
        self._entries: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable, now: float) -> Found:
        """What is kept under a key at this moment, in seconds."""
        ends, value = self._entries.get(key, (None, None))
        if ends is None or now >= ends + self.settings.stale_ms / 1e3:
            self._entries.pop(key, None)
            self.misses_total += 1
            return Found("miss")
        if now >= ends:
            self.misses_total += 1
            return Found("stale", value)
        self._entries.move_to_end(key)
        self.hits_total += 1
        return Found("fresh", value)

    def put(self, key: Hashable, value: Any, now: float) -> None:
        """Keep a result."""
        settings = self.settings
        negative = value is None and settings.negative_ttl_ms is not None
        ttl_ms = settings.negative_ttl_ms if negative and settings.negative_ttl_ms else settings.ttl_ms
        self._entries[key] = (now + ttl_ms / 1e3, value)
        self._entries.move_to_end(key)
        while len(self._entries) > settings.entries_max:
            self._entries.popitem(last=False)
