"""ClaudeRemedy: says which part is slow, and lets half as many background asks of Claude be under way.

Owns nothing but the words: the limit is the scheduler's, of this process, ends by itself and is lost with the process.
"""

from __future__ import annotations

import asyncio

from core.claude.scheduler import Scheduler
from core.claude.scheduler.stats import SchedulerStats
from core.monitor.alerts.alerts import Alerts
from core.monitor.alerts.words import counted
from core.monitor.remediation.effect import Figure
from core.platform.remedy_actions import Call, Done, Plan
from core.platform.slow_part import slow_part
from core.ports import Progress


class ClaudeRemedy:
    """See RemedyAction; `lasts_seconds` is how long the limit lasts if nothing ends it."""

    def __init__(self, alerts: Alerts, scheduler: Scheduler, lasts_seconds: float) -> None:
        self._alerts, self._scheduler, self._lasts_seconds = alerts, scheduler, lasts_seconds

    async def plan(self, _call: Call, /) -> Plan:
        """What is slow, and how many background asks there are to be fewer of."""
        incidents = self._alerts.book.incidents
        slow = await asyncio.to_thread(slow_part, self._alerts.measured, incidents.rules, dict(incidents.conditions))
        asks = _background(self._scheduler.stats())
        commands: tuple[str, ...] = ()
        if asks:
            does = (
                f"Halves how many of the {counted(asks, 'background asks')} of Claude may be under way at once, at least one."
            )
            commands = (f"scheduler: half as many background asks for {self._lasts_seconds:g} s at most, in this process only",)
        else:
            does = "Slows nothing down: no background ask of Claude waits or is under way."
        return Plan(does=(slow.text, does), why=slow.text, commands=commands)

    async def act(self, plan: Plan, call: Call, _progress: Progress, /) -> Done:
        """Lower the limit, where there are asks."""
        if not _background(self._scheduler.stats()):
            return Done(
                f"{plan.why} No background ask of Claude waits or is under way, so none was slowed down.", changed=False
            )
        most = self._scheduler.slow_background(self._lasts_seconds, by=call.who)
        return Done(f"{plan.why} Only {counted(most, 'background asks')} of Claude may be under way at once now.")

    def undo(self) -> str:
        """Lift the limit."""
        if self._scheduler.stats().background_most is None:
            return ""
        self._scheduler.restore_background()
        return "background asks of Claude have no limit of their own any more"

    async def figure(self) -> Figure | None:
        """The rule's."""
        return None


def _background(stats: SchedulerStats) -> int:
    """Asks that nobody waits for, under way or waiting."""
    waiting = sum(item.asks for item in stats.waiting if item.lane == "background")
    return stats.in_flight_background + waiting
