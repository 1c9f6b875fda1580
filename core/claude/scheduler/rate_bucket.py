"""RateBucket: one rate limit of the API as it stands there, followed between the answers that tell of it.

Owns the estimate. The API's limits are token buckets that refill continuously
(https://platform.claude.com/docs/en/api/rate-limits). An answer tells what remained when its own ask was admitted, so it
corrects what was expected at that moment; what was sent since stays deducted. Before the first answer nothing is limited.
"""

from __future__ import annotations

import math
from datetime import datetime

from core.claude.messages import RateHeadroom

PERIOD_SECONDS = 60.0  # Limits are per minute.
ROUNDING_SECONDS = 2.0  # Times of reset are whole seconds, and clocks differ a little.
GOOD_NEWS = (
    0.5  # More than expected is believed by half each time: it may be the state at the answer's end, refilled meanwhile.
)
TINY = 1e-6


class RateBucket:
    """What remains of one limit now; times in seconds of one monotonic clock, all of them passed in."""

    __slots__ = ("_at", "_level", "_rate", "_shift", "_told_of", "capacity", "learned_at", "limit")

    def __init__(self) -> None:
        self.limit: int | None = None
        self.capacity = math.inf
        self.learned_at = -math.inf
        self._level = 0.0
        self._rate = 0.0
        self._at = 0.0
        self._shift = 0.0  # The sum of all corrections, so that one that comes late can be compared with an old mark.
        self._told_of = -math.inf  # When the newest ask was sent whose answer was learned from.

    def remaining(self, now: float) -> float:
        """The estimate now."""
        self._refill(now)
        return self._level

    def full_in(self, now: float) -> float:
        """Seconds until all of it remains again, if nothing is sent."""
        missing = self.capacity - self.remaining(now)
        return 0.0 if missing <= TINY else missing / self._rate if self._rate > 0 else PERIOD_SECONDS

    def take(self, now: float, amount: float) -> float:
        """Deduct what an ask needs; returns the mark that `learn` compares with."""
        self._refill(now)
        self._level -= amount
        return self._level - self._shift

    def give_back(self, amount: float) -> None:
        """The ask was never sent."""
        self._level = min(self._level + amount, self.capacity)
        self._shift += amount

    def ready_at(self, now: float, amount: float, kept_share: float) -> float:
        """When an ask may take this much and leave a share of the bucket; at most `now` if it may at once."""
        if self.limit is None:
            return now
        self._refill(now)
        keep = self.capacity * kept_share
        missing = min(amount, self.capacity - keep) + keep - self._level
        if missing <= TINY:
            return now
        return now + (missing / self._rate if self._rate > 0 else PERIOD_SECONDS)

    def learn(self, now: float, mark: float, sent_at: float, told: RateHeadroom, admitted_at: datetime) -> None:
        """Correct the estimate by what the answer to an ask of `sent_at`, by the wall clock `admitted_at`, tells."""
        if sent_at < self._told_of:
            return
        self._refill(now)
        first = self.limit is None
        self._told_of, self.learned_at, self.limit = sent_at, now, told.limit
        self._rate = told.limit / PERIOD_SECONDS
        self.capacity = float(max(told.limit, 1))
        if told.resets_at is not None:
            self._learn_reset(told, max((told.resets_at - admitted_at).total_seconds(), 0.0))
        correction = told.remaining - (mark + self._shift)
        if correction > 0 and not first:
            correction *= GOOD_NEWS
        self._shift += correction
        self._level = min(self._level + correction, self.capacity)

    def _learn_reset(self, told: RateHeadroom, seconds: float) -> None:
        """The time until it is full tells how much it holds, or that it refills more slowly than within a minute."""
        used = told.limit - told.remaining
        if used > 0 and seconds > used / self._rate + ROUNDING_SECONDS:
            self._rate = used / seconds
        self.capacity = max(min(self.capacity, told.remaining + self._rate * seconds), told.remaining, 1.0)

    def _refill(self, now: float) -> None:
        if now > self._at:
            self._level = min(self._level + self._rate * (now - self._at), self.capacity)
            self._at = now
