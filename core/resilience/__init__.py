"""Resilience: circuit breakers in front of the servers that we stand on."""

from core.resilience.breaker import BreakerEvent, BreakerState, BreakerStats, CircuitBreaker

__all__ = ["BreakerEvent", "BreakerState", "BreakerStats", "CircuitBreaker"]
