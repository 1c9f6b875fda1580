"""What a load, a generation or a top-up did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class SampleReport:
    """Rows copied into each table and the time it took; all 0 where the database already held data."""

    markets: int = 0
    market_data: int = 0
    leads: int = 0
    lead_interactions: int = 0
    properties: int = 0
    copy_seconds: float = 0.0
    analyze_seconds: float = 0.0

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return self.markets + self.market_data + self.leads + self.lead_interactions + self.properties

    @property
    def rows_per_second(self) -> float:
        """Rows of all tables over the time from the first row drawn to the commit."""
        return self.rows / self.copy_seconds if self.copy_seconds else 0.0


TopUpState = Literal["topped_up", "up_to_date", "nothing_synthetic", "busy"]


@dataclass(frozen=True, slots=True)
class TopUpReport:
    """Rows added, and why none were: no gap, no synthetic rows to continue, or another process at it."""

    state: TopUpState
    gap_seconds: float = 0.0
    leads: int = 0
    lead_interactions: int = 0
    properties: int = 0
    duration_seconds: float = 0.0

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return self.leads + self.lead_interactions + self.properties
