"""Slowed: a limit of background asks under way at once, below what the API would take, for a time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Slowed:
    """At most so many, until when by the loop's clock, and by whom; one that is over limits nothing. At least one goes on."""

    most: int = 0
    until: float = 0.0
    by: str = ""

    def holds(self, now: float) -> bool:
        """Whether it limits anything now."""
        return now < self.until

    def full(self, in_flight: int, now: float) -> bool:
        """Whether no more may be sent now."""
        return self.holds(now) and in_flight >= self.most
