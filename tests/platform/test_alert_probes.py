"""Alert probes: what the rules ask that is not recorded."""

from __future__ import annotations

from core.database.measures import RunningQuery
from core.database.pool import DatabaseStats
from core.monitor import Recorder
from core.monitor.alerts.uptime import Uptime
from core.platform.alert_probes import alert_probes
from core.settings import Settings


def pool_said(stats: DatabaseStats) -> tuple[float | None, str]:
    """The share of the pool, and why."""
    probes = alert_probes(Settings(), Recorder(), pool=lambda: stats, missed=lambda: (), uptime=Uptime(), state=lambda: "fine")
    reading = probes["database_pool"](0.0)
    assert reading is not None
    return reading.value, reading.worst


def test_a_full_pool_names_the_query_that_holds_it() -> None:
    """While a table is locked nothing ends: who waits is known, and for what."""
    held = RunningQuery("lead_list", 6, 4.2)
    assert pool_said(DatabaseStats(6, 0, 6, waiting=6, running=held)) == (2.0, "6 of 6 run lead_list, for 4 s, 6 wait")
    assert pool_said(DatabaseStats(6, 3, 6, running=RunningQuery("lead_list", 3, 0.01))) == (0.5, "")
