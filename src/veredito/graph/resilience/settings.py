"""What can be asked of an effect or a source under stress. Plain settings, readable from a config table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec

_Positive = Annotated[float, msgspec.Meta(gt=0)]
_Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
_Count = Annotated[int, msgspec.Meta(ge=1)]


class Retry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Try again after a failure, from a budget that all calls of one guard share.

    Args:
        attempts: how many in all.
        backoff_ms: the longest pause before the second attempt; it doubles, and is drawn between half and whole.
        share: retries allowed, as a share of the calls of the last `window_seconds`.
        window_seconds: how long the budget looks back.
        burst: retries allowed in a window whatever the share; a service with little load may retry too.
    """

    attempts: _Count = 2
    backoff_ms: Annotated[float, msgspec.Meta(ge=0)] = 5.0
    share: _Share = 0.1
    window_seconds: _Positive = 10.0
    burst: Annotated[int, msgspec.Meta(ge=0)] = 1


class Hedge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask a second time when the first answer is later than usual. For idempotent calls only.

    Args:
        percentile: the share of recent calls that the delay covers.
        floor_ms: the shortest delay.
        share: extra calls allowed, as a share of the calls of the last ten seconds.
        samples_min: no hedging before so many latencies are known.
    """

    percentile: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.95
    floor_ms: _Positive = 1.0
    share: _Share = 0.02
    samples_min: _Count = 50


class Breaker(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Stop asking what keeps failing; one probe at a time finds out whether it is back.

    Args:
        failures: so many in a row open it.
        success_min: fewer successes than this share of the window's calls open it too.
        calls_min: calls in the window before the share counts.
        window_seconds: how long the share looks back.
        pause_seconds: the first pause; it doubles with every failed probe, and is drawn between half and whole.
        pause_seconds_max: the longest.
    """

    failures: _Count = 5
    success_min: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.8
    calls_min: _Count = 20
    window_seconds: _Positive = 10.0
    pause_seconds: _Positive = 5.0
    pause_seconds_max: _Positive = 300.0


class Limit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Never more than so many in flight; a call is in flight until it has ended, given up or not.

    Args:
        in_flight_max: how many at a time.
        waiting_max: how many more may wait; above it calls are refused at once.
    """

    in_flight_max: _Count
    waiting_max: Annotated[int, msgspec.Meta(ge=0)] = 128


class Cache(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keep results for a while, by the call's key.

    Args:
        ttl_ms: how long a result is good.
        negative_ttl_ms: how long a null result is good; `ttl_ms` where not given.
        stale_ms: how long after that an old result may stand in for a failure.
        entries_max: the least recently used goes first.
    """

    ttl_ms: _Positive
    negative_ttl_ms: _Positive | None = None
    stale_ms: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    entries_max: _Count = 10_000


class Coalesce(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Collect concurrent calls for a moment, and make one call of them.

    The function's first argument is then the list of the calls' first arguments, and it returns a list of
    as many results in the same order. Its further arguments are those of the batch's first call.

    Args:
        hold_ms: the longest a call is held.
        batch_max: a full batch goes at once.
    """

    hold_ms: _Positive = 1.0
    batch_max: _Count = 64


class Policies(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All policies of one effect or source; what is `None` is off.

    Args:
        attempt_timeout_ms: for one attempt; the effect's own `timeout_ms` is for all of them.
        retry: try again.
        hedge: ask twice.
        breaker: stop asking.
        limit: calls in flight.
        cache: keep results.
        single_flight: concurrent calls with one key share one call.
        coalesce: many calls become one.
        key: arguments to a hashable key, for cache and single flight; the arguments themselves where not given.
    """

    attempt_timeout_ms: _Positive | None = None
    retry: Retry | None = None
    hedge: Hedge | None = None
    breaker: Breaker | None = None
    limit: Limit | None = None
    cache: Cache | None = None
    single_flight: bool = False
    coalesce: Coalesce | None = None
    key: Callable[..., Any] | None = None
