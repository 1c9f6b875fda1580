"""Resilience: circuit breakers in front of the servers that we stand on."""

from core.resilience.breaker import CircuitBreaker
from core.resilience.state import BreakerEvent, BreakerState, BreakerStats

__all__ = ["BreakerEvent", "BreakerState", "BreakerStats", "CircuitBreaker"]
