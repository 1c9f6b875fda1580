"""TieredCache: answers from memory, then Redis, then the loader, and never lets Redis break a read.

Owns the interface and the short path of a hit in memory. An outage of Redis is no error of a read; an error is never stored.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from core.cache.entry import ABSENT, MOST_FREQUENCY, Entry, Stored, copied
from core.cache.families import Families, split
from core.cache.insight import SAMPLE_MASK
from core.cache.loading import Load, new_number
from core.cache.many import ManyLoader
from core.cache.parts import CacheParts, CacheStats
from core.cache.policy import Priority, life_seconds
from core.cache.read import CacheRead
from core.cache.redis_tier import Gain
from core.cache.tags import EVERYTHING, family_tag, tags_of
from core.errors import DependencyError

monotonic = time.monotonic
Loader = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Warmed:
    """What warming one key did; `stored` is False when it changed while it was loaded, or Redis took nothing."""

    load_seconds: float
    life_seconds: float
    stored: bool
    size_bytes: int = 0


class TieredCache:
    """Bound to the loop that opened it; only `peek` and `stats` may be called from any thread."""

    def __init__(self, parts: CacheParts, families: Families | None = None) -> None:
        self.families = families or Families()
        self.insight = parts.insight
        self._parts = parts
        self._find = parts.memory.entries.get
        self._hits = parts.insight.hits
        self._policy = parts.policy
        self._read, self._get, self._missed = parts.reading.read, parts.reading.get, parts.reading.missed
        self._look = parts.looking.one

    async def open(self) -> None:
        """Start; waits for no server."""
        await self._parts.open()

    async def close(self) -> None:
        """End the loads under way and the link to other processes."""
        await self._parts.close()

    def stats(self) -> CacheStats:
        """The cache now; asks no server."""
        return self._parts.stats()

    async def get(self, key: str, default: Any = None) -> Any:
        """The value, or `default` on a miss and while Redis is away; raises UsageError for what is no key."""
        entry = self._find(key)
        if entry is not None and (now := monotonic()) < entry.refresh_at:
            # What follows is `_hit`, written out: a call costs a fifth of the whole read.
            self._hits.append(entry)
            if entry.frequency < MOST_FREQUENCY:
                entry.frequency += 1
            if len(self._hits) & SAMPLE_MASK == 1:
                self.insight.samples.append((entry.family, monotonic() - now))
            return entry.value if entry.copy is None else entry.copy(entry.value)
        if entry is not None:
            return await self._get(key, default)
        found = await self._look(key)
        if isinstance(found, Stored):
            return default if found.value is ABSENT else found.value
        return _value(self._missed(key, found.reason, monotonic()), default)

    async def read(self, key: str, loader: Loader | None = None, **how: Any) -> CacheRead:
        """As `get`, or `get_or_load` when there is a loader, and says where the value came from."""
        return self.peek(key) or await self._read(key, self._load(loader, **how) if loader else None)

    def peek(self, key: str) -> CacheRead | None:
        """What memory alone answers, or None; from any thread."""
        entry = self._find(key)
        if entry is None or (now := monotonic()) >= entry.refresh_at:
            return None
        return CacheRead(self._hit(entry, now), "hit", "memory", "", now - entry.stored_at)

    async def get_or_load(
        self,
        key: str,
        loader: Loader,
        *,
        ttl_seconds: float = 300,
        priority: Priority = "normal",
        tags: tuple[str, ...] = (),
        negative_ttl_seconds: float | None = None,
        paid: bool = False,
        timeout_seconds: float | None = None,
        default: Any = None,
    ) -> Any:
        """The value; loaded by at most one caller at a time, which goes on when that caller leaves.

        A loader that returns ABSENT makes the key negative: `default` is answered for `negative_ttl_seconds` without asking
        again. The loader's error is raised to every waiting caller, unless an old value can be served in place. A `paid`
        load ends with its last waiter, is never begun ahead of time, and an old value takes its place only when it fails.
        """
        entry = self._find(key)
        if entry is not None and (now := monotonic()) < entry.refresh_at:
            return self._hit(entry, now)
        load = self._load(
            loader,
            ttl_seconds=ttl_seconds,
            priority=priority,
            tags=tags,
            negative_ttl_seconds=negative_ttl_seconds,
            paid=paid,
            timeout_seconds=timeout_seconds,
        )
        return _value(await self._read(key, load), default)

    async def fetch(self, key: str, default: Any = None) -> Any:
        """The value of a key whose family knows how it is loaded."""
        entry = self._find(key)
        if entry is not None and (now := monotonic()) < entry.refresh_at:
            return self._hit(entry, now)
        return _value(await self._read(key, self.load_of(key)), default)

    async def fetch_read(self, key: str) -> CacheRead:
        """As `fetch`, and says where the value came from; a negative one has the value ABSENT."""
        return self.peek(key) or await self._read(key, self.load_of(key))

    async def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values of those keys that are found; None is a value."""
        return await self._parts.many.get(keys)

    async def get_or_load_many(
        self,
        keys: Iterable[str],
        loader: ManyLoader,
        *,
        ttl_seconds: float = 300,
        priority: Priority = "normal",
        tags: tuple[str, ...] = (),
        negative_ttl_seconds: float | None = None,
    ) -> dict[str, Any]:
        """The values of all keys; the loader gets those that are missing, and a key it leaves out is absent."""

        def load_of(load_one: Loader) -> Load:
            return self._load(
                load_one, ttl_seconds=ttl_seconds, priority=priority, tags=tags, negative_ttl_seconds=negative_ttl_seconds
            )

        return await self._parts.many.get_or_load(keys, loader, load_of)

    async def set(
        self, key: str, value: Any, ttl_seconds: float = 300, priority: Priority = "normal", tags: tuple[str, ...] = ()
    ) -> None:
        """Put a value into both tiers and tell the other processes; raises CacheTypeError for what is no JSON or bytes."""
        split(key)
        try:
            generations = await self._parts.tags.generations(tags_of(key, tags))
        except DependencyError:
            generations = ()  # Redis is away: the value will not reach it either.
        now = self._parts.shelving.now()
        expires_at = now + life_seconds(ttl_seconds, priority)
        stored = Stored(
            value=value, stored_at=now, expires_at=expires_at, version=new_number(), generations=generations, priority=priority
        )
        await self._parts.changes.write(key, stored, tags)

    async def delete(self, *keys: str) -> None:
        """Remove keys from both tiers of every process."""
        await self._parts.changes.delete(keys)

    async def invalidate(self, tag: str) -> None:
        """Remove everything that carries this tag, in one step however many values that are."""
        await self._parts.changes.invalidate(tag)

    async def invalidate_family(self, family: str) -> None:
        """Remove every value of a family."""
        await self._parts.changes.invalidate(family_tag(family))

    async def invalidate_everything(self) -> None:
        """Remove every value."""
        await self._parts.changes.invalidate(EVERYTHING)

    async def warm(
        self, key: str, *, ttl_seconds: float | None = None, priority: Priority | None = None, run: str = ""
    ) -> Warmed:
        """Load a key and store it in Redis only, whatever is there; memory takes it at its first read."""
        load = self.load_of(key, ttl_seconds=ttl_seconds, priority=priority, run=run, in_memory=False)
        loaded = await self._parts.loading.run(key, load, refresh=True)
        if loaded is None:
            return Warmed(0.0, 0.0, False)
        entry = loaded.entry
        return Warmed(entry.load_seconds, entry.expires_at - entry.stored_at, loaded.stored, entry.size_bytes)

    async def refresh(self, key: str) -> None:
        """Load a key of a family anew, in both tiers; the old value is served until then."""
        await self._parts.loading.run(key, self.load_of(key), refresh=True)

    async def remaining_seconds(self, keys: Iterable[str]) -> dict[str, float]:
        """The life that each key has left in Redis; keys that are absent or invalidated are left out."""
        found = await self._parts.guard.run(self._parts.redis.get_many(list(keys)))
        invalid, now = await self._parts.tags.invalid_ones(found), self._parts.shelving.now()
        return {key: stored.expires_at - now for key, stored in found.items() if stored.expires_at > now and key not in invalid}

    async def run_gain(self, run: str) -> Gain:
        """What the entries of one warm run bought so far, in all processes."""
        return await self._parts.run_gain(run)

    def load_of(
        self,
        key: str,
        *,
        ttl_seconds: float | None = None,
        priority: Priority | None = None,
        run: str = "",
        in_memory: bool = True,
    ) -> Load:
        """How a key of a known family is loaded; raises UsageError for another."""
        family, rest = self.families.of(key)
        return Load(
            call=partial(family.load, rest),
            ttl_seconds=ttl_seconds or family.ttl_seconds,
            negative_ttl_seconds=family.negative_ttl_seconds,
            priority=priority or family.priority,
            tags=family.tags(rest),
            run=run,
            in_memory=in_memory,
        )

    def _load(self, loader: Loader, *, negative_ttl_seconds: float | None = None, **how: Any) -> Load:
        how.setdefault("ttl_seconds", 300)
        if negative_ttl_seconds is None:
            negative_ttl_seconds = self._policy.negative_ttl_seconds
        return Load(call=loader, negative_ttl_seconds=negative_ttl_seconds, **how)

    def _hit(self, entry: Entry, now: float) -> Any:
        self._hits.append(entry)
        if entry.frequency < MOST_FREQUENCY:
            entry.frequency += 1
        if len(self._hits) & SAMPLE_MASK == 1:
            self.insight.samples.append((entry.family, monotonic() - now))
        return copied(entry)


def _value(read: CacheRead, default: Any) -> Any:
    return default if read.value is ABSENT else read.value
