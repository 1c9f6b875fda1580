"""RemedyTrial: one run of a remedy from its doing to its judgement, and to the undoing of what it changed.

Owns that what is in force is taken back however the run ends: worse, over, failed, cancelled, the console closed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.errors import CoreError
from core.monitor.alerts.alerts import Alerts
from core.monitor.alerts.judge import NONE
from core.monitor.alerts.words import lasting
from core.monitor.remediation.book import RemedyBook
from core.monitor.remediation.effect import Figure, Figures, Judged, compare, window_seconds
from core.monitor.remediation.remedies import Remedy
from core.monitor.remediation.run import RemedyRun, to_document
from core.platform.remedy_actions import Call, Plan, RemedyAction
from core.ports import Progress

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
FIGURE_SECONDS = 3.0
NOTHING_CHANGED = "Nothing was changed, so there is nothing to compare"


@dataclass(frozen=True, slots=True)
class TrialParts:
    """What a trial stands on."""

    alerts: Alerts
    book: RemedyBook
    figures: Figures
    now: Callable[[], float]
    shift_seconds: Callable[[], float]


class RemedyTrial:
    """Run once, as the work of an operation or without one."""

    def __init__(self, parts: TrialParts, remedy: Remedy, action: RemedyAction, plan: Plan, call: Call, run: RemedyRun) -> None:
        self._parts, self._remedy, self._action, self._plan, self._call = parts, remedy, action, plan, call
        self.run = run
        self.begun = self._own = False
        self._stop_why = ""
        self._stopped = asyncio.Event()

    def stop(self, why: str, by: str = "") -> None:
        """Wait no longer: judge by what there is, and take back what is in force; `by` is the operator who wants it."""
        self._put(replace(self.run, stopped_by=self.run.stopped_by or by))
        self._stop_why = self._stop_why or why
        self._stopped.set()

    async def work(self, progress: Progress) -> Mapping[str, Any]:
        """Do it, judge it, undo it; raises CoreError where it could not be done."""
        self.begun = True
        try:
            return await self._work(progress)
        except BaseException as error:
            words = str(error).rstrip(".") if isinstance(error, CoreError) else type(error).__name__
            self._fail("it was cancelled" if isinstance(error, asyncio.CancelledError) else words)
            raise

    async def _work(self, progress: Progress) -> Mapping[str, Any]:
        self._put(self.run)
        before = await self._figure()
        self._put(replace(self.run, before=before))
        done = await self._action.act(self._plan, self._call, progress)
        self._put(replace(self.run, did=done.text, phase="judging"))
        self._remark(done.text)
        progress("until its effect is judged", 0, 0)
        judged = await self._judge(before) if done.changed else Judged("cannot tell", NOTHING_CHANGED)
        self._put(replace(self.run, effect=judged.effect, reason=judged.reason))
        if done.changed:
            self._remark(f"{judged.effect.capitalize()}: {judged.reason}.")
        undone = ""
        if done.changed and self._remedy.undo_when:
            why = "" if judged.effect not in self._remedy.undo_when else f"its effect was: {judged.effect}"
            undone = self._undo(why or await self._in_force(judged, progress))
        self._put(replace(self.run, phase="over", undone=undone, incident=self._incident(), ended_at=self._parts.now()))
        return {"run": to_document(self.run, self._parts.shift_seconds())}

    async def _judge(self, before: Figure) -> Judged:
        """Wait until the figure holds nothing from before, then compare."""
        window = 0.0 if self._own else window_seconds(self._rule())
        await self._wait(self._remedy.settle_seconds + window)
        if self._stop_why:
            return Judged("cannot tell", f"It was not waited for: {self._stop_why}")
        after = await self._figure()
        self._put(replace(self.run, after=after))
        return compare(self._remedy, before, after)

    async def _in_force(self, judged: Judged, progress: Progress) -> str:
        """Wait until the breach is over, or it has lasted for long enough; why it ends."""
        self._put(replace(self.run, phase="in force"))
        progress(f"{judged.effect}; in force until it is over", 0, 0)
        until = self.run.began_at + self._remedy.lasts_most_seconds
        broken = self._broken() or bool(self.run.incident)
        while not self._stop_why:
            if broken and not self._broken():
                return "it is over"
            broken = broken or self._broken()
            if self._parts.now() >= until:
                return f"it lasted {lasting(self._remedy.lasts_most_seconds)}"
            await self._wait(LOOK_SECONDS)
        return self._stop_why

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        except TimeoutError:
            return

    async def _figure(self) -> Figure:
        own = await self._own_figure()
        self._own = own is not None
        return own or (self._unjudged() if self._parts.alerts.stalled else self._parts.figures.of(self._rule()))

    async def _own_figure(self) -> Figure | None:
        try:
            async with asyncio.timeout(FIGURE_SECONDS):
                return await self._action.figure()
        except (CoreError, TimeoutError) as error:
            note = "it could not be asked for"
            log.warning("remedy_figure_unknown remedy=%s error=%r", self._remedy.name, str(error))
            return Figure(self._remedy.title, None, 0, "count", note=note)

    def _unjudged(self) -> Figure:
        rule = self._rule()
        return Figure(rule.title, None, 0, rule.unit, note="the rules are not judged now")

    def _rule(self) -> Any:
        return self._parts.alerts.book.incidents.rules[self.run.rule]

    def _broken(self) -> bool:
        return self._parts.alerts.book.incidents.conditions[self.run.rule].level > NONE

    def _fail(self, error: str) -> None:
        undone = self._undo(error)
        self._remark(f"{'Not judged' if self.run.did else 'Not done'}: {error}.")
        ended_at, incident = self._parts.now(), self._incident()
        self._put(replace(self.run, phase="failed", reason=error, undone=undone, incident=incident, ended_at=ended_at))

    def _undo(self, why: str) -> str:
        """Take back what is in force; says why, empty where there was nothing."""
        try:
            what = self._action.undo()
        except Exception as error:
            log.exception("remedy_undo_failed remedy=%s", self._remedy.name)
            what = f"it could not be taken back ({type(error).__name__}); a restart of the console ends it"
        if not what:
            return ""
        self._remark(f"Undone, {why}: {what}.")
        return why

    def _incident(self) -> str:
        """The one that its rule is part of now: another may have taken the first one over."""
        going_on = self._parts.alerts.book.incidents.open.values()
        found = next((item.key for item in going_on if self.run.rule in item.running), self.run.incident)
        return found if self.run.incident else ""

    def _put(self, run: RemedyRun) -> None:
        self.run = run
        self._parts.book.put(run)

    def _remark(self, text: str) -> None:
        self._parts.alerts.remark(self._incident(), f"{self._remedy.title}. {text}", self.run.who if self.run.by_hand else "")
