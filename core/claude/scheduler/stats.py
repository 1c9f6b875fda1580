"""What the scheduler tells of itself; frozen, and relative to the moment of asking."""

from __future__ import annotations

from dataclasses import dataclass

from core.claude.messages import Lane, Priority
from core.claude.scheduler.supply import Headroom
from core.resilience import BreakerStats


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Asks of one lane and priority that wait, whatever for."""

    lane: Lane
    priority: Priority
    asks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """A model that the API asked to leave alone (retry-after)."""

    model: str
    seconds_left: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Since the start; `asks` ended in one of answered, failed and cancelled, or are still here."""

    asks: int
    answered: int
    failed: int
    cancelled: int
    rate_limited: int  # 429 of the API
    overloaded: int  # 529 or another 5xx
    down: int  # no connection, or cut off
    retries: int
    fallbacks: int
    timeouts_waiting: int
    timeouts_under_way: int
    queue_full: int
    refused_by_breaker: int
    led: int
    followed: int
    promoted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerStats:
    """Queue, concurrency, limits and troubles now; `hold_seconds_left` is 0 while background work is not held.

    `waiting` has every lane and priority. `following` of them wait for a leader, `resting` before their next attempt.
    `background_most` None: background asks have no limit of their own.
    """

    waiting: tuple[Waiting, ...]
    following: int
    resting: int
    oldest_seconds: float
    queue_max: int
    in_flight_interactive: int
    in_flight_background: int
    limit: int
    limit_max: int
    headroom: tuple[Headroom, ...]
    paused: tuple[Paused, ...]
    hold_seconds_left: float
    hold_by: str
    breaker: BreakerStats
    counters: Counters
    background_most: int | None = None
    slowed_by: str = ""

    @property
    def queued(self) -> int:
        """All that wait."""
        return sum(waiting.asks for waiting in self.waiting)

    @property
    def in_flight(self) -> int:
        """All that are under way."""
        return self.in_flight_interactive + self.in_flight_background
