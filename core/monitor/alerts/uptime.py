"""Uptime: in which slots of ten seconds the platform was ready, over the last 24 hours of this process."""

from __future__ import annotations

from collections import deque

from core.monitor.alerts.judge import Reading

SLOT_SECONDS = 10
KEPT = 86_400 // SLOT_SECONDS


class Uptime:
    """A slot counts as down when it was down at any look, and not at all while nothing could be told."""

    def __init__(self) -> None:
        self._slots: deque[tuple[int, bool]] = deque(maxlen=KEPT)
        self._began: float | None = None

    def see(self, ready: bool | None, now: float) -> None:
        """What is so at a steady second; None: it cannot be told."""
        if ready is None:
            return
        if self._began is None:
            self._began = now
        slot = int(now) // SLOT_SECONDS
        if self._slots and self._slots[-1][0] == slot:
            _, ready_before = self._slots.pop()
            ready = ready and ready_before
        self._slots.append((slot, ready))

    def reading(self, now: float) -> Reading | None:
        """The share of slots that were up."""
        if not self._slots or self._began is None:
            return None
        down = sum(not ready for _, ready in self._slots)
        share = 1 - down / len(self._slots)
        return Reading(share, samples=len(self._slots), felt=down, running_seconds=now - self._began)
