"""Reading: one read that the short path of memory did not answer.

Owns the order: memory, Redis, loader; and when an old value is served in place of a failed or slow load.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from core.cache.entry import ABSENT, Entry
from core.cache.families import split
from core.cache.flights import Flights, StillLoading
from core.cache.guard import Guard
from core.cache.insight import Insight
from core.cache.loading import Load, Loaded, Loading
from core.cache.memory_tier import MemoryTier
from core.cache.policy import CachePolicy
from core.cache.read import CacheRead, Outcome, Reason, Tier
from core.cache.recent import RecentChanges
from core.cache.redis_tier import RedisTier
from core.cache.shelving import Shelving
from core.cache.tags import Tags
from core.errors import DependencyError

log = logging.getLogger(__name__)

RETRIES_MAX = 10_000  # Failed keys that are remembered.


@dataclass(frozen=True, slots=True)
class Look:
    """What Redis has of a key: a fresh entry, or an old one, or the reason why neither."""

    fresh: Entry | None = None
    old: Entry | None = None
    reason: Reason = ""


class Reading:
    """Bound to one event loop."""

    def __init__(
        self,
        *,
        memory: MemoryTier,
        redis: RedisTier,
        guard: Guard,
        shelving: Shelving,
        tags: Tags,
        recent: RecentChanges,
        loading: Loading,
        flights: Flights[Loaded | None],
        refreshes: Flights[Loaded | None],
        insight: Insight,
        policy: CachePolicy,
    ) -> None:
        self._memory = memory
        self._redis = redis
        self._guard = guard
        self._shelving = shelving
        self._tags = tags
        self._recent = recent
        self._loading = loading
        self._flights = flights
        self._refreshes = refreshes
        self._insight = insight
        self._policy = policy
        self._retry_at: dict[str, float] = {}

    async def read(self, key: str, load: Load | None) -> CacheRead:
        """Read one key; without a load a miss has the value ABSENT."""
        started, mark = time.monotonic(), self._recent.mark()
        entry = self._memory.find(key)
        if entry is not None and started < entry.expires_at:
            self._refresh_when_due(key, entry, load)
            return self._answer(key, entry, "memory", started)
        if entry is None:
            split(key)
        look = await self._look(key, mark)
        if look.fresh is not None:
            self._refresh_when_due(key, look.fresh, load)
            return self._answer(key, look.fresh, "redis", started)
        if load is None:
            outcome: Outcome = "error" if look.reason == "error" else "miss"
            return self._told(key, CacheRead(ABSENT, outcome, "none", look.reason), started)
        return await self.load(key, load, look.old or self._reserve(entry, look.reason), look.reason, mark, started)

    async def load(self, key: str, load: Load, old: Entry | None, reason: Reason, mark: int, started: float) -> CacheRead:
        """Load a key, or join the load under way; `old` is served when that fails or is slow."""
        if old is not None and started < self._retry_at.get(key, 0.0):
            return self._stale(key, old, "error", started)
        flight = self._flights.get(key) or self._flights.start(
            key, partial(self.run, key, load), tags=load.tags, paid=load.paid
        )
        try:
            loaded = await self._flights.wait(flight, self._policy.soft_timeout_seconds if old is not None else None)
        except StillLoading:
            assert old is not None
            if self._unchanged(old, mark):
                return self._stale(key, old, "slow", started)
            loaded = await self._flights.wait(flight)
        except Exception:
            if old is None or not self._unchanged(old, mark):
                raise
            self._remember_failure(key)
            return self._stale(key, old, "error", started)
        assert loaded is not None  # None is the answer of a refresh only.
        entry = loaded.entry
        if not loaded.by_loader:
            return self._answer(key, entry, "redis", started)
        outcome: Outcome = "error" if reason == "error" else "miss"
        read = CacheRead(_copied(entry), outcome, "loader", reason)
        return self._told(key, read, started, load_seconds=entry.load_seconds)

    async def run(self, key: str, load: Load, *, refresh: bool = False) -> Loaded | None:
        """One load, counted."""
        family = key.partition(":")[0]
        try:
            loaded = await self._loading.run(key, load, refresh=refresh)
        except Exception:
            self._insight.load_failed(family)
            raise
        self._retry_at.pop(key, None)
        if loaded is not None and loaded.by_loader:
            self._insight.loaded(family, loaded.entry.load_seconds)
            self._insight.kept(key, loaded.entry.expires_at)
        return loaded

    async def _look(self, key: str, mark: int) -> Look:
        try:
            stored = await self._guard.run(self._redis.get(key))
            if stored is None:
                return Look(reason=self._insight.absence(key))
            if not self._shelving.believed(key, stored) or not await self._tags.valid(stored):
                return Look(reason="invalidated")
        except DependencyError:
            return Look(reason="error")
        if not self._shelving.fresh(stored):
            old = None if stored.value is ABSENT else self._shelving.shelve(key, stored, mark, in_memory=False)
            return Look(old=old, reason="expired")
        entry = self._shelving.shelve(key, stored, mark)
        self._insight.kept(key, entry.expires_at)
        return Look(fresh=entry)

    def _reserve(self, entry: Entry | None, reason: Reason) -> Entry | None:
        """What memory holds of a key beyond its expiry, unless it is known to be wrong."""
        usable = entry is not None and reason != "invalidated" and time.monotonic() < entry.gone_at
        return entry if usable and entry is not None and entry.value is not ABSENT else None

    def _unchanged(self, old: Entry, mark: int) -> bool:
        return self._recent.may_store(mark, old.key, old.version, old.generations)

    def _refresh_when_due(self, key: str, entry: Entry, load: Load | None) -> None:
        now = time.monotonic()
        if load is None or entry.value is ABSENT or now < entry.refresh_at or now < self._retry_at.get(key, 0.0):
            return
        if self._refreshes.get(key) is None and self._flights.get(key) is None:
            self._refreshes.start(key, partial(self._refresh, key, load), tags=load.tags)

    async def _refresh(self, key: str, load: Load) -> Loaded | None:
        try:
            return await self.run(key, load, refresh=True)
        except Exception as error:  # noqa: BLE001 - a loader may raise anything, and nobody waits for this one
            # The value that is there goes on; the next try is a moment away.
            self._remember_failure(key)
            log.debug("cache_refresh_failed key=%s error=%r", key[:80], str(error))
            return None

    def _remember_failure(self, key: str) -> None:
        if len(self._retry_at) >= RETRIES_MAX:
            self._retry_at.clear()
        self._retry_at[key] = time.monotonic() + self._policy.retry_seconds

    def _answer(self, key: str, entry: Entry, tier: Tier, started: float) -> CacheRead:
        outcome: Outcome = "negative" if entry.value is ABSENT else "hit"
        read = CacheRead(_copied(entry), outcome, tier, "", time.monotonic() - entry.stored_at)
        return self._told(key, read, started, entry=entry)

    def _stale(self, key: str, old: Entry, reason: Reason, started: float) -> CacheRead:
        read = CacheRead(_copied(old), "stale", "memory", reason, time.monotonic() - old.stored_at)
        return self._told(key, read, started)

    def _told(
        self, key: str, read: CacheRead, started: float, *, load_seconds: float = 0.0, entry: Entry | None = None
    ) -> CacheRead:
        self._insight.answered(key, read, time.monotonic() - started, load_seconds, entry)
        return read


def _copied(entry: Entry) -> Any:
    return entry.value if entry.copy is None else entry.copy()
