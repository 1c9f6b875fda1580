"""Shelving: how a value of Redis' time becomes an entry of this process' memory, and whether it may.

Owns the conversion between the two clocks and the three reasons not to keep a value: it was changed meanwhile, a change of it
has not reached Redis yet, or no other process can be heard.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

from core.cache.coherence.outbox import Outbox
from core.cache.coherence.recent import RecentChanges
from core.cache.entry import ABSENT, Entry, Stored
from core.cache.families import family_of
from core.cache.memory_tier import MemoryTier
from core.cache.policy import POLICIES, CachePolicy, Priority, early_seconds
from core.cache.tags import own_tags, tags_of
from core.cache.values import hold

SEEN_MAX = 1 << 15  # Keys read once from Redis that are remembered: about 4 MB.


class Clock(Protocol):
    """Redis' clock."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...


class Shelving:
    """Bound to one event loop; `linked` says whether changes of other processes are heard."""

    def __init__(self, memory: MemoryTier, recent: RecentChanges, outbox: Outbox, policy: CachePolicy, clock: Clock) -> None:
        self._memory = memory
        self._recent = recent
        self._outbox = outbox
        self._policy = policy
        self._clock = clock
        self.linked = False
        self._seen: set[str] = set()

    def now(self) -> float:
        """Redis' time, in seconds since the epoch."""
        return self._clock.now()

    def fresh(self, stored: Stored) -> bool:
        """Whether its logical life goes on."""
        return stored.expires_at > self._clock.now()

    def believed(self, key: str, stored: Stored) -> bool:
        """False while a change of the key, or of a tag of it, has not reached Redis."""
        outbox = self._outbox
        if not len(outbox):
            return True
        return not (outbox.holds_key(key) or any(outbox.holds_tag(tag) for tag, _ in stored.generations))

    def doubtful(self, found: Mapping[str, Stored]) -> set[str]:
        """Those that are not believed."""
        if not len(self._outbox):
            return set()
        return {key for key, stored in found.items() if not self.believed(key, stored)}

    def offer(self, found: Mapping[str, Stored], mark: int) -> None:
        """Let memory have values that were read from Redis: it takes those that are read for the second time lately.

        Keeping costs several times what reading does, and most keys of a scan are never read again (the doorkeeper of TinyLFU:
        Einziger, Friedman, Manes, ACM Transactions on Storage 2017).
        """
        seen = self._seen
        again = seen.intersection(found)
        if len(seen) > SEEN_MAX:
            seen.clear()
        seen.update(found)
        for key in again:
            seen.discard(key)
            stored = found[key]
            self.put(self.entry(key, stored, own_tags(stored)), mark)

    def due(self, stored: Stored) -> bool:
        """Whether it is time to renew a value that memory does not hold."""
        early = early_seconds(stored.load_seconds, _priority(stored))
        return stored.value is not ABSENT and self._clock.now() >= stored.expires_at - early

    def entry(self, key: str, stored: Stored, tags: tuple[str, ...]) -> Entry:
        """The value with times of this process: it never outlives what Redis holds."""
        now, redis_now = time.monotonic(), self._clock.now()
        policy = POLICIES[priority := _priority(stored)]
        expires_at = now + (stored.expires_at - redis_now) * policy.memory_share
        early = early_seconds(stored.load_seconds, priority)
        absent = stored.value is ABSENT
        held = hold(stored.value)
        return Entry(
            key=key,
            family=family_of(key),
            value=held.value,
            copy=held.copy,
            # An absent one is never answered by the short path of a hit.
            refresh_at=0.0 if absent else expires_at - early,
            expires_at=expires_at,
            gone_at=expires_at + (0.0 if absent else self._policy.stale_seconds),
            stored_at=now - (redis_now - stored.stored_at),
            size_bytes=held.size_bytes,
            version=stored.version,
            tags=tags,
            generations=stored.generations or tuple((tag, 0) for tag in tags_of(key, tags)),
            load_seconds=stored.load_seconds,
            run=stored.run,
            frequency=policy.first_frequency,
        )

    def old(self, key: str, stored: Stored) -> Entry | None:
        """The entry of an old value, to be served in place of a failed load; an absence is never served so."""
        return None if stored.value is ABSENT else self.entry(key, stored, own_tags(stored))

    def shorten(self, entry: Entry) -> None:
        """Let an entry that nobody can invalidate live for a moment only."""
        entry.expires_at = min(entry.expires_at, time.monotonic() + self._policy.unverified_seconds)
        entry.refresh_at = min(entry.refresh_at, entry.expires_at)

    def put(self, entry: Entry, mark: int) -> bool:
        """Keep an entry that was read or loaded since `mark`; False when it was changed meanwhile."""
        if not self._recent.may_store(mark, entry.key, entry.version, entry.generations):
            return False
        if not self.linked:
            self.shorten(entry)
        self._memory.put(entry)
        return True


def _priority(stored: Stored) -> Priority:
    return stored.priority if stored.priority in POLICIES else "normal"
