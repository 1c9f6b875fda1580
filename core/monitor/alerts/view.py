"""AlertsView: what the page of alerts shows, computed at once out of memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from core.monitor.alerts.heartbeat import HeartbeatStats
from core.monitor.alerts.incident import Incident
from core.monitor.alerts.judge import Condition
from core.monitor.alerts.notifier import NotifierStats
from core.monitor.alerts.rules import Rule
from core.monitor.alerts.silence import Silence
from core.monitor.alerts.trend import Trend


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsStats:
    """How the judging fares; `tick_age_seconds` None: nothing was judged yet. `unwritten` waits for the store."""

    judges: bool
    ticks: int
    tick_age_seconds: float | None
    tick_seconds: float
    open: int
    unwritten: int
    store_error: str
    notifier: NotifierStats
    heartbeat: HeartbeatStats


@dataclass(frozen=True, slots=True)
class RuleStatus:
    """One rule as it stands; `changed_by` names who gave it other numbers."""

    rule: Rule
    condition: Condition
    trend: Trend
    changed_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsView:
    """Open incidents with the worst first, resolved ones with the newest first; times are steady seconds."""

    open: tuple[Incident, ...]
    resolved: tuple[Incident, ...]
    rules: tuple[RuleStatus, ...]
    silences: tuple[Silence, ...]
    silenced: frozenset[str]
    stats: AlertsStats
    now: float
    shift_seconds: float

    def advice(self, incident: Incident) -> str:
        """What to do about its cause."""
        found = next((item for item in self.rules if item.rule.name == incident.cause), None)
        return "" if found is None else found.condition.reading.advice or found.rule.runbook

    def moment(self, at: float) -> datetime:
        """A steady second on the wall clock."""
        return datetime.fromtimestamp(at + self.shift_seconds, UTC)
