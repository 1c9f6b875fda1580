"""Status: how the platform fares as data: what `GET /status.json` answers and `python -m core status` prints.

Owns the form that both know. Refuses to judge: the verdict, the promises and the incidents are the console's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar, cast

from core.health import DependencyState, DependencyStatus
from core.monitor.alerts.incident import Incident
from core.monitor.alerts.judge import CRITICAL
from core.monitor.alerts.view import AlertsView
from core.monitor.alerts.words import counted
from core.platform.promise import Promise, Standing
from core.platform.promises import PromisesView
from core.platform.verdict import State, Verdict

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusDependency:
    """One server; `age_seconds` is how long ago it was last asked, None: not yet."""

    title: str
    where: str
    state: DependencyState
    since: datetime | None = None
    age_seconds: float | None = None
    version: str = ""
    error: str = ""
    next_step: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPromise:
    """One promise with its value and its target as one says them; `reason` is why it cannot be judged.

    `since`: broken since then, None: not broken. `lost_seconds` is the time that users lost by it.
    """

    rule: str
    title: str
    standing: Standing
    critical: bool = False
    value: str = ""
    target: str = ""
    trend: str = ""
    since: datetime | None = None
    felt: str = ""
    lost_seconds: float = 0.0
    next_step: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusIncident:
    """One incident that goes on."""

    key: str
    title: str
    level: Literal["critical", "warning"]
    opened_at: datetime
    felt: int = 0
    acknowledged_by: str = ""
    next_step: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView:
    """Everything at one moment, times in UTC; `judged` is False where no console was there to judge."""

    at: datetime
    environment: str
    state: State
    reason: str
    since: datetime | None = None
    next_step: str = ""
    warning: bool = False
    judged: bool = True
    dependencies: tuple[StatusDependency, ...] = ()
    promises: tuple[StatusPromise, ...] = ()
    incidents: tuple[StatusIncident, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The first line's parts."""
        return Verdict(self.state, self.since, self.reason, self.next_step, warning=self.warning)

    @property
    def dependency_down(self) -> bool:
        """Whether a server that the platform stands on does not answer."""
        return any(item.state == "down" for item in self.dependencies)


def status_view(
    environment: str, promises: PromisesView, dependencies: Sequence[DependencyStatus], alerts: AlertsView
) -> StatusView:
    """What a console knows now; no I/O."""
    now, verdict = datetime.now(UTC), promises.verdict
    return StatusView(
        at=now,
        environment=environment,
        state=verdict.state,
        reason=verdict.reason,
        since=verdict.since,
        next_step=verdict.next_step,
        warning=verdict.warning,
        judged=alerts.stats.judges,
        dependencies=tuple(_dependency(item, now) for item in dependencies),
        promises=tuple(map(_promise, promises.promises)),
        incidents=tuple(status_incident(item, alerts.now, alerts.shift_seconds, alerts.advice(item)) for item in alerts.open),
    )


def status_incident(incident: Incident, now: float, shift_seconds: float, advice: str) -> StatusIncident:
    """An incident out of memory or store, whose seconds are `shift_seconds` behind the wall clock's."""
    acknowledged = incident.acknowledged if incident.acknowledged_at(now) else None
    return StatusIncident(
        key=incident.key,
        title=incident.title,
        level="critical" if incident.level == CRITICAL else "warning",
        opened_at=datetime.fromtimestamp(incident.opened_at + shift_seconds, UTC),
        felt=incident.felt,
        acknowledged_by=acknowledged.who if acknowledged else "",
        next_step=advice,
    )


def read_status(body: Any) -> StatusView:
    """The view out of its JSON, of another version too: what that has beside these fields is left out. Raises ValueError."""
    try:
        nested = {
            "dependencies": tuple(_read(StatusDependency, item) for item in body.get("dependencies", ())),
            "promises": tuple(_read(StatusPromise, item) for item in body.get("promises", ())),
            "incidents": tuple(_read(StatusIncident, item) for item in body.get("incidents", ())),
        }
        view = _read(StatusView, {**body, **nested})
    except (TypeError, AttributeError, KeyError) as error:
        raise ValueError(str(error)) from error
    if view.state not in ("fine", "not_fine", "cannot_tell"):
        raise ValueError(f"state {view.state!r}")
    return view


def _read(kind: type[T], values: Mapping[str, Any]) -> T:
    known = [item.name for item in fields(cast("Any", kind)) if item.name in values]
    return kind(**{name: _moment(values[name]) if name in ("at", "since", "opened_at") else values[name] for name in known})


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _dependency(status: DependencyStatus, now: datetime) -> StatusDependency:
    return StatusDependency(
        title=status.title,
        where=status.where,
        state=status.state,
        since=status.since,
        age_seconds=round((now - status.checked_at).total_seconds(), 3) if status.checked_at else None,
        version=status.version,
        error=status.error,
        next_step=status.next_step,
    )


def _promise(promise: Promise) -> StatusPromise:
    return StatusPromise(
        rule=promise.rule,
        title=promise.title,
        standing=promise.standing,
        critical=promise.critical,
        value=promise.value,
        target=promise.target,
        trend=promise.trend,
        since=promise.breach_since,
        felt=promise.felt_words or (counted(promise.felt, promise.felt_noun) if promise.felt and promise.felt_noun else ""),
        lost_seconds=round(promise.lost_seconds, 3),
        next_step=promise.next_step if promise.standing == "broken" else "",
        reason=promise.reason,
    )
