"""Watching: what the overview and the charts show beside the figures."""

from __future__ import annotations

from collections.abc import Iterable

from core.database.server_counts import ServerCounter
from core.monitor.alerts.alerts import Alerts
from core.monitor.alerts.incident import Incident, shifted
from core.monitor.marks.marks import MarkParts, Marks
from core.monitor.marks.records import MarkRecords
from core.platform.overview import Overview
from core.platform.promises import Promises
from core.platform.whole_server import WholeServer
from core.services.alerting import has_tables
from core.services.ground import Ground
from core.setup import Setup


def make_marks(ground: Ground, setup: Setup, alerts: Alerts, *, drops: bool) -> Marks:
    """`drops` is False for a process that only serves the API."""

    def incidents() -> Iterable[Incident]:
        view = alerts.view()
        return [shifted(incident, view.shift_seconds) for incident in (*view.open, *view.resolved)]

    return Marks(
        MarkParts(records=MarkRecords(ground.console_store), incidents=incidents, store_ready=has_tables(setup)), drops=drops
    )


def make_whole_server(ground: Ground, *, looks: bool) -> WholeServer:
    """`looks` is False for a process that only serves the API."""
    parts = ground.database_parts
    return WholeServer(ServerCounter(parts.looking, parts.looking_name), ground.redis, ground.health.snapshot, looks=looks)


def make_promises(ground: Ground, alerts: Alerts, overview: Overview, whole_server: WholeServer) -> Promises:
    """The first line and every promise."""
    return Promises(alerts, overview.readiness, ground.health.snapshot, whole_server.figures)
