"""CacheWarmer: fills Redis with the keys of a plan, and says beforehand what that takes.

Owns the dry run and the run. It fills Redis only: the memory of a process takes a value at its first read, so that a run cannot
drive out what is read now. Who may run what when, and the record of it, is not its business.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from core.cache.policy import life_seconds
from core.cache.warming.estimate import FamilyEstimate, Measured, WarmEstimate
from core.cache.warming.pace import START, Pace, p95
from core.cache.warming.plan_keys import PlanKeys, PlannedKey
from core.cache.warming.plans import WarmPlan
from core.cache.warming.run import CHUNK_KEYS, Warmable, WarmRun, least_life, warm_enough
from core.ports import Progress

SAMPLE_KEYS = 5
SAMPLE_TIMEOUT_SECONDS = 10.0
FIRST_KEYS = 10
ENOUGH_LOADS = 5  # A run of fewer loads says less of the next than a sample.


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmReport:
    """What one run did; `seconds` without those in which it was held, `load_seconds` of all loads together.

    `elsewhere` were being loaded by another process; `size_bytes` is that of the values before they are packed,
    `least_life_seconds` the shortest life of what was loaded.
    """

    plan: str
    run: str
    keys: int
    loaded: int
    already_warm: int
    elsewhere: int
    failed: int
    refused: int
    beyond_limit: int
    reasons: tuple[str, ...]
    seconds: float
    paused_seconds: float
    load_seconds: float
    size_bytes: int
    least_life_seconds: float
    highest_concurrency: int
    slowdowns: int


async def _never_held() -> None:
    return


class CacheWarmer:
    """Bound to the cache's loop; `most_concurrency` bounds the loads under way in one run."""

    def __init__(self, cache: Warmable, keys: PlanKeys, most_concurrency: int) -> None:
        self._cache = cache
        self._keys = keys
        self._most_concurrency = most_concurrency

    async def run(
        self,
        plan: WarmPlan,
        run: str,
        progress: Progress,
        *,
        hold: Callable[[], Awaitable[None]] = _never_held,
        wanted_at: datetime | None = None,
    ) -> WarmReport:
        """Load what is not warm enough; entries carry the name `run`. Raises DependencyError, QueryError or WarmError."""
        started = time.monotonic()
        planned = await self._keys.of(plan)
        warm_run = WarmRun(
            self._cache, plan, run, Pace(self._most_concurrency), progress, hold, wanted_in_seconds=_seconds_until(wanted_at)
        )
        counts = await warm_run.run(planned)
        pace = warm_run.pace.stats()
        return WarmReport(
            plan=plan.name,
            run=run,
            keys=len(planned.keys),
            loaded=counts.loaded,
            already_warm=counts.already_warm,
            elsewhere=counts.elsewhere,
            failed=counts.failed,
            refused=planned.refused,
            beyond_limit=planned.beyond_limit,
            reasons=(*counts.reasons, *planned.reasons),
            seconds=round(time.monotonic() - started - counts.paused_seconds, 3),
            paused_seconds=round(counts.paused_seconds, 3),
            load_seconds=round(counts.load_seconds, 3),
            size_bytes=counts.size_bytes,
            least_life_seconds=round(counts.least_life_seconds, 1),
            highest_concurrency=pace.highest,
            slowdowns=pace.slowdowns,
        )

    async def dry_run(self, plan: WarmPlan, *, last: Measured | None = None, wanted_at: datetime | None = None) -> WarmEstimate:
        """What a run would do now; loads a few keys to time them, and keeps nothing, where no `last` run tells."""
        planned = await self._keys.of(plan)
        cold = await self._cold(plan, planned.keys, _seconds_until(wanted_at))
        measured, sampled = (last, 0) if last is not None and last.loaded >= ENOUGH_LOADS else await self._sample(cold)
        each = measured.load_seconds / measured.loaded if measured.loaded else None
        rate = measured.loaded / measured.seconds if measured.loaded and measured.seconds > 0 else None
        seconds = len(cold) / rate if rate else 0.0 if not cold else None
        now = datetime.now(UTC)
        lives = [self._lives(plan, item.key) for item in planned.keys]
        return WarmEstimate(
            plan=plan.name,
            keys=len(planned.keys),
            already_warm=len(planned.keys) - len(cold),
            refused=planned.refused,
            beyond_limit=planned.beyond_limit,
            reasons=planned.reasons,
            basis="none" if each is None else "sample" if sampled else "last_run",
            sampled=sampled,
            load_seconds_each=each,
            seconds=seconds,
            loads_per_second=rate,
            load_seconds=None if each is None else each * len(cold),
            families=self._families(plan, planned.keys, cold),
            first_keys=tuple(item.key for item in planned.keys[:FIRST_KEYS]),
            first_expires_at=now + timedelta(seconds=min(low for low, _ in lives)) if lives else None,
            last_expires_at=now + timedelta(seconds=max(high for _, high in lives) + (seconds or 0.0)) if lives else None,
            wanted_at=wanted_at,
        )

    async def _cold(self, plan: WarmPlan, keys: tuple[PlannedKey, ...], wanted_in_seconds: float) -> list[PlannedKey]:
        cold = []
        for start in range(0, len(keys), CHUNK_KEYS):
            chunk = keys[start : start + CHUNK_KEYS]
            left = await self._cache.remaining_seconds([item.key for item in chunk])
            for item in chunk:
                life = least_life(self._cache, plan, item.key)
                if not warm_enough(life, left.get(item.key, 0.0), wanted_in_seconds):
                    cold.append(item)
        return cold

    async def _sample(self, cold: list[PlannedKey]) -> tuple[Measured, int]:
        """Time a few loads, spread over the keys, one after the other; what they bring is thrown away."""
        step = max(1, len(cold) // SAMPLE_KEYS)
        times = []
        for item in cold[::step][:SAMPLE_KEYS]:
            family, rest = self._cache.families.of(item.key)
            started = time.monotonic()
            async with asyncio.timeout(SAMPLE_TIMEOUT_SECONDS):
                await family.load(rest)
            times.append(time.monotonic() - started)
        measured = Measured(loaded=len(times), seconds=sum(times) / START, load_seconds=sum(times), p95_seconds=p95(times))
        return measured, len(times)

    def _families(self, plan: WarmPlan, keys: tuple[PlannedKey, ...], cold: list[PlannedKey]) -> tuple[FamilyEstimate, ...]:
        counts, cold_counts = Counter(item.family for item in keys), Counter(item.family for item in cold)
        lives = {item.family: self._lives(plan, item.key) for item in keys}
        return tuple(FamilyEstimate(name, count, cold_counts[name], *lives[name]) for name, count in counts.most_common())

    def _lives(self, plan: WarmPlan, key: str) -> tuple[float, float]:
        """The shortest and the longest life that a load gives this key."""
        family, _ = self._cache.families.of(key)
        longest = life_seconds(plan.ttl_seconds or family.ttl_seconds, plan.priority or family.priority, lambda: 0.0)
        return least_life(self._cache, plan, key), longest


def _seconds_until(moment: datetime | None) -> float:
    return 0.0 if moment is None else max(0.0, (moment - datetime.now(UTC)).total_seconds())
