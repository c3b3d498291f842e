"""Effects under stress: pure decision logic, and thin wrappers that do what it decided."""

from veredito.graph.resilience.settings import Policies

__all__ = ["Policies"]
