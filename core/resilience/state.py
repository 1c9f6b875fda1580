"""What a circuit breaker tells of itself: its states, its events and its figures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

BreakerState = Literal["closed", "open", "half_open", "forced_open", "forced_closed"]


@dataclass(frozen=True, slots=True)
class BreakerEvent:
    """One change of state; the time in UTC, `who` is empty when the breaker changed by itself."""

    at: datetime
    old: BreakerState
    new: BreakerState
    reason: str
    who: str = ""

    @property
    def is_trial(self) -> bool:
        """Whether it is a trial's beginning or failure: the outage goes on."""
        return self.old in ("open", "half_open") and self.new in ("open", "half_open")


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerStats:
    """What the breaker knows: outcomes of the window, or of the trial; rates from 0 to 1.

    `since` is when it was last closed or forced; `refused` calls and failed `trials` are counted from there.
    """

    name: str
    state: BreakerState
    since: datetime
    calls: int
    failures: int
    slow: int
    failure_rate: float
    slow_rate: float
    refused: int
    trials: int
    retry_in_seconds: float | None  # None: no trial is due in this state.
    last_error: str
