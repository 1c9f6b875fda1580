"""Warming: the warm plans, their runs as operations, and their schedule.

Owns the start of a run, so that page, command line and schedule do the same; and in the console's process the task that keeps
the schedule. Refuses to start what another process runs, or has done for the same hour.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from core.cache.redis_tier import Gain
from core.cache.tiered import TieredCache
from core.cache.warming.estimate import WarmEstimate
from core.cache.warming.plan_keys import PlanKeys
from core.cache.warming.plans import WarmPlan, plan_names, read_plans
from core.cache.warming.schedule import PastRun, Scheduled, judge
from core.cache.warming.warmer import CacheWarmer
from core.database.pool import Database
from core.errors import CoreError, TargetError
from core.operations import Operation, OperationRequest, Operations, Pause, Started, Work
from core.platform.commands import warm_line
from core.platform.read_paths import key_of_path
from core.platform.warm_records import KIND, WarmRecords, WarmRunRecord, plan_of, report_of, run_of
from core.ports import Progress
from core.settings import Settings
from core.setup import Setup
from core.tasks import end_tasks

log = logging.getLogger(__name__)

TICK_SECONDS = 15.0
RETRY_SECONDS = 1.0  # After a look that failed, doubled each time up to a tick.
CONTINUED_WITHIN = timedelta(hours=1)  # A run that ended before it was done is continued under its name.
SCHEDULE, ON_START = "schedule", "start of the console"
RUNS_SHOWN = 20

Wrap = Callable[[Work], Work]


def _as_it_is(work: Work) -> Work:
    return work


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Warming:
    """Starts runs; with `schedules` it also keeps the schedule and warms on start, as one process of all does."""

    def __init__(
        self,
        settings: Settings,
        cache: TieredCache,
        database: Database,
        operations: Operations,
        setup: Setup,
        *,
        schedules: bool,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._settings, self._cache, self._database, self._operations = settings, cache, database, operations
        self._setup, self._schedules, self._clock = setup, schedules, clock
        self.plans = read_plans(settings.own_warm_plans, settings.cache_warm_schedule)
        self._on_start = plan_names(settings.cache_warm_on_start, self.plans) if schedules else ()
        keys = PlanKeys(database, cache.families, cache.insight.most_missed, key_of_path)
        # At most half of the pool: the other half is for the reads that a run is meant to help.
        most = min(settings.cache_warm_concurrency, max(1, database.stats().max_size // 2))
        self._warmer = CacheWarmer(cache, keys, most)
        self.records = WarmRecords(operations)
        self._past: tuple[PastRun, ...] | None = None
        self._error = ""
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start to keep the schedule, where this process does."""
        if self._schedules:
            self._task = asyncio.create_task(self._keep(), name="warm-schedule")

    async def close(self) -> None:
        """Stop; runs end with the operations."""
        if self._task is not None:
            await end_tasks([self._task])

    async def start(self, name: str, *, operator: str, ready_at: datetime | None = None, wrap: Wrap = _as_it_is) -> Started:
        """Run a plan, or return its run that is under way; raises UsageError, TargetError, OperationError, DependencyError."""
        plan = self.plans[name]
        self.require_redis()
        run, continues = _run_name(plan, await self.records.operations(), self._clock())
        pause = Pause()
        parameters = {"plan": name, "run": run, "continues": continues, "ready_at": ready_at.isoformat() if ready_at else None}
        request = OperationRequest(
            kind=KIND,
            key=f"warm:{name}",
            title=f"Warm: {plan.title}",
            operator=operator,
            parameters={key: value for key, value in parameters.items() if value is not None},
            commands=self.commands(plan),
            resumable=True,
        )

        async def work(progress: Progress) -> Mapping[str, Any]:
            if ready_at is not None and (earlier := await self._done_for(name, ready_at)):
                return {"plan": name, "run": run, "done_by": earlier}
            wanted_at = ready_at or self.wanted_at(plan)
            return asdict(await self._warmer.run(plan, run, progress, hold=pause.wait, wanted_at=wanted_at))

        return await self._operations.start(request, wrap(work), pause)

    async def dry_run(self, name: str) -> WarmEstimate:
        """What a run would do now; raises UsageError, DependencyError, QueryError."""
        plan = self.plans[name]
        try:
            last = await self.records.measured(name)
        except CoreError:
            last = None  # The console's store is away: a sample tells.
        return await self._warmer.dry_run(plan, last=last, wanted_at=self.wanted_at(plan))

    async def runs(self, limit: int = RUNS_SHOWN, plan: str | None = None) -> tuple[WarmRunRecord, ...]:
        """The newest runs with what each bought so far."""
        operations = [item for item in await self.records.operations() if plan is None or plan_of(item) == plan][:limit]
        gains = await asyncio.gather(*(self._gain(item) for item in operations))
        return tuple(WarmRunRecord(item, report_of(item), gain) for item, gain in zip(operations, gains, strict=True))

    def running(self) -> tuple[Operation, ...]:
        """The runs of this process; no I/O, safe from any thread."""
        return tuple(operation for operation in self._operations.running_here() if operation.kind == KIND)

    def scheduled(self) -> tuple[Scheduled, ...]:
        """How each plan with an hour stands, as of the last look at the runs; no I/O, safe from any thread."""
        if self._past is None:
            return ()
        judged = (judge(plan, self._past, self._clock()) for plan in self.plans)
        return tuple(item for item in judged if item is not None)

    def missed(self) -> tuple[Scheduled, ...]:
        """The plans whose keys were not warm in time, or whose run failed or was cancelled; no I/O, safe from any thread."""
        return tuple(item for item in self.scheduled() if item.to_be_shown)

    def wanted_at(self, plan: WarmPlan) -> datetime | None:
        """The next hour at which a plan's keys are wanted; None for a plan without one."""
        item = judge(plan, self._past or (), self._clock())
        if item is None:
            return None
        return item.ready_at if item.ready_at > self._clock() else item.next_ready_at

    def commands(self, plan: WarmPlan) -> tuple[str, ...]:
        """What a run of the plan executes: the line for a terminal and the statement that gives its keys."""
        return (warm_line(plan.name), *((self._database.sql(plan.query),) if plan.query else ()))

    async def tick(self) -> None:
        """Look at the runs and start what is due; raises DependencyError or OperationError."""
        self._past = await self.records.past()
        for item in self.scheduled():
            if item.due:
                await self.start(item.plan, operator=SCHEDULE, ready_at=item.ready_at)
                self._past = await self.records.past()

    async def _keep(self) -> None:
        await self._setup.finished.wait()
        waiting, failures = list(self._on_start), 0
        while True:
            try:
                while waiting:
                    await self.start(waiting[0], operator=ON_START)
                    waiting.pop(0)
                await self.tick()
                self._said("")
            except CoreError as error:
                self._said(str(error))
            except Exception as error:
                log.exception("warm_schedule_crashed")
                self._said(type(error).__name__)
            failures = failures + 1 if self._error else 0
            await asyncio.sleep(min(TICK_SECONDS, RETRY_SECONDS * 2.0 ** min(failures, 10)) if failures else TICK_SECONDS)

    def _said(self, error: str) -> None:
        """Log an outage once, and its end."""
        if error and not self._error:
            log.warning("warm_schedule_waits error=%r", error)
        elif self._error and not error:
            log.info("warm_schedule_goes_on")
        self._error = error

    def require_redis(self) -> None:
        """Raise TargetError where nothing may be stored in this Redis."""
        if self._settings.effective_mode == "watch" and not self._settings.redis_embedded:
            raise TargetError(
                "This platform is only watched (MODE=watch): nothing is stored in its Redis.",
                "Set MODE=operate and start again.",
            )

    async def _done_for(self, name: str, ready_at: datetime) -> int | None:
        """The run that was done for this hour before ours got its turn; asked while ours holds the plan's lock."""
        past = await self.records.past()
        return next((run.number for run in past if (run.plan, run.ready_at, run.state) == (name, ready_at, "done")), None)

    async def _gain(self, operation: Operation) -> Gain | None:
        try:
            return await self._cache.run_gain(run_of(operation))
        except CoreError:
            return None


def _run_name(plan: WarmPlan, operations: tuple[Operation, ...], now: datetime) -> tuple[str, int | None]:
    """The name that the entries carry, and which run this continues: the plan's last one, if it ended before it was done."""
    last = next((operation for operation in operations if plan_of(operation) == plan.name), None)
    if last is not None and last.state in ("interrupted", "cancelled", "failed"):
        ended = last.finished_at or last.updated_at
        if run_of(last) and now - ended < CONTINUED_WITHIN:
            return run_of(last), last.id
    return f"{plan.name}-{now:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}", None
