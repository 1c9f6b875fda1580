"""Alerting: what judges the rules, and what an operator does about what it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from core.monitor.alerts.alerts import AlertParts, Alerts
from core.monitor.alerts.book import AlertBook, AlertWords
from core.monitor.alerts.notifier import Notifier
from core.monitor.alerts.readings import Readings
from core.monitor.alerts.records import AlertRecords
from core.monitor.alerts.rules import load_rules
from core.monitor.alerts.telling import NoteHour
from core.monitor.clock import SteadyClock
from core.operations import Operations
from core.platform.alert_operations import AlertOperations
from core.platform.alert_probes import alert_probes
from core.platform.overview import Overview
from core.platform.warming import Warming
from core.services.ground import Ground
from core.settings import Settings
from core.setup import Setup

PAGE = "/alerts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerting:
    """One of each."""

    alerts: Alerts
    operations: AlertOperations


def make_alerting(
    settings: Settings,
    ground: Ground,
    setup: Setup,
    operations: Operations,
    warming: Warming,
    overview: Overview,
    *,
    judges: bool,
) -> Alerting:
    """`judges` is False for a process that only serves the API."""
    clock = SteadyClock()
    database = ground.database_parts.database
    probes = alert_probes(
        settings, ground.monitor, pool=database.stats, missed=warming.missed, state=lambda: overview.verdict().state
    )
    words = AlertWords(
        environment=settings.environment,
        page=f"http://{settings.host}:{settings.port}{PAGE}",
        note_hour=NoteHour(settings.alert_note_hour, ZoneInfo(settings.alert_note_zone)),
    )
    parts = AlertParts(
        book=AlertBook(load_rules(settings), words),
        readings=Readings(ground.monitor, ground.health.snapshot, probes, clock.now),
        records=AlertRecords(ground.console_store),
        notifier=Notifier(settings.alert_urls),
        clock=clock,
        record=ground.monitor,
        heartbeat_url=settings.heartbeat_url,
        store_ready=_has_tables(setup),
    )
    alerts = Alerts(parts, judges=judges)
    return Alerting(alerts=alerts, operations=AlertOperations(alerts, operations))


def _has_tables(setup: Setup) -> Callable[[], bool]:
    return lambda: any(step.name == "console_schema" and step.state == "done" for step in setup.snapshot())
