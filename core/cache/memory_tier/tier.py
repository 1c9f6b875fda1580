"""MemoryTier: the values that this process holds, bounded by bytes and entries.

Owns which entry stays and which goes: S3-FIFO (Yang and others, "FIFO queues are all you need for cache eviction", SOSP 2023).
Refuses an entry that would take a tenth of the memory.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from core.cache.entry import MOST_FREQUENCY, Entry, copied
from core.cache.families import family_of
from core.cache.memory_tier.deadlines import Deadlines
from core.cache.memory_tier.ghost import Ghost
from core.cache.memory_tier.index import EntryIndex, FamilySize, cost_bytes
from core.cache.values import hold
from core.errors import UsageError

SMALL_SHARE = 0.1  # Of the memory, for keys seen once lately: the paper's.
READMIT_SHARE = 0.2  # Of the number of entries held; the paper's 0.9 costs a point on NASA's trace, decision 0009.
LARGEST_SHARE = 0.1  # Of the memory, for one entry.
LIMIT_STEP_BYTES = 1 << 18  # 43 evictions of 6 KiB, measured at 5.7 us each.
SWEEP_AT_PUT = 4  # Entries whose time is over, dropped at each put: more than one, so that they cannot pile up.


@dataclass(frozen=True, slots=True)
class MemoryStats:
    """What is held now, and what was evicted, refused and missed since the start.

    `ghost_hits`: fills of a key that was evicted lately, which about twice the memory would have answered.
    """

    entries: int
    size_bytes: int
    max_entries: int
    max_bytes: int
    evictions: int
    refused: int
    ghost_hits: int


class MemoryTier:
    """A bounded store of entries; reads take no lock, writes take one, from any thread.

    `entries` is for readers on the hot path: they look at the times of what they find, and raise its `frequency` up to 3.
    Of an entry that was put, nothing else but `refresh_at` and `expires_at` may change.
    """

    def __init__(self, *, max_entries: int, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        if max_entries < 1 or max_bytes < 1:
            raise UsageError("A memory tier needs room for at least one entry and one byte.")
        self.entries: dict[str, Entry] = {}
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._small = _Queue()
        self._main = _Queue()
        self._ghost = Ghost()  # As many as entries: what twice the memory would hold.
        self._readmit = Ghost()  # The newest of them, which go to the main queue when they come back.
        self._deadlines = Deadlines()
        self._index = EntryIndex()
        self._evictions = self._refused = self._ghost_hits = 0
        self._limited = object()  # Another one for each call that sets the limit.

    def __len__(self) -> int:
        return len(self.entries)

    def get(self, key: str, default: Any = None) -> Any:
        """The value, safe to change; the default when there is none or its time is over."""
        entry = self.entries.get(key)
        if entry is None or self._clock() >= entry.expires_at:
            return default
        if entry.frequency < MOST_FREQUENCY:
            entry.frequency += 1
        return copied(entry)

    def set(self, key: str, value: Any, ttl_seconds: float = 300.0) -> None:
        """Hold a value for so long; raises CacheTypeError, and UsageError for a time that is none."""
        if not 0 < ttl_seconds < math.inf:
            raise UsageError(f"A value cannot be held for {ttl_seconds} seconds.")
        held, now = hold(value), self._clock()
        ends = now + ttl_seconds
        self.put(
            Entry(
                key=key,
                family=family_of(key),
                value=held.value,
                copy=held.copy,
                refresh_at=ends,
                expires_at=ends,
                gone_at=ends,
                stored_at=now,
                size_bytes=held.size_bytes,
            )
        )

    def delete(self, key: str) -> None:
        """Forget a key, if it is held."""
        self.drop(key)

    def find(self, key: str) -> Entry | None:
        """The entry of a key, also one that is expired but not yet gone."""
        entry = self.entries.get(key)
        return None if entry is None or self._clock() >= entry.gone_at else entry

    def put(self, entry: Entry) -> None:
        """Hold this entry in place of any other of its key, or refuse it and forget the key; others may be evicted."""
        with self._lock:
            now = self._clock()
            for key in self._deadlines.due(now, SWEEP_AT_PUT):
                self._unlink(self.entries[key])
            old = self.entries.get(entry.key)
            if cost_bytes(entry) > self._max_bytes * LARGEST_SHARE:
                self._refused += 1
                if old is not None:
                    self._unlink(old)
            elif old is None:
                self._admit(entry, now)
            elif old is not entry:
                self._replace(old, entry, now)

    def drop(self, key: str) -> bool:
        """Forget a key; whether it was held."""
        with self._lock:
            entry = self.entries.get(key)
            if entry is not None:
                self._unlink(entry)
            return entry is not None

    def drop_tag(self, tag: str) -> int:
        """Forget every entry with this tag; how many they were."""
        with self._lock:
            keys = self._index.keys(tag)
            for key in keys:
                self._unlink(self.entries[key])
            return len(keys)

    def expire_all(self) -> None:
        """Make every entry expired; it stays as reserve for loaders that fail."""
        with self._lock:
            now = self._clock()
            for entry in self.entries.values():
                entry.refresh_at = min(entry.refresh_at, now)
                entry.expires_at = min(entry.expires_at, now)

    def limit_to(self, max_bytes: int) -> int:
        """Hold at most so many bytes from now on; how many entries went. In small steps, so that no writer waits for long.

        Another limit given meanwhile has the last word: this call ends then.
        """
        if max_bytes < 1:
            raise UsageError("A memory tier needs room for at least one byte.")
        turn = self._limited = object()
        before = self._evictions
        while True:
            with self._lock:
                if self._limited is not turn:
                    return self._evictions - before
                held_bytes = self._small.size_bytes + self._main.size_bytes
                step = max(max_bytes, held_bytes - LIMIT_STEP_BYTES)
                self._max_bytes = step
                self._make_room(0, 0, self._clock())
                if step == max_bytes:
                    return self._evictions - before
            time.sleep(0)  # Else this thread takes the lock again before one that waits for it is woken.

    def clear(self) -> None:
        """Forget everything, also what was evicted."""
        with self._lock:
            for part in (self.entries, self._small, self._main, self._ghost, self._readmit, self._deadlines, self._index):
                part.clear()

    def evicted_recently(self, key: str) -> bool:
        """Whether the key was evicted lately, before its time was over."""
        return self._ghost.knows(key, self._clock())

    def stats(self) -> MemoryStats:
        """Entries and bytes now, their limits, and counts since the start."""
        with self._lock:
            return MemoryStats(
                entries=len(self.entries),
                size_bytes=self._small.size_bytes + self._main.size_bytes,
                max_entries=self._max_entries,
                max_bytes=self._max_bytes,
                evictions=self._evictions,
                refused=self._refused,
                ghost_hits=self._ghost_hits,
            )

    def family_sizes(self) -> Mapping[str, FamilySize]:
        """Entries and bytes of each family that holds any."""
        with self._lock:
            return self._index.family_sizes()

    def _admit(self, entry: Entry, now: float) -> None:
        """Hold a key that is not held: in the main queue if it was evicted lately, else on probation in the small one."""
        self._make_room(1, cost_bytes(entry), now)
        useful_until = self._ghost.recall(entry.key)
        self._ghost_hits += useful_until is not None and useful_until > now
        entry.in_main = self._readmit.recall(entry.key) is not None
        self._queue(entry).push(entry)
        self._link(entry)

    def _replace(self, old: Entry, entry: Entry, now: float) -> None:
        """Hold another value of a key, at its place in the queue."""
        entry.frequency, entry.in_main = max(entry.frequency, old.frequency), old.in_main
        self._uncount(old)
        self._queue(entry).replace(old, entry)
        self._link(entry)  # Takes the old one's place in one step: readers never see the key missing.
        self._make_room(0, 0, now)

    def _make_room(self, entries: int, size_bytes: int, now: float) -> None:
        while len(self.entries) + entries > self._max_entries:
            self._evict(len(self._small) >= int(self._max_entries * SMALL_SHARE), now)
        while self._small.size_bytes + self._main.size_bytes + size_bytes > self._max_bytes:
            self._evict(self._small.size_bytes >= self._max_bytes * SMALL_SHARE, now)

    def _evict(self, small_is_full: bool, now: float) -> None:
        """Let go the head of one queue, or give it another round in the main one if it was read."""
        small = (small_is_full or not len(self._main)) and len(self._small) > 0
        entry = (self._small if small else self._main).pop()
        if entry.frequency and now < entry.gone_at:
            entry.frequency = 0 if small else entry.frequency - 1
            entry.in_main = True
            self._main.push(entry)
            return
        if now < entry.gone_at:
            self._evictions += 1
            self._ghost.remember(entry.key, entry.expires_at, len(self.entries))
            self._readmit.remember(entry.key, entry.expires_at, max(1, int(len(self.entries) * READMIT_SHARE)))
        self._uncount(entry)
        del self.entries[entry.key]

    def _queue(self, entry: Entry) -> _Queue:
        return self._main if entry.in_main else self._small

    def _link(self, entry: Entry) -> None:
        self._index.add(entry)
        self._deadlines.add(entry.key, entry.gone_at)
        self.entries[entry.key] = entry

    def _unlink(self, entry: Entry) -> None:
        self._queue(entry).remove(entry)
        self._uncount(entry)
        del self.entries[entry.key]

    def _uncount(self, entry: Entry) -> None:
        self._index.remove(entry)
        self._deadlines.remove(entry.key, entry.gone_at)


class _Queue:
    """Entries first in, first out, that can also be taken out of the middle; the OrderedDict does both in O(1)."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def push(self, entry: Entry) -> None:
        self._entries[entry.key] = entry
        self.size_bytes += cost_bytes(entry)

    def pop(self) -> Entry:
        entry = self._entries.popitem(last=False)[1]
        self.size_bytes -= cost_bytes(entry)
        return entry

    def replace(self, old: Entry, entry: Entry) -> None:
        self._entries[entry.key] = entry
        self.size_bytes += cost_bytes(entry) - cost_bytes(old)

    def remove(self, entry: Entry) -> None:
        del self._entries[entry.key]
        self.size_bytes -= cost_bytes(entry)

    def clear(self) -> None:
        self._entries.clear()
        self.size_bytes = 0
