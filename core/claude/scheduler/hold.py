"""Hold: an operator's word that background work waits."""

from __future__ import annotations

from dataclasses import dataclass

HOLD_SECONDS_MOST = 24 * 3600.0  # A hold that is forgotten ends by itself.


@dataclass(slots=True)
class Hold:
    """Until when, by the loop's clock, and by whom; one that is over holds nothing."""

    until: float = 0.0
    by: str = ""

    def left(self, now: float) -> float:
        """Seconds that it still lasts; 0 when it does not hold."""
        return max(self.until - now, 0.0)
