"""Remedies: runs what may be done about a breach: by itself where that is switched on, by hand, or dry.

Owns when one is begun, and that one of a kind runs at a time: each run is an operation of kind `remedy` under its own key, or
goes without that record while the store is away. Runs only where alerts are judged.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from core.errors import CoreError, DependencyError, OperationError, UsageError
from core.monitor.alerts.alerts import Alerts
from core.monitor.alerts.incident import Incident
from core.monitor.alerts.judge import NONE, State
from core.monitor.alerts.words import lasting
from core.monitor.clock import SteadyClock
from core.monitor.remediation.book import RemedyBook, checked
from core.monitor.remediation.effect import Figures
from core.monitor.remediation.remedies import Remedy
from core.monitor.remediation.run import RemedyRun
from core.operations import OperationRequest, Operations, run_short
from core.platform.remedy_actions import Call, Plan, RemedyAction
from core.platform.remedy_past import RemedyPast
from core.platform.remedy_trial import LOOK_SECONDS, RemedyTrial, TrialParts
from core.platform.remedy_view import RemediesView, RemedyStatus
from core.tasks import end_tasks

log = logging.getLogger(__name__)

KIND = "remedy"
BEYOND: frozenset[State] = frozenset({"warning", "critical"})  # Not one that recovers, or of which nothing is seen now.
BY_ITSELF = "the console"
REFUSED_SECONDS = 60.0  # After a plan that was refused it is not asked for again at once: it may ask a server.
PLAN_SECONDS = 6.0  # Below the time that a page waits.
CLOSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RemedyParts:
    """What the remedies stand on; `actions` has one for each remedy of the book."""

    book: RemedyBook
    actions: Mapping[str, RemedyAction]
    alerts: Alerts
    operations: Operations
    past: RemedyPast
    clock: SteadyClock
    figures: Figures = field(default_factory=Figures)


class Remedies:
    """Bound to the alerts' loop; `view` is safe from any thread."""

    def __init__(self, parts: RemedyParts, *, runs: bool = True) -> None:
        self._parts, self._book, self._alerts, self._runs = parts, parts.book, parts.alerts, runs
        self._trials: dict[str, RemedyTrial] = {}
        self._starting: set[str] = set()
        self._refused_at: dict[str, float] = {}
        self._held: dict[str, str] = {}
        self._said: set[tuple[str, str]] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Start to look after the breaches, in the console."""
        if self._runs:
            self._begin(self._look_again(), "remedies")
            self._begin(self._parts.past.keep(), "remedies-store")

    async def close(self) -> None:
        """Take back what is in force and stop."""
        for trial in self._trials.values():
            trial.stop("the console ended")
        due_at = asyncio.get_running_loop().time() + CLOSE_SECONDS
        while any(trial.run.going_on for trial in self._trials.values()) and asyncio.get_running_loop().time() < due_at:
            await asyncio.sleep(0.02)
        await end_tasks(self._tasks)

    def look(self) -> None:
        """See how the rules stand now, and begin what is called for."""
        incidents, now = self._alerts.book.incidents, self._parts.clock.now()
        self._parts.figures.see(incidents.rules, incidents.conditions, now)
        self._parts.past.tell(self._alerts)
        for name, remedy in self._book.remedies.items():
            found = self._called(remedy)
            self._held[name] = "" if found is None else self._holds(remedy, *found)
            if found is not None and not self._held[name] and now >= self._refused_at.get(name, now):
                self._refused_at[name] = now + REFUSED_SECONDS
                self._begin(self._by_itself(remedy, *found), f"remedy-{name}")

    async def press(self, name: str, *, operator: str, why: str = "", dry_run: bool = False, everyone: bool = False) -> Plan:
        """Run a remedy by hand, or say what it would do; returns the plan once it is begun.

        Raises UsageError, TargetError or OperationError where it may not or cannot run, DependencyError.
        """
        remedy = self._book.remedy(name)
        found = self._called(remedy)
        call = Call(rule=found[0] if found else remedy.rules[0], who=operator, by_hand=True, everyone=everyone)
        if dry_run:
            return await self._plan(remedy, call)
        if not self._runs:
            raise OperationError("Remedies run in the console only.", "Open the console that judges the alerts.")
        why = checked(why)
        await self._parts.past.renew()
        if (plan := await self._plan(remedy, call)).refusal:
            raise OperationError(plan.refusal, plan.next_step)
        self._check_hour(remedy)  # After all that is waited for: others may have pressed it meanwhile.
        await self._start(remedy, plan, call, found[1].key if found else "", why)
        return plan

    def _check_hour(self, remedy: Remedy) -> None:
        now = self._parts.clock.now()
        if (wait_seconds := self._book.next_at(remedy.name, now, by_hand=True) - now) > 0:
            most = f"{remedy.title} has run {remedy.most_per_hour} times within an hour."
            raise OperationError(most, f"Press it again in {lasting(wait_seconds)}, or look for another cause.")

    async def undo(self, name: str, *, operator: str) -> None:
        """Take back what a remedy changed, before it is over; raises UsageError."""
        trial = self._trials.get(self._book.remedy(name).name)
        if trial is None or not trial.run.going_on:
            raise UsageError(f"Nothing of {self._book.remedy(name).title} is in force.", "Look at its last run.")
        trial.stop(f"{operator} wanted it so", by=operator)

    async def switch(self, name: str, *, automatic: bool, operator: str, why: str) -> None:
        """Let a remedy run by itself, or no longer; works while the store is away. Raises UsageError."""
        remedy, why = self._book.remedy(name), checked(why)
        wall = self._parts.clock.now() + self._parts.clock.shift_seconds()
        self._book.choose(name, automatic=automatic, who=operator, why=why, wall=wall)
        title = f"{remedy.title}: {'run by itself' if automatic else 'only by hand'}"
        parameters = {"switched": name, "automatic": automatic, "why": why}
        request = OperationRequest(
            kind=KIND, key=f"{KIND}-switch:{name}", title=title, operator=operator, parameters=parameters
        )

        async def chosen() -> Mapping[str, Any]:
            return parameters

        try:
            await run_short(self._parts.operations, request, chosen)
        except (DependencyError, OperationError) as error:
            log.warning("remedy_switch_unrecorded remedy=%s operator=%r error=%r", name, operator, str(error))

    def view(self) -> RemediesView:
        """What the panel shows; no I/O."""
        book, clock, now = self._book, self._parts.clock, self._parts.clock.now()
        return RemediesView(
            remedies=tuple(
                RemedyStatus(
                    remedy=remedy,
                    automatic=book.automatic(name),
                    choice=book.choices.get(name),
                    runs=book.runs(name),
                    next_at=book.next_at(name, now, by_hand=False),
                    by_hand_at=book.next_at(name, now, by_hand=True),
                    held=self._held.get(name, ""),
                )
                for name, remedy in book.remedies.items()
            ),
            runs_here=self._runs,
            now=now,
            shift_seconds=clock.shift_seconds(),
            store_error=self._parts.past.error,
        )

    def _called(self, remedy: Remedy) -> tuple[str, Incident] | None:
        """The first of its rules that is broken, rather one beyond its limit now, and the incident that it is part of."""
        incidents = self._alerts.book.incidents
        for rule in sorted(remedy.rules, key=lambda name: incidents.conditions[name].state not in BEYOND):
            if incidents.conditions[rule].level > NONE:
                for incident in incidents.open.values():
                    if rule in incident.running:
                        return rule, incident
        return None

    def _holds(self, remedy: Remedy, rule: str, incident: Incident) -> str:
        """Why it does not run by itself now; empty when it may."""
        book, incidents, now = self._book, self._alerts.book.incidents, self._parts.clock.now()
        title, wall = incidents.rules[rule].title, now + self._parts.clock.shift_seconds()
        broken = [name for name in remedy.not_while if incidents.conditions[name].breached]
        if not book.automatic(remedy.name):
            return "it runs only by hand"
        if not self._parts.past.settled:
            return "what ran before is not known yet: the console's store has to answer first"
        if self._alerts.stalled:
            return "the rules are not judged now"
        if book.going_on(remedy.name) or remedy.name in self._starting:
            return "it runs"
        if rule in self._alerts.book.silenced(wall):
            return f"{title} is silenced"
        if broken:
            return f"beyond its limit: {', '.join(incidents.rules[name].title for name in broken)}"
        if again := book.not_again(remedy.name, incident.key):
            return again
        well = "" if incidents.conditions[rule].state in BEYOND else f"{title} is not beyond its limit now"
        return "its time has not come yet" if book.next_at(remedy.name, now, by_hand=False) > now else well

    async def _by_itself(self, remedy: Remedy, rule: str, incident: Incident) -> None:
        """Run it for a breach; a refusal is said once in the incident's story."""
        call = Call(rule=rule, who=BY_ITSELF)
        try:
            await self._parts.past.renew()
            plan = await self._plan(remedy, call)
            found = self._called(remedy)  # Anew: planning may have taken seconds.
            if found is None or found[0] != rule or self._holds(remedy, *found):
                return
            if not plan.refusal:
                why = f"{self._alerts.book.incidents.rules[rule].title} is beyond its limit"
                await self._start(remedy, plan, call, found[1].key, why)
            refusal = plan.refusal
        except CoreError as error:
            refusal = str(error)
        if refusal and (remedy.name, incident.key) not in self._said:
            self._said.add((remedy.name, incident.key))
            self._alerts.remark(incident.key, f"{remedy.title}. Not run: {refusal}")

    async def _plan(self, remedy: Remedy, call: Call) -> Plan:
        try:
            async with asyncio.timeout(PLAN_SECONDS):
                return await self._parts.actions[remedy.name].plan(call)
        except TimeoutError:
            text = f"{remedy.title}: what it would do cannot be told within {PLAN_SECONDS:g} s."
            raise OperationError(text, "Look at the load of the servers.") from None

    async def _start(self, remedy: Remedy, plan: Plan, call: Call, incident: str, why: str) -> None:
        """Begin it as an operation, or without that record while the store is away."""
        if remedy.name in self._starting or self._book.going_on(remedy.name) is not None:
            raise OperationError(f"{remedy.title} runs already.", "Wait until it is judged, or undo it.")
        trial = self._trial(remedy, plan, call, incident, why)
        request = OperationRequest(
            kind=KIND,
            key=f"{KIND}:{remedy.name}",
            title=remedy.title,
            operator=call.who,
            parameters={"remedy": remedy.name, "rule": call.rule, "incident": incident, "why": why, "run": trial.run.key},
            commands=plan.commands,
        )
        self._starting.add(remedy.name)
        try:
            started = await self._parts.operations.start(request, trial.work)
        except (DependencyError, OperationError) as error:
            if trial.begun:
                raise
            log.warning("remedy_unrecorded remedy=%s operator=%r error=%r", remedy.name, call.who, str(error))
            self._trials[remedy.name] = trial
            self._begin(_unrecorded(trial), f"remedy-{remedy.name}-trial")
        else:
            if not started.created:
                text = f"{remedy.title} runs already, begun by {started.operation.operator} in another console."
                raise OperationError(text, "Wait until it is over; Activity shows it.")
            self._trials[remedy.name] = trial
        finally:
            self._starting.discard(remedy.name)

    def _trial(self, remedy: Remedy, plan: Plan, call: Call, incident: str, why: str) -> RemedyTrial:
        parts, clock = self._parts, self._parts.clock
        run = RemedyRun(
            key=uuid.uuid4().hex[:12],
            remedy=remedy.name,
            rule=call.rule,
            incident=incident,
            who=call.who,
            why=why,
            began_at=clock.now(),
            by_hand=call.by_hand,
        )
        found = TrialParts(self._alerts, self._book, parts.figures, clock.now, clock.shift_seconds)
        return RemedyTrial(found, remedy, parts.actions[remedy.name], plan, call, run)

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                self.look()
            except Exception:
                log.exception("remedies_crashed")

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("remedy_crashed task=%s", task.get_name(), exc_info=error)


async def _unrecorded(trial: RemedyTrial) -> None:
    with suppress(CoreError):  # Its run and the incident's story say so.
        await trial.work(_silent)


def _silent(what: str, done: int, total: int) -> None:  # noqa: ARG001 - nobody reads the progress of what is not on record.
    return
