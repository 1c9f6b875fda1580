"""Guard: what the circuit breaker is told of each question.

Owns the judgement which errors speak against the server. A statement that PostgreSQL refuses, or ends for its length, is
an answer; so is a pool that is too small. A call that was cancelled says nothing.
"""

from __future__ import annotations

import asyncpg

from core.database.failures import DOWN
from core.errors import BreakerOpen, CoreError, DependencyDown, DependencyTimeout, PoolExhausted
from core.resilience import CircuitBreaker

OUTAGES = (TimeoutError, asyncpg.TooManyConnectionsError, DependencyDown, DependencyTimeout, *DOWN)


class Guard:
    """One breaker in front of one server, or none."""

    def __init__(self, breaker: CircuitBreaker | None) -> None:
        self._breaker = breaker

    def check(self) -> None:
        """Raises BreakerOpen when the server is to be left alone; whoever may go on reports."""
        breaker = self._breaker
        if breaker is not None and not breaker.allow():
            raise BreakerOpen(f"PostgreSQL is left alone: {breaker.stats().last_error or 'opened by hand'}")

    def answered(self, seconds: float) -> None:
        """The server answered after this time."""
        if self._breaker is not None:
            self._breaker.success(seconds)

    def failed(self, error: BaseException, seconds: float) -> None:
        """The call ended with an error of the driver or of the tree."""
        breaker = self._breaker
        if breaker is None:
            return
        cause = error.__cause__ if isinstance(error, CoreError) and error.__cause__ is not None else error
        if isinstance(cause, PoolExhausted) or not isinstance(cause, Exception):
            breaker.abandon(seconds)
        elif isinstance(cause, OUTAGES):
            breaker.failure(seconds, error)
        else:
            breaker.success(seconds)
