"""AlertProbes: what the rules ask that the recorder does not know: who waits, what was missed, whether all is ready."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from core.cache.warming.schedule import Scheduled
from core.database.pool import DatabaseStats
from core.monitor import Recorder
from core.monitor.alerts.judge import Reading
from core.monitor.alerts.readings import Probe
from core.monitor.alerts.uptime import Uptime
from core.settings import Settings

HELD_SECONDS = 1.0  # A query that holds a connection for longer is why others wait.

State = Literal["fine", "not_fine", "cannot_tell"]


def alert_probes(
    settings: Settings,
    monitor: Recorder,
    *,
    pool: Callable[[], DatabaseStats],
    missed: Callable[[], tuple[Scheduled, ...]],
    uptime: Uptime,
    state: Callable[[], State],
) -> Mapping[str, Probe]:
    """Each answers from memory; `state` is the overview's."""

    def database_pool(_now: float) -> Reading:
        stats = pool()
        share = (stats.size - stats.idle + stats.waiting) / max(1, stats.max_size)
        held = stats.running
        lasting = held is not None and held.seconds >= HELD_SECONDS
        why = [f"{held.count} of {stats.max_size} run {held.name}, for {held.seconds:.0f} s"] if held and lasting else []
        waiting = [f"{stats.waiting} wait"] if stats.waiting else []
        return Reading(share, samples=1, worst=", ".join(why + waiting))

    def claude_queue(_now: float) -> Reading | None:
        gauge = next((item for item in monitor.gauges() if item.metric == "claude_waiting"), None)
        return None if gauge is None else Reading(gauge.value / settings.claude_queue_max, samples=1)

    def missed_warm(_now: float) -> Reading:
        plans = [item.title for item in missed() if item.missed]
        return Reading(float(len(plans)), samples=1, worst=", ".join(plans))

    def ready(now: float) -> Reading | None:
        found = state()
        uptime.see(None if found == "cannot_tell" else found == "fine", now)
        return uptime.reading(now)

    return {"database_pool": database_pool, "claude_queue": claude_queue, "missed_warm": missed_warm, "uptime": ready}
