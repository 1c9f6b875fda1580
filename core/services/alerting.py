"""Alerting: what judges the rules, and what an operator does about what it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from core.monitor.alerts.alerts import AlertParts, Alerts
from core.monitor.alerts.book import AlertBook, AlertWords
from core.monitor.alerts.fleet import Fleet
from core.monitor.alerts.notifier import Notifier
from core.monitor.alerts.readings import Readings
from core.monitor.alerts.records import AlertRecords
from core.monitor.alerts.rules import judged_metrics, load_rules
from core.monitor.alerts.telling import NoteHour
from core.monitor.alerts.uptime import Uptime, take_up_uptime
from core.monitor.alerts.workbench import RuleWorkbench
from core.monitor.clock import SteadyClock
from core.monitor.history.history import MetricHistory
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
    workbench: RuleWorkbench


def make_alerting(
    settings: Settings,
    ground: Ground,
    setup: Setup,
    operations: Operations,
    warming: Warming,
    overview: Overview,
    history: MetricHistory,
    *,
    judges: bool,
) -> Alerting:
    """`judges` is False for a process that only serves the API."""
    clock = SteadyClock()
    began = clock.now()
    database = ground.database_parts.database
    uptime = Uptime(ground.monitor)
    probes = alert_probes(
        settings,
        ground.monitor,
        pool=database.stats,
        missed=warming.missed,
        uptime=uptime,
        state=lambda: overview.readiness().state,
    )
    words = AlertWords(
        environment=settings.environment,
        page=f"http://{settings.host}:{settings.port}{PAGE}",
        note_hour=NoteHour(settings.alert_note_hour, ZoneInfo(settings.alert_note_zone)),
    )
    rules, store_ready = load_rules(settings), has_tables(setup)
    ground.monitor.reserve(judged_metrics(rules))
    fleet = Fleet(ground.console_store, ground.monitor, history.process.id, judged_metrics(rules), ready=store_ready)
    parts = AlertParts(
        book=AlertBook(rules, words),
        readings=Readings(ground.monitor, ground.health.snapshot, probes, clock.now, fleet=fleet),
        records=AlertRecords(ground.console_store),
        notifier=Notifier(settings.alert_urls),
        clock=clock,
        record=ground.monitor,
        heartbeat_url=settings.heartbeat_url,
        fleet=fleet,
        store_ready=store_ready,
        take_up=lambda: take_up_uptime(uptime, ground.console_store, clock, began=began),
    )
    alerts = Alerts(parts, judges=judges)
    return Alerting(
        alerts=alerts, operations=AlertOperations(alerts, operations), workbench=RuleWorkbench(alerts, ground.console_store)
    )


def make_history(settings: Settings, ground: Ground, *, console: bool) -> MetricHistory:
    """What each process measured; what `serve` measures is judged by the console, so that is written by labels, too."""
    labelled = frozenset[str]() if console else judged_metrics(load_rules(settings))
    return MetricHistory(ground.console_store, ground.monitor, role="console" if console else "serve", labelled=labelled)


def has_tables(setup: Setup) -> Callable[[], bool]:
    """Whether the console's store can be written to."""
    return lambda: any(step.name == "console_schema" and step.state == "done" for step in setup.snapshot())
