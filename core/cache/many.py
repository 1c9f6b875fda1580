"""ManyReads: a batch of keys in as few round trips as one, and one call of the loader for those that are missing.

Owns the order memory, Redis, loader for a batch; each missing key takes part in single flight as if it were read alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any

from core.cache.coherence.recent import RecentChanges
from core.cache.entry import ABSENT, MOST_FREQUENCY, copied
from core.cache.families import split
from core.cache.insight import Insight
from core.cache.loading import Load
from core.cache.looking import Looking
from core.cache.memory_tier import MemoryTier
from core.cache.reading import Reading
from core.cache.shelving import Shelving

ManyLoader = Callable[[list[str]], Awaitable[Mapping[str, Any]]]
LoadOf = Callable[[Callable[[], Awaitable[Any]]], Load]


class ManyReads:
    """Bound to one event loop."""

    def __init__(
        self,
        *,
        memory: MemoryTier,
        looking: Looking,
        shelving: Shelving,
        recent: RecentChanges,
        reading: Reading,
        insight: Insight,
    ) -> None:
        self._memory = memory
        self._looking = looking
        self._shelving = shelving
        self._recent = recent
        self._reading = reading
        self._insight = insight

    async def get(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values of the keys that are found."""
        started = time.monotonic()
        found, missing = self._from_memory(keys, started)
        if missing:
            fresh, absent = await self._looking.many(missing)
            for key, why in absent.items():
                self._reading.missed(key, why.reason, started)
            found |= {key: stored.value for key, stored in fresh.items() if stored.value is not ABSENT}
        return found

    async def get_or_load(self, keys: Iterable[str], loader: ManyLoader, load_of: LoadOf) -> dict[str, Any]:
        """The values of all keys; those that the loader leaves out are absent."""
        started, mark = time.monotonic(), self._recent.mark()
        found, missing = self._from_memory(keys, started)
        if not missing:
            return found
        fresh, absent = await self._looking.many(missing)
        found |= {key: stored.value for key, stored in fresh.items() if stored.value is not ABSENT}
        batch, loads = Batch(loader), {}
        for key, (reason, stored) in absent.items():
            split(key)
            old = None if stored is None else self._shelving.old(key, stored)
            loads[key] = self._reading.load(key, load_of(partial(batch.value, key)), old, reason, mark, started)
        # Every load is waited for, so that none is left behind when one fails.
        reads = await asyncio.gather(*loads.values(), return_exceptions=True)
        for key, read in zip(loads, reads, strict=True):
            if isinstance(read, BaseException):
                raise read
            if read.value is not ABSENT:
                found[key] = read.value
        return found

    def _from_memory(self, keys: Iterable[str], now: float) -> tuple[dict[str, Any], list[str]]:
        found: dict[str, Any] = {}
        missing: list[str] = []
        find, hit = self._memory.entries.get, self._insight.hits.append
        for key in dict.fromkeys(keys):
            entry = find(key)
            if entry is None or now >= entry.expires_at:
                missing.append(key)
                continue
            hit(entry)
            if entry.frequency < MOST_FREQUENCY:
                entry.frequency += 1
            if entry.value is not ABSENT:
                found[key] = copied(entry)
        return found, missing


class Batch:
    """Calls of one loader, each for the keys that are wanted in the same turn of the loop."""

    def __init__(self, loader: ManyLoader) -> None:
        self._loader = loader
        self._wanted: list[str] = []
        self._answer: asyncio.Task[Mapping[str, Any]] | None = None

    async def value(self, key: str) -> Any:
        """The value of one key, or ABSENT when the loader leaves it out."""
        self._wanted.append(key)
        if self._answer is None:
            self._answer = asyncio.create_task(self._call(), name="cache batch load")
        answer = await asyncio.shield(self._answer)
        return answer.get(key, ABSENT)

    async def _call(self) -> Mapping[str, Any]:
        await asyncio.sleep(0)  # Leases that came in one round trip wake their loads in one turn.
        keys, self._wanted, self._answer = self._wanted, [], None
        return await self._loader(keys)
