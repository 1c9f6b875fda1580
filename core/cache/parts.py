"""CacheParts: the parts of the tiered cache, put together, opened, tended and closed.

Owns the order of construction and the task that, once a second, sends what waits, stores gains, and compares a sample of memory
with Redis.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from core.cache.changes import Changes
from core.cache.coherence.backplane import Backplane, BackplaneStats
from core.cache.coherence.outbox import Outbox, OutboxStats
from core.cache.coherence.recent import RecentChanges
from core.cache.flights import Flights
from core.cache.guard import Guard
from core.cache.insight import Insight
from core.cache.loading import Loaded, Loading, new_number
from core.cache.looking import Looking
from core.cache.many import ManyReads
from core.cache.memory_tier import MemoryStats, MemoryTier
from core.cache.policy import CachePolicy
from core.cache.reading import Reading
from core.cache.redis_tier import Gain, RedisTier
from core.cache.shelving import Shelving
from core.cache.tags import Tags
from core.errors import DependencyError
from core.ports import Record
from core.resilience import BreakerStats, CircuitBreaker
from core.tasks import end_tasks

log = logging.getLogger(__name__)

TEND_SECONDS = 1.0
# Each fifth second 20 keys: 14,400 an hour, at the cost of 12 round trips a minute. A message may be under way, so a difference
# counts when it is still there at the next look.
AUDIT_EVERY, AUDIT_KEYS = 5, 20
AUDIT_WINDOW_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Drift:
    """How many entries of memory were compared with Redis in the last hour, and how many differed although the link was up."""

    compared: int = 0
    different: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStats:
    """The cache now."""

    memory: MemoryStats
    link: BackplaneStats
    breaker: BreakerStats
    outbox: OutboxStats
    drift: Drift
    loads: int


class CacheParts:
    """One of each part; `writes` is False where nothing may be stored in this Redis, which is then left alone."""

    def __init__(
        self,
        memory: MemoryTier,
        redis: RedisTier,
        breaker: CircuitBreaker,
        record: Record,
        policy: CachePolicy,
        *,
        writes: bool = True,
        heartbeat_seconds: float = 1.0,
    ) -> None:
        self.memory, self.redis, self.policy = memory, redis, policy
        self.guard = Guard(breaker)
        self.insight = Insight(record)
        self.recent, self.outbox = RecentChanges(), Outbox()
        self.tags = Tags(self._generations, self.recent)
        self.flights: Flights[Loaded | None] = Flights()
        self.refreshes: Flights[Loaded | None] = Flights()
        self._writes = writes
        self._task: asyncio.Task[None] | None = None
        self._audits: deque[tuple[float, int, int]] = deque()
        self._suspects: dict[str, int] = {}
        self.shelving = Shelving(memory, self.recent, self.outbox, policy, self)
        self.loading = Loading(redis, self.guard, self.shelving, self.tags, self.recent, policy)
        self.looking = Looking(redis, self.guard, self.shelving, self.tags, self.recent, self.insight)
        self.reading = Reading(
            memory=memory, looking=self.looking, shelving=self.shelving, recent=self.recent, loading=self.loading,
            flights=self.flights, refreshes=self.refreshes, insight=self.insight, policy=policy,
        )  # fmt: skip
        self.many = ManyReads(
            memory=memory, looking=self.looking, shelving=self.shelving, recent=self.recent, reading=self.reading,
            insight=self.insight,
        )  # fmt: skip
        self.changes = Changes(
            memory=memory, redis=redis, guard=self.guard, shelving=self.shelving, tags=self.tags, recent=self.recent,
            outbox=self.outbox, flights=self.flights, insight=self.insight, policy=policy,
        )  # fmt: skip
        self.link = Backplane(
            redis.pubsub_client, self.changes, channel=redis.channel, process_id=new_number(),
            heartbeat_seconds=heartbeat_seconds, lost_after_seconds=3 * heartbeat_seconds,
        )  # fmt: skip

    async def open(self) -> None:
        """Start listening and tending; waits for no server."""
        if not self._writes:
            self.guard.breaker.open("settings", "MODE=watch: nothing is stored in this Redis")
            return
        await self.link.open()
        self._task = asyncio.create_task(self._tend(), name="cache-tender")

    async def close(self) -> None:
        """End the loads, store the last gains, and leave."""
        await self.flights.close()
        await self.refreshes.close()
        await self.looking.close()
        if self._task is not None:
            await end_tasks([self._task])
            self._task = None
            await self._store_gains()
            await self.link.close()

    def now(self) -> float:
        """Redis' time in seconds since the epoch."""
        return self.link.now()

    def stats(self) -> CacheStats:
        """The cache now; safe from any thread."""
        audits = tuple(self._audits)
        return CacheStats(
            memory=self.memory.stats(),
            link=self.link.stats(),
            breaker=self.guard.breaker.stats(),
            outbox=self.outbox.stats(),
            drift=Drift(sum(audit[1] for audit in audits), sum(audit[2] for audit in audits)),
            loads=len(self.flights) + len(self.refreshes),
        )

    async def run_gain(self, run: str) -> Gain:
        """What the entries of a warm run bought, stored and not yet stored."""
        self.insight.fold()
        await self._store_gains()
        return await self.guard.run(self.redis.gain(run))

    async def _generations(self, tags: Sequence[str]) -> dict[str, int]:
        return await self.guard.run(self.redis.generations(tags))

    async def _tend(self) -> None:
        turn = 0
        while True:
            await asyncio.sleep(TEND_SECONDS)
            turn += 1
            try:
                if self.link.found:
                    await self.changes.replay()
                    if turn % AUDIT_EVERY == 0:
                        await self._store_gains()
                        await self._audit()
            except DependencyError:
                continue  # The next turn tries again; the breaker and the link tell of it.
            except Exception:
                log.exception("cache_tender_crashed")

    async def _store_gains(self) -> None:
        gains = self.insight.take_gains()
        while gains:
            run, gain = next(iter(gains.items()))
            try:
                await self.guard.run(self.redis.add_gain(run, gain.reads, gain.saved_seconds))
            except DependencyError:
                self.insight.give_back(gains)
                return
            del gains[run]

    async def _audit(self) -> None:
        """Compare a sample of memory with Redis; those that differed the last time are looked at again first."""
        entries = self.memory.entries
        started = time.monotonic()  # What is past its time may be older than Redis: it is held for loaders that fail.
        fresh = {key: entry.version for key in self._suspects if (entry := entries.get(key)) and started < entry.expires_at}
        again = {key: version for key, version in self._suspects.items() if fresh.get(key) == version}
        keys = list(entries)
        drawn = random.sample(keys, min(AUDIT_KEYS, len(keys)))
        sample = {key: entry.version for key in drawn if (entry := entries.get(key)) and started < entry.expires_at}
        found = await self.guard.run(self.redis.get_many([*again, *sample]))
        differ = {key for key, version in (sample | again).items() if key in found and found[key].version != version}
        now = time.monotonic()
        confirmed = [key for key in again if key in differ and key in entries and entries[key].version == again[key]]
        self._suspects = {key: sample[key] for key in sample if key in differ and key not in again}
        self._audits.append((now, len(sample), len(confirmed)))
        for key in confirmed:
            log.warning("cache_drift key=%s", key[:80])
            self.memory.drop(key)
        while self._audits[0][0] < now - AUDIT_WINDOW_SECONDS:
            self._audits.popleft()
