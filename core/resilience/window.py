"""Window: outcomes of the calls of the last seconds, as totals.

Owns the slots; a slot that has grown too old is subtracted as a whole (resilience4j's time-based sliding window).
"""

from __future__ import annotations

from collections import deque

SLOTS = 10


class Window:
    """Totals over the last `seconds`, exact to a tenth of them; over all calls when `seconds` is infinite."""

    __slots__ = ("_ends_at", "_slot_seconds", "_slots", "calls", "failures", "slow")

    def __init__(self, seconds: float) -> None:
        self._slot_seconds = seconds / SLOTS
        self._slots = deque(([0, 0, 0] for _ in range(SLOTS)), maxlen=SLOTS)
        self._ends_at = 0.0
        self.calls = self.failures = self.slow = 0

    def add(self, now: float, *, failed: bool, slow: bool) -> None:
        """Count one outcome."""
        if now >= self._ends_at:
            self.turn(now)
        slot = self._slots[-1]
        slot[0] += 1
        self.calls += 1
        if failed:
            slot[1] += 1
            self.failures += 1
        if slow:
            slot[2] += 1
            self.slow += 1

    def turn(self, now: float) -> None:
        """Drop what is too old by now."""
        if now < self._ends_at:
            return
        for _ in range(min(int((now - self._ends_at) / self._slot_seconds) + 1, SLOTS)):
            calls, failures, slow = self._slots[0]
            self.calls -= calls
            self.failures -= failures
            self.slow -= slow
            self._slots.append([0, 0, 0])
        self._ends_at = (now // self._slot_seconds + 1) * self._slot_seconds
