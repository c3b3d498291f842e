"""Effects under stress: pure decision logic, and a thin wrapper that does what it decided."""

from veredito.graph.resilience.guard import AttemptTimeoutError, BreakerOpenError, Guard, guard
from veredito.graph.resilience.settings import Breaker, Cache, Coalesce, Hedge, Limit, Policies, Retry

__all__ = [
    "AttemptTimeoutError",
    "Breaker",
    "BreakerOpenError",
    "Cache",
    "Coalesce",
    "Guard",
    "Hedge",
    "Limit",
    "Policies",
    "Retry",
    "guard",
]
