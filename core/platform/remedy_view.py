"""RemediesView: what the panel of remedies shows, computed at once out of memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from core.monitor.remediation.book import Choice
from core.monitor.remediation.remedies import Remedy
from core.monitor.remediation.run import RemedyRun


@dataclass(frozen=True, slots=True, kw_only=True)
class RemedyStatus:
    """One remedy: whether it runs by itself, and by whose word (None: as it ships); its runs, the newest first.

    `next_at` is from when on it may run by itself, `by_hand_at` by hand; `held` says why it does not run now although its rule
    is broken.
    """

    remedy: Remedy
    automatic: bool
    choice: Choice | None
    runs: tuple[RemedyRun, ...]
    next_at: float
    by_hand_at: float
    held: str = ""

    @property
    def going_on(self) -> RemedyRun | None:
        """The run that acts, is judged or is in force."""
        return next((run for run in self.runs if run.going_on), None)

    @property
    def why(self) -> str:
        """Why it runs by itself, or does not."""
        return self.remedy.why if self.choice is None else f"{self.choice.who}: {self.choice.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemediesView:
    """Every remedy; times are steady seconds. `runs_here` False: this process judges no alerts and runs none."""

    remedies: tuple[RemedyStatus, ...]
    runs_here: bool
    now: float
    shift_seconds: float
    store_error: str = ""

    def moment(self, at: float) -> datetime:
        """A steady second on the wall clock."""
        return datetime.fromtimestamp(at + self.shift_seconds, UTC)
