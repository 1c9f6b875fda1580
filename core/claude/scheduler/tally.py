"""Tally: counts what the scheduler does, for its stats and, where there is a recorder, as metrics.

Owns the closed list of outcomes: few series.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import fields

from core.claude.messages import Lane
from core.claude.scheduler.stats import Counters
from core.ports import Record

OUTCOMES = frozenset({"ok", "rate_limited", "overloaded", "down", "timeout", "queue_full", "held", "cancelled"})


class Tally:
    """Every step costs about an append."""

    def __init__(self, record: Record | None) -> None:
        self._record = record
        self._counts: Counter[str] = Counter()

    def note(self, name: str) -> None:
        """Add one to the field `name` of Counters."""
        self._counts[name] += 1

    def over(self, lane: Lane, outcome: str) -> None:
        """An ask ended, with "ok", "cancelled" or the kind of its error."""
        self.note({"ok": "answered", "cancelled": "cancelled"}.get(outcome, "failed"))
        if self._record is not None:
            self._record.count("claude_asks", labels=(lane, outcome if outcome in OUTCOMES else "other"))

    def sent(self, lane: Lane, queue_seconds: float) -> None:
        """An ask was sent for the first time."""
        if self._record is not None:
            self._record.record("claude_queue_seconds", queue_seconds, (lane,))

    def level(self, in_flight: int, waiting: int, limit: int) -> None:
        """How full it is."""
        if self._record is not None:
            self._record.gauge("claude_in_flight", in_flight)
            self._record.gauge("claude_waiting", waiting)
            self._record.gauge("claude_concurrency_limit", limit)

    def counters(self) -> Counters:
        """All counts so far."""
        return Counters(**{field.name: self._counts[field.name] for field in fields(Counters)})
