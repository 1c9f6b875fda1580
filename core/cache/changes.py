"""Changes: writes and invalidations, those of this process and those that the bus tells of.

Owns what happens to memory, to loads under way and to what Redis holds when something changes. Nothing here raises on an
outage: a change that did not reach Redis waits in the outbox.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from core.cache.coherence.outbox import Outbox
from core.cache.coherence.recent import RecentChanges
from core.cache.entry import Stored
from core.cache.flights import Flights
from core.cache.guard import Guard
from core.cache.insight import Insight
from core.cache.loading import Loaded
from core.cache.memory_tier import MemoryTier
from core.cache.policy import CachePolicy
from core.cache.redis_tier import RedisTier
from core.cache.shelving import Shelving
from core.cache.tags import EVERYTHING, Tags, family_tag
from core.errors import DependencyError

log = logging.getLogger(__name__)


class Changes:
    """Bound to one event loop; implements the backplane's Listener."""

    def __init__(
        self,
        *,
        memory: MemoryTier,
        redis: RedisTier,
        guard: Guard,
        shelving: Shelving,
        tags: Tags,
        recent: RecentChanges,
        outbox: Outbox,
        flights: Flights[Loaded | None],
        insight: Insight,
        policy: CachePolicy,
    ) -> None:
        self._memory = memory
        self._redis = redis
        self._guard = guard
        self._shelving = shelving
        self._tags = tags
        self._recent = recent
        self._outbox = outbox
        self._flights = flights
        self._insight = insight
        self._policy = policy

    async def write(self, key: str, stored: Stored, tags: Sequence[str]) -> None:
        """Put a value into both tiers; loads and reads that began before do not replace it."""
        mark = self._recent.mark()
        self._recent.key_changed(key, stored.version)
        self._flights.forget(key)
        self._memory.drop(key)
        life = stored.expires_at - stored.stored_at + self._policy.stale_seconds
        entry = self._shelving.entry(key, stored, tuple(tags))
        try:
            await self._guard.run(self._redis.write(key, stored, life))
            self._outbox.discard(key)
        except DependencyError:
            self._outbox.add_key(key)
            self._shelving.shorten(entry)
        if self._shelving.put(entry, mark):
            self._insight.kept(key, entry.expires_at)

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove keys from both tiers of every process."""
        for key in keys:
            self._drop(key)
        try:
            await self._guard.run(self._redis.delete(keys))
        except DependencyError:
            for key in keys:
                self._outbox.add_key(key)
        # What was read from Redis meanwhile may have come before the removal.
        for key in keys:
            self._drop(key)

    async def invalidate(self, tag: str) -> None:
        """Give a tag a new generation: every value that carries it is gone."""
        self._drop_tag(tag, 0)
        try:
            generation = await self._guard.run(self._redis.renew_tag(tag))
        except DependencyError:
            self._outbox.add_tag(tag)
            generation = 0
        self._drop_tag(tag, generation)

    async def replay(self) -> None:
        """Send what did not reach Redis."""
        if len(self._outbox):
            try:
                await self._guard.run(self._outbox.replay(self._redis))
            except DependencyError as error:
                log.info("outbox_waits error=%r", str(error))

    def key_changed(self, key: str, version: int) -> None:
        """The bus: a key has this version now; 0: it is gone."""
        entry = self._memory.find(key)
        if entry is not None and version and entry.version == version:
            return  # The echo of this process.
        self._recent.key_changed(key, version)
        self._flights.forget(key)
        self._memory.drop(key)
        if not version:
            self._insight.removed(key)

    def tag_changed(self, tag: str, generation: int) -> None:
        """The bus: a tag has this generation now."""
        if not self._tags.has(tag, generation):  # Else it is the echo of this process.
            self._drop_tag(tag, generation)

    def link_lost(self, reason: str) -> None:
        """No other process can be heard: nothing that memory holds is certain any more."""
        log.warning("cache_link_lost reason=%r", reason)
        self._set_linked(False)

    def link_found(self) -> None:
        """Changes are heard again; those of the time between are not known."""
        log.info("cache_link_found")
        self._set_linked(True)

    def _set_linked(self, linked: bool) -> None:
        self._recent.everything_changed()
        self._memory.expire_all()
        self._tags.forget_all()
        self._tags.linked = self._shelving.linked = linked

    def _drop(self, key: str) -> None:
        self._recent.key_changed(key, 0)
        self._flights.forget(key)
        self._memory.drop(key)
        self._insight.removed(key)

    def _drop_tag(self, tag: str, generation: int) -> None:
        """0: the new generation is not known."""
        self._recent.tag_changed(tag, generation)
        self._tags.changed(tag, generation)
        if not tag.startswith(EVERYTHING):
            self._flights.forget_tag(tag)
            self._memory.drop_tag(tag)
            return
        # Every value carries these two, so they have no index: it would be as large as what it finds.
        self._flights.forget_all()
        for key, entry in list(self._memory.entries.items()):
            if tag in (EVERYTHING, family_tag(entry.family)):
                self._memory.drop(key)
