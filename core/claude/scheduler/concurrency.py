"""Concurrency: how many calls may be under way at once, found out by additive increase and multiplicative decrease.

Owns the limit. The rule is that of Netflix' AIMDLimit (https://github.com/Netflix/concurrency-limits), slower: one more per
full window of answers instead of one per answer, and 0.7 for its 0.9, since a refusal of this API costs a retry.
"""

from __future__ import annotations

import math

START = 8  # Before anything is known: enough for three asks a second of two seconds each.
DECREASE = 0.7


class Concurrency:
    """Grows with answers while it is used, shrinks with refusals; times in seconds of one monotonic clock."""

    __slots__ = ("_answers", "_decreased_at", "_exact", "maximum")

    def __init__(self, maximum: int, start: int = START) -> None:
        self.maximum = maximum
        self._exact = float(min(start, maximum))
        self._answers = 0
        self._decreased_at = -math.inf

    @property
    def limit(self) -> int:
        """Calls that may be under way at once."""
        return int(self._exact)

    def reserved(self, share: float) -> int:
        """The part of the limit that is kept for people; never all of it."""
        return min(math.ceil(self.limit * share), self.limit - 1)

    def answered(self, in_flight: int) -> None:
        """A call was answered while so many were under way, itself included; a limit that is not used does not grow."""
        if in_flight * 2 < self.limit:
            return
        self._answers += 1
        if self._answers >= self.limit:
            self._answers = 0
            self._exact = min(self._exact + 1, float(self.maximum))

    def refused(self, started_at: float, now: float) -> bool:
        """A call was refused; whether the limit went down: calls that began before the last decrease tell nothing new."""
        if started_at <= self._decreased_at:
            return False
        self._exact = max(1.0, self._exact * DECREASE)
        self._answers = 0
        self._decreased_at = now
        return True
