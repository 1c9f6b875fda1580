"""Guard: Redis behind its circuit breaker.

Owns the rule of what counts as an outage: no answer, or a late one. A refusal (full, read-only, a missing right) is an answer.
"""

from __future__ import annotations

import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from core.errors import BreakerOpen, DependencyDown, DependencyTimeout
from core.resilience import CircuitBreaker

T = TypeVar("T")


class Guard:
    """Runs commands while the breaker allows them."""

    def __init__(self, breaker: CircuitBreaker) -> None:
        self.breaker = breaker

    async def run(self, command: Coroutine[Any, Any, T]) -> T:
        """What the command answers; raises BreakerOpen at once while Redis is known to be away, else its DependencyError."""
        if not self.breaker.allow():
            command.close()
            raise BreakerOpen("Redis is left alone until it answers again.")
        started = time.monotonic()
        try:
            answer = await command
        except (DependencyDown, DependencyTimeout) as error:
            self.breaker.failure(time.monotonic() - started, error)
            raise
        except Exception:
            self.breaker.success(time.monotonic() - started)
            raise
        except BaseException:
            self.breaker.abandon(time.monotonic() - started)
            raise
        self.breaker.success(time.monotonic() - started)
        return answer
