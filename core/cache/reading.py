"""Reading: one read that the short path of memory did not answer.

Owns the order: memory, Redis, loader; and when an old value is served in place of a failed or slow load.
"""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import Any

from core.cache.coherence.recent import RecentChanges
from core.cache.entry import ABSENT, Entry, Stored, copied
from core.cache.families import family_of, split
from core.cache.flights import Flights, StillLoading
from core.cache.insight import Insight
from core.cache.loading import Load, Loaded, Loading
from core.cache.looking import Looking, Missing
from core.cache.memory_tier import MemoryTier
from core.cache.policy import CachePolicy
from core.cache.read import CacheRead, Outcome, Reason, Tier
from core.cache.shelving import Shelving

log = logging.getLogger(__name__)

RETRIES_MAX = 10_000  # Failed keys that are remembered.


class Reading:
    """Bound to one event loop."""

    def __init__(
        self,
        *,
        memory: MemoryTier,
        looking: Looking,
        shelving: Shelving,
        recent: RecentChanges,
        loading: Loading,
        flights: Flights[Loaded | None],
        refreshes: Flights[Loaded | None],
        insight: Insight,
        policy: CachePolicy,
    ) -> None:
        self._memory = memory
        self._looking = looking
        self._shelving = shelving
        self._recent = recent
        self._loading = loading
        self._flights = flights
        self._refreshes = refreshes
        self._insight = insight
        self._policy = policy
        self._retry_at: dict[str, float] = {}

    async def get(self, key: str, default: Any) -> Any:
        """The value that memory or Redis holds, or the default."""
        started = time.monotonic()
        entry = self._memory.find(key)
        if entry is not None and started < entry.expires_at:
            value = self._answer(key, entry, "memory", started).value
        elif isinstance(found := await self._looking.one(key), Missing):
            value = self.missed(key, found.reason, started).value
        else:
            value = found.value
        return default if value is ABSENT else value

    async def read(self, key: str, load: Load | None) -> CacheRead:
        """Read one key; without a load a miss has the value ABSENT."""
        started, mark = time.monotonic(), self._recent.mark()
        entry = self._memory.find(key)
        if entry is not None and started < entry.expires_at:
            if load is not None and entry.value is not ABSENT and started >= entry.refresh_at:
                self._refresh(key, load)
            return self._answer(key, entry, "memory", started)
        found = await self._looking.one(key)
        if isinstance(found, Stored):
            if load is not None and self._shelving.due(found):
                self._refresh(key, load)
            outcome: Outcome = "negative" if found.value is ABSENT else "hit"
            return CacheRead(found.value, outcome, "redis", "", self._shelving.now() - found.stored_at)
        if load is None:
            return self.missed(key, found.reason, started)
        split(key)
        old = self._shelving.old(key, found.old) if found.old is not None else self._reserve(entry, found.reason)
        return await self.load(key, load, old, found.reason, mark, started)

    async def load(self, key: str, load: Load, old: Entry | None, reason: Reason, mark: int, started: float) -> CacheRead:
        """Load a key, or join the load under way; `old` is served when that fails or is slow."""
        if old is not None and started < self._retry_at.get(key, 0.0):
            return self._stale(key, old, "error", started)
        flight = self._flights.get(key) or self._flights.start(
            key, partial(self.run, key, load, alone=reason == "error"), tags=load.tags, paid=load.paid
        )
        try:
            # Who leaves a paid load ends it: that one is waited for.
            patient = old is None or load.paid
            loaded = await self._flights.wait(flight, None if patient else self._policy.soft_timeout_seconds)
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
        read = CacheRead(copied(entry), outcome, "loader", reason)
        return self._told(key, read, started, entry)

    async def run(self, key: str, load: Load, *, refresh: bool = False, alone: bool = False) -> Loaded | None:
        """One load, counted."""
        family = family_of(key)
        try:
            loaded = await self._loading.run(key, load, refresh=refresh, alone=alone)
        except Exception:
            self._insight.load_failed(family)
            raise
        self._retry_at.pop(key, None)
        if loaded is not None and loaded.by_loader:
            self._insight.loaded(family, loaded.entry.load_seconds)
            self._insight.kept(key, loaded.entry.expires_at)
        return loaded

    def missed(self, key: str, reason: Reason, started: float) -> CacheRead:
        """Count a key that is nowhere, or that could not be asked for; raises UsageError for what is no key."""
        split(key)
        outcome: Outcome = "error" if reason == "error" else "miss"
        return self._told(key, CacheRead(ABSENT, outcome, "none", reason), started)

    def _reserve(self, entry: Entry | None, reason: Reason) -> Entry | None:
        """What memory holds of a key beyond its expiry, unless it is known to be wrong."""
        usable = entry is not None and reason != "invalidated" and time.monotonic() < entry.gone_at
        return entry if usable and entry is not None and entry.value is not ABSENT else None

    def _unchanged(self, old: Entry, mark: int) -> bool:
        return self._recent.may_store(mark, old.key, old.version, old.generations)

    def _refresh(self, key: str, load: Load) -> None:
        if load.paid or time.monotonic() < self._retry_at.get(key, 0.0):
            return  # Nobody pays for what nobody waits for.
        if self._refreshes.get(key) is None and self._flights.get(key) is None:
            self._refreshes.start(key, partial(self._renew, key, load), tags=load.tags)

    async def _renew(self, key: str, load: Load) -> Loaded | None:
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
        read = CacheRead(copied(entry), outcome, tier, "", time.monotonic() - entry.stored_at)
        return self._told(key, read, started, entry)

    def _stale(self, key: str, old: Entry, reason: Reason, started: float) -> CacheRead:
        read = CacheRead(copied(old), "stale", "memory", reason, time.monotonic() - old.stored_at)
        return self._told(key, read, started)

    def _told(self, key: str, read: CacheRead, started: float, value: Entry | None = None) -> CacheRead:
        self._insight.answered(key, read, time.monotonic() - started, value)
        return read
