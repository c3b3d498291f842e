"""Sources under stress: the policies of `veredito.graph.resilience`, asked for in a source's own table.

A guarded source is a source. What it is asked for goes through cache, single flight, retry, hedge, breaker
and limit, in that order, and only those that the table names.
"""

from __future__ import annotations

from typing import Annotated, Any, Protocol

import msgspec

from veredito.graph.resilience import Breaker, Cache, Guard, Hedge, Limit, Policies, Retry, guard
from veredito.types import Source


class Keyed(Source, Protocol):
    """A source that is asked by key."""

    name: str

    async def get(self, key: Any) -> Any:
        """What is known of a key."""


class ResilienceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every source that is asked over a network can have in its table.

    Attributes:
        attempt_timeout_ms: for one attempt; without it a slow one leaves no time for a second.
        retry: try again after a failure, from a budget.
        hedge: ask a second time when the first answer is later than usual.
        breaker: stop asking what keeps failing.
        limit: most calls in flight, and most that wait.
        cache: keep answers for a while.
        single_flight: callers who ask for the same key at the same time share one call.
    """

    attempt_timeout_ms: Annotated[float, msgspec.Meta(gt=0)] | None = None
    retry: Retry | None = None
    hedge: Hedge | None = None
    breaker: Breaker | None = None
    limit: Limit | None = None
    cache: Cache | None = None
    single_flight: bool = False

    @property
    def policies(self) -> Policies:
        """The same, as the guard takes them."""
        return Policies(**{name: getattr(self, name) for name in ResilienceSettings.__struct_fields__})


class GuardedSource:
    """A source whose `get` is under policies.

    Args:
        source: the source itself.
        policies: what its table asks for.
    """

    def __init__(self, source: Keyed, policies: Policies) -> None:
        self.name = source.name
        self.source = source
        self.get: Guard = guard(source.get, policies, name=source.name)

    async def start(self) -> None:
        """Open the source."""
        await self.source.start()

    async def aclose(self) -> None:
        """Close the source."""
        await self.source.aclose()


def guarded(source: Keyed, settings: ResilienceSettings) -> Source:
    """The source under the policies of its table; the source itself where there are none."""
    return source if settings.policies == Policies() else GuardedSource(source, settings.policies)
