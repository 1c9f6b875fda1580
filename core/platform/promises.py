"""Promises: what the platform promises and how each promise fares, made once after each judging and served to every viewer.

Owns the order: the worst first, by the time that users lose. Asks no server; safe from any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache

from core.health import DependencyStatus
from core.monitor.alerts.alerts import Alerts
from core.monitor.alerts.rules import Rule
from core.monitor.alerts.view import AlertsView, RuleStatus
from core.platform.felt import Felt, felt_now, lost_seconds
from core.platform.first_line import STALLED_SECONDS, first_line, stalled
from core.platform.promise import Promise, plain_promise, standing, through_this_layer, whole_server_source
from core.platform.server_figure import ServerFigure
from core.platform.verdict import Verdict

WholeServerFigures = Callable[[], Mapping[str, ServerFigure]]


@dataclass(frozen=True, slots=True)
class PromisesView:
    """The first line and every promise, broken ones first and the worst of them first; `at` is when it was judged (UTC)."""

    verdict: Verdict
    promises: tuple[Promise, ...]
    at: datetime

    @property
    def broken(self) -> tuple[Promise, ...]:
        """Those that are not kept."""
        return tuple(item for item in self.promises if item.standing == "broken")

    @property
    def pending(self) -> tuple[Promise, ...]:
        """Those whose figure is beyond its limit, but not for long enough to be a breach."""
        return tuple(item for item in self.promises if item.standing == "pending")

    @property
    def kept(self) -> tuple[Promise, ...]:
        """Those that are kept."""
        return tuple(item for item in self.promises if item.standing == "kept")

    @property
    def unknown(self) -> tuple[Promise, ...]:
        """Those that cannot be judged."""
        return tuple(item for item in self.promises if item.standing == "unknown")


class Promises:
    """Serves the view of the last judging; `whole_server` gives by rule what the servers themselves say."""

    def __init__(
        self,
        alerts: Alerts,
        readiness: Callable[[], Verdict],
        dependencies: Callable[[], Sequence[DependencyStatus]],
        whole_server: WholeServerFigures = dict,
    ) -> None:
        self._alerts = alerts
        self._readiness = readiness
        self._dependencies = dependencies
        self._whole_server = whole_server
        self._lock = threading.Lock()
        self._seen: tuple[int, Verdict] | None = None
        self._view: PromisesView | None = None

    def view(self) -> PromisesView:
        """What every viewer sees; no I/O."""
        with self._lock:
            seen = (self._alerts.revision, self._readiness())
            if self._view is None or self._seen != seen:
                self._view, self._seen = self._make(seen[1]), seen
            view = self._view
        age = self._alerts.tick_age_seconds()
        if age is not None and age > STALLED_SECONDS:
            return replace(view, verdict=stalled(age))
        return view

    def _make(self, readiness: Verdict) -> PromisesView:
        alerts, whole_server = self._alerts.view(), self._whole_server()
        who_feels = cache(lambda rule: felt_now(self._alerts.measured, rule))
        judged = alerts.stats.ticks > 0
        watched = {item.name for item in self._dependencies()}
        promises = [
            self._promise(alerts, status, who_feels, whole_server.get(status.rule.name))
            for status in (alerts.rules if judged else ())
            if status.rule.kind != "dependency" or status.rule.metric in watched
        ]
        lost: dict[str, float] = {}
        for item in promises:
            if item.incident:
                lost[item.incident] = lost.get(item.incident, 0.0) + item.lost_seconds
        promises = [replace(item, incident_lost_seconds=lost.get(item.incident, 0.0)) for item in promises]
        return PromisesView(first_line(alerts, readiness, who_feels), tuple(sorted(promises, key=_worst_first)), _now())

    def _promise(
        self, alerts: AlertsView, status: RuleStatus, who_feels: Callable[[Rule], Felt | None], server: ServerFigure | None
    ) -> Promise:
        sources = (through_this_layer(status), *([whole_server_source(server)] if server else []))
        promise = plain_promise(status, sources)
        if standing(status) != "broken":
            return promise
        condition = status.condition
        began = alerts.now if condition.breached_at is None else condition.breached_at
        incident = next((item for item in alerts.open if status.rule.name in item.running), None)
        seen = incident.acknowledged if incident is not None and incident.acknowledged_at(alerts.now) else None
        felt = who_feels(status.rule)
        return replace(
            promise,
            breach_since=alerts.moment(began),
            felt_words="" if felt is None else felt.words,
            lost_seconds=lost_seconds(self._alerts.measured, status.rule, began, alerts.now),
            incident="" if incident is None else incident.key,
            cause="" if incident is None else incident.cause,
            acknowledged_by="" if seen is None else seen.who,
            silenced=status.rule.name in alerts.silenced,
        )


def _worst_first(promise: Promise) -> tuple[int, float, str, bool, float]:
    """By the time lost to an incident, its cause before what it explains; the others as the rules have them."""
    place = {"broken": 0, "pending": 1, "kept": 2, "unknown": 3}[promise.standing]
    of_incident = (-promise.incident_lost_seconds, promise.incident, promise.rule != promise.cause)
    return (place, *(of_incident if place == 0 else (0.0, "", False)), -promise.lost_seconds)


def _now() -> datetime:
    return datetime.now(UTC)
