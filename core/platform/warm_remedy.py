"""WarmRemedy: runs the warm plan whose families were missed most, by misses times the time of one load.

Owns the choice of the plan. Counts by family, since what was missed is in the cache by now: a plan loads its neighbours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.cache.families import family_of
from core.cache.insight import PAID_FAMILIES
from core.cache.warming.plans import WarmPlan
from core.errors import CoreError, OperationError, TargetError, UsageError
from core.monitor import Recorder
from core.monitor.remediation.effect import Figure
from core.monitor.windows import MetricsSnapshot
from core.operations import Operations
from core.platform.read_paths import key_of_path
from core.platform.remedy_actions import Call, Done, Plan
from core.platform.units import duration
from core.platform.warm_records import WarmRunRecord, plan_of, report_of
from core.platform.warming import Warming
from core.ports import Progress

WINDOW_SECONDS = 900  # As the rule of the hit rate looks.
RUN_MOST_SECONDS = 900.0
RUNS_LOOKED_AT = 50


@dataclass(frozen=True, slots=True)
class Missed:
    """What one family's misses cost in the window."""

    family: str
    misses: int
    load_seconds: float

    @property
    def cost_seconds(self) -> float:
        """The loaders' time for all of them."""
        return self.misses * self.load_seconds


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plan with what its families' misses cost, and what the reads that its last run served had saved."""

    plan: WarmPlan
    missed: tuple[Missed, ...]
    saved_seconds: float = 0.0

    @property
    def cost_seconds(self) -> float:
        """Of all its families."""
        return sum(item.cost_seconds for item in self.missed)


class WarmRemedy:
    """See RemedyAction."""

    def __init__(self, monitor: Recorder, warming: Warming, operations: Operations) -> None:
        self._monitor, self._warming, self._operations = monitor, warming, operations

    async def plan(self, _call: Call, /) -> Plan:
        """The best plan that does not run, and why it is that one."""
        try:
            self._warming.require_redis()
        except TargetError as error:
            return Plan(refusal=str(error), next_step=error.next_step)
        missed = missed_families(await asyncio.to_thread(self._monitor.snapshot, WINDOW_SECONDS))
        if not missed:
            return Plan(refusal="No family that a plan warms was missed in the last 15 minutes.", next_step="Look at Redis.")
        ranked = rank(tuple(self._warming.plans), missed, await self._last_runs())
        running = {plan_of(operation) for operation in self._warming.running()}
        free = [item for item in ranked if item.plan.name not in running]
        if not free:
            names = ", ".join(item.plan.title for item in ranked) or "none"
            return Plan(refusal=f"Every plan that would help runs already: {names}.", next_step="Wait for its end.")
        best, *others = free
        return Plan(
            does=(f"Runs the warm plan {best.plan.title}.",),
            why=_why(best, others),
            commands=self._warming.commands(best.plan),
            subject=best.plan,
        )

    async def act(self, plan: Plan, call: Call, progress: Progress, /) -> Done:
        """Run it to its end; raises what Warming.start raises, OperationError for a run that failed."""
        started = await self._warming.start(plan.subject.name, operator=f"remedy of {call.who}")
        progress(f"the warm run {started.operation.id}", 0, 0)
        try:
            async with asyncio.timeout(RUN_MOST_SECONDS):
                over = await self._operations.wait(started.operation.id)
        except asyncio.CancelledError:
            if started.created:
                await self._operations.cancel(started.operation.id, f"remedy of {call.who}")
            raise
        except TimeoutError:
            return Done(f"{plan.why} Its run {started.operation.id} goes on after {duration(RUN_MOST_SECONDS)}.")
        if over.state != "done":
            raise OperationError(f"The run of {plan.subject.title} ended as {over.state}: {over.error}", over.next_step)
        report = report_of(over)
        loaded = report.loaded if report is not None else 0
        return Done(f"{plan.why} Its run {over.id} loaded {loaded:,} values in {duration(over.duration_seconds)}.", loaded > 0)

    def undo(self) -> str:
        """Nothing: what was loaded is no harm, and expires."""
        return ""

    async def figure(self) -> Figure | None:
        """The rule's."""
        return None

    async def _last_runs(self) -> Sequence[WarmRunRecord]:
        try:
            return await self._warming.runs(RUNS_LOOKED_AT)
        except CoreError:
            return ()  # The store is away: plans whose families cost the same come in the order of their file.


def missed_families(snapshot: MetricsSnapshot) -> dict[str, Missed]:
    """What was missed of the families that the hit rate is promised for, and what one load of each took."""
    loads = {item.labels[0]: item.mean or 0.0 for item in snapshot.series if item.metric == "cache_load_seconds"}
    counts: dict[str, int] = {}
    for counter in snapshot.counters:
        if counter.metric == "cache_misses" and counter.labels[0] not in PAID_FAMILIES:
            counts[counter.labels[0]] = counts.get(counter.labels[0], 0) + counter.delta
    return {name: Missed(name, count, loads.get(name, 0.0)) for name, count in counts.items() if count > 0}


def rank(plans: Sequence[WarmPlan], missed: dict[str, Missed], runs: Sequence[WarmRunRecord] = ()) -> list[Candidate]:
    """The plans whose families were missed, the dearest first; of equals the one whose last run saved most.

    A plan that names no family (the most missed keys, an access log) takes those that no other plan warms.
    """
    saved: dict[str, float] = {}
    for record in runs:
        if record.gain is not None:
            saved.setdefault(plan_of(record.operation), record.gain.saved_seconds)
    named = {plan.name: families_of(plan) for plan in plans}
    rest = missed.keys() - set().union(*named.values())
    candidates = [
        Candidate(
            plan, tuple(missed[name] for name in sorted((named[plan.name] or rest) & missed.keys())), saved.get(plan.name, 0.0)
        )
        for plan in plans
    ]
    found = [item for item in candidates if item.missed]
    return sorted(found, key=lambda item: (-item.cost_seconds, -item.saved_seconds))


def families_of(plan: WarmPlan) -> set[str]:
    """The families of the keys that a plan names."""
    return set(_families((*plan.keys, *plan.templates)))


def _families(texts: Iterable[str]) -> Iterable[str]:
    for text in texts:
        try:
            # A search's columns stand in its query, and are no search before they are filled in.
            yield family_of(key_of_path(text.partition("?")[0]) if text.startswith("/") else text)
        except UsageError:
            continue


def _why(best: Candidate, others: Sequence[Candidate]) -> str:
    parts = ", ".join(
        f"{item.family} was missed {item.misses:,} times at {duration(item.load_seconds)} a load"
        for item in sorted(best.missed, key=lambda item: -item.cost_seconds)
    )
    text = f"{best.plan.title}, because in the last 15 minutes {parts}: {duration(best.cost_seconds)} of loading"
    if not others:
        return f"{text}; no other plan's families were missed."
    tied = others[0].cost_seconds == best.cost_seconds
    then = f"{others[0].plan.title} has the same, and its last run saved no more" if tied else (
        f"next comes {others[0].plan.title} with {duration(others[0].cost_seconds)}"
    )  # fmt: skip
    return f"{text}; {then}."
