"""CacheOverview: what the cache page shows at one look: verdict, tiers, families, hot and missed keys, plans.

Owns the view objects of that page. Refuses to ask Redis more often than every few seconds, whoever looks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from core.cache.insight import KeyCount
from core.cache.memory_tier.counts import MemoryCounts
from core.cache.parts import CacheParts, CacheStats
from core.cache.redis_tier import RedisStats
from core.cache.tiered import TieredCache
from core.cache.warming.plans import WarmPlan
from core.cache.warming.schedule import Scheduled
from core.health import DependencyStatus, Health
from core.monitor import Recorder
from core.operations import Operation
from core.platform.cache_figures import CacheFigures, cache_figures, total_figures
from core.platform.cache_verdict import JUDGED_SECONDS, Evidence, judge_cache
from core.platform.panel import Kept, Panel
from core.platform.verdict import Verdict
from core.platform.warm_records import WarmRunRecord, plan_of
from core.platform.warming import Warming
from core.settings import Settings

REDIS_MAX_AGE_SECONDS = 4.0
KEYS_MAX_AGE_SECONDS = 10.0  # Ranking an hour's keys takes milliseconds, in which no read is counted.
RUNS_MAX_AGE_SECONDS = 3.0
KEYS_SHOWN = 15
RUNS_LOOKED_AT = 50


@dataclass(frozen=True, slots=True)
class BusyKeys:
    """The keys of the last hour in this process: read most, and missed most."""

    hottest: tuple[KeyCount, ...]
    most_missed: tuple[KeyCount, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheView:
    """Everything that the page draws at one refresh; `figures` are of the window asked for."""

    verdict: Verdict
    figures: CacheFigures
    stats: CacheStats
    redis: Panel[RedisStats]
    redis_status: DependencyStatus
    busy: BusyKeys
    writes: bool
    age_seconds: float
    loaded_at: datetime


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One plan: its newest run, and how its hour stands (None: it has none)."""

    plan: WarmPlan
    last: WarmRunRecord | None
    scheduled: Scheduled | None


@dataclass(frozen=True, slots=True)
class PlansView:
    """The plans, what runs now in this process, and the newest runs."""

    rows: tuple[PlanRow, ...]
    running: tuple[Operation, ...]
    runs: Panel[tuple[WarmRunRecord, ...]]


class CacheOverview:
    """Loads the cache page's views."""

    def __init__(
        self, settings: Settings, monitor: Recorder, parts: CacheParts, cache: TieredCache, health: Health, warming: Warming
    ) -> None:
        self._settings, self._monitor, self._parts, self._cache = settings, monitor, parts, cache
        self._health, self._warming = health, warming
        self._redis = Kept(parts.redis.stats, REDIS_MAX_AGE_SECONDS)
        self._busy = Kept(self._load_busy, KEYS_MAX_AGE_SECONDS)
        self._runs = Kept(self._load_runs, RUNS_MAX_AGE_SECONDS)
        monitor.add_source(MemoryCounts(parts.memory, monitor).fold)

    @property
    def writes(self) -> bool:
        """Whether anything may be stored in this Redis."""
        return self._settings.redis_embedded or self._settings.effective_mode == "operate"

    async def load(self, window_seconds: int) -> CacheView:
        """The view of a window of 60, 300, 900 or 3600 seconds; asks Redis for its memory only, for two seconds at most."""
        stats, statuses = self._cache.stats(), self._health.snapshot()
        busy = (await self._busy.get()).value
        # On a thread: the first sums of a window take tens of milliseconds, and reads go through this loop.
        judged = await asyncio.to_thread(total_figures, self._monitor, JUDGED_SECONDS)
        return CacheView(
            verdict=self._verdict(judged, stats, statuses),
            figures=await asyncio.to_thread(self._figures, window_seconds),
            stats=stats,
            redis=await self._redis.get(),
            redis_status=next(item for item in statuses if item.name == "redis"),
            busy=busy or BusyKeys((), ()),
            writes=self.writes,
            age_seconds=self._monitor.stats().age_seconds,
            loaded_at=datetime.now(UTC),
        )

    async def plans(self) -> PlansView:
        """The plans and their runs; as last known while the console's store is away."""
        runs, scheduled = await self._runs.get(), {item.plan: item for item in self._warming.scheduled()}
        last: dict[str, WarmRunRecord] = {}
        for record in runs.value or ():
            last.setdefault(plan_of(record.operation), record)
        rows = (PlanRow(plan, last.get(plan.name), scheduled.get(plan.name)) for plan in self._warming.plans)
        return PlansView(tuple(rows), self._warming.running(), runs)

    def _figures(self, window_seconds: int) -> CacheFigures:
        return cache_figures(self._monitor, window_seconds, self._cache.families, self._parts.memory.family_sizes())

    def _verdict(self, judged: CacheFigures, stats: CacheStats, statuses: Sequence[DependencyStatus]) -> Verdict:
        evidence = Evidence(
            figures=judged,
            stats=stats,
            dependencies=statuses,
            recorder_age_seconds=self._monitor.stats().age_seconds,
            writes=self.writes,
        )
        return judge_cache(self._settings, evidence)

    async def _load_busy(self) -> BusyKeys:
        insight = self._cache.insight
        hottest = await asyncio.to_thread(insight.hottest, KEYS_SHOWN)
        return BusyKeys(tuple(hottest), tuple(await asyncio.to_thread(insight.most_missed, KEYS_SHOWN)))

    async def _load_runs(self) -> tuple[WarmRunRecord, ...]:
        return await self._warming.runs(RUNS_LOOKED_AT)
