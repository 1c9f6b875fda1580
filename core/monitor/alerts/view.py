"""AlertsView: what the page of alerts shows, computed at once out of memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from core.monitor.alerts.fleet import FleetStats
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
    fleet: FleetStats


@dataclass(frozen=True, slots=True)
class RuleStatus:
    """One rule as it stands; `changed_by` names who gave it other numbers."""

    rule: Rule
    condition: Condition
    trend: Trend
    changed_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsView:
    """Open incidents with the worst first, resolved ones with the newest first; times are steady seconds.

    `seen_since` is since when there has been something to judge requests by, without a break; None: there is nothing.
    """

    open: tuple[Incident, ...]
    resolved: tuple[Incident, ...]
    rules: tuple[RuleStatus, ...]
    silences: tuple[Silence, ...]
    silenced: frozenset[str]
    stats: AlertsStats
    now: float
    shift_seconds: float
    seen_since: float | None = None

    def shown(self, incident: Incident) -> RuleStatus | None:
        """What is to be told of it now: its cause, or the first of what goes on when that is over."""
        going_on = [item for item in self.rules if item.rule.name in incident.running]
        hurting = [item for item in going_on if item.condition.state != "recovering"]
        cause = next((item for item in self.rules if item.rule.name == incident.cause), None)
        if cause is not None and cause.condition.breached and (cause.condition.state != "recovering" or not hurting):
            return cause
        return next(iter(hurting or going_on), cause)

    def advice(self, incident: Incident) -> str:
        """What to do about it now."""
        found = self.shown(incident)
        return "" if found is None else found.condition.reading.advice or found.rule.runbook

    def moment(self, at: float) -> datetime:
        """A steady second on the wall clock."""
        return datetime.fromtimestamp(at + self.shift_seconds, UTC)
