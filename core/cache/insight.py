"""Insight: what the windows show of the cache: reads by tier, misses by reason, time saved, the hottest and most missed keys.

Owns the log of hits, one append each, and its folding on the recorder's thread. Refuses averages since the start.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import repeat, starmap
from operator import attrgetter
from typing import NamedTuple, TypeVar

from core.cache.entry import ABSENT, Absent, Entry, Stored
from core.cache.families import family_of
from core.cache.read import CacheRead, Reason
from core.cache.redis_tier import Gain
from core.ports import Record

T = TypeVar("T")

_VALUE, _LOAD_SECONDS, _RUN = attrgetter("value"), attrgetter("load_seconds"), attrgetter("run")  # Of a Stored.

SAMPLE_MASK = 15  # The first hit of a second is timed, and each 16th after it.
LOG_MAX = 1 << 20  # Hits between two folds; 8 MB, reached only when nothing folds.
SLOT_SECONDS, SLOTS = 600.0, 6  # The hottest and the most missed keys of the last hour.
SLOT_KEYS = 4_000  # Per slot; beyond it only the most frequent half is kept (lossy counting).
FATES_MAX = 50_000  # Keys whose expiry is remembered, to tell why they are missed.
REMOVED = -1.0
PAID_FAMILIES = frozenset({"lead_analysis", "property_description"})  # Claude's: the promised hit rate leaves them out.


@dataclass(frozen=True, slots=True)
class KeyCount:
    """How often a key was read, or missed, in the last hour, and what its loads took together."""

    key: str
    count: int
    load_seconds: float = 0.0


class Found(NamedTuple):
    """What one round trip to Redis found: the keys, what the load of each had taken, the absences, and its seconds."""

    keys: list[str]
    loads: tuple[float, ...]
    negatives: list[str]
    seconds: float


class FamilyOf(dict[str, str]):
    """The family of each key, looked up once: a lookup costs a quarter of a split."""

    def __missing__(self, key: str) -> str:
        family = self[key] = family_of(key)
        return family


class KeyCounts:
    """Counts by key in slots of ten minutes; bounded."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._slots: deque[tuple[float, dict[str, list[float]]]] = deque(maxlen=SLOTS)

    def add(self, key: str, count: int, seconds: float = 0.0) -> None:
        """Count a key."""
        slot = self._slot()
        found = slot.get(key)
        if found is None:
            if len(slot) >= SLOT_KEYS:
                _halve(slot)
            slot[key] = [count, seconds]
        else:
            found[0] += count
            found[1] += seconds

    def top(self, limit: int) -> list[KeyCount]:
        """The most frequent keys of the last hour."""
        self._slot()
        sums: dict[str, list[float]] = defaultdict(lambda: [0, 0.0])
        for _, slot in self._slots:
            for key, (count, seconds) in slot.items():
                sums[key][0] += count
                sums[key][1] += seconds
        ranked = sorted(sums.items(), key=lambda item: (-item[1][0], -item[1][1], item[0]))[:limit]
        return [KeyCount(key, int(count), seconds) for key, (count, seconds) in ranked]

    def _slot(self) -> dict[str, list[float]]:
        now = self._clock()
        while self._slots and self._slots[0][0] <= now - SLOTS * SLOT_SECONDS:
            self._slots.popleft()
        if not self._slots or self._slots[-1][0] <= now - SLOT_SECONDS:
            self._slots.append((now, {}))
        return self._slots[-1][1]


class Insight:
    """Counts reads; `hits` is appended to by every memory hit, the rest is called off the short path."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self.hits: deque[Entry] = deque(maxlen=LOG_MAX)
        self.samples: deque[tuple[str, float]] = deque(maxlen=LOG_MAX >> 4)
        self._found: deque[Found] = deque(maxlen=LOG_MAX >> 4)
        self._lock = threading.Lock()
        self._hot = KeyCounts()
        self._missed = KeyCounts()
        self._gains: dict[str, Gain] = {}
        self._fates: dict[str, float] = {}

    def answered(self, key: str, read: CacheRead, seconds: float, value: Entry | None = None) -> None:
        """Count one read that memory's short path did not answer; `value` is what was read or loaded."""
        family = family_of(key)
        record = self._record
        match read.outcome:
            case "hit":
                record.count("cache_hits", 1, (family, read.tier))
            case "negative":
                record.count("cache_negatives", 1, (family,))
            case "miss":
                record.count("cache_misses", 1, (family, read.reason))
            case "stale":
                record.count("cache_stale", 1, (family, read.reason))
            case "error":
                record.count("cache_errors", 1, (family,))
        if read.outcome in ("hit", "negative", "miss"):
            self._judged(family, "miss" if read.outcome == "miss" else "hit", 1)
        if read.tier == "memory" and read.outcome != "stale":
            record.record("cache_read_seconds", seconds, (family, "memory"))
        with self._lock:
            if read.outcome == "miss":
                self._missed.add(key, 1, 0.0 if value is None else value.load_seconds)
            elif value is not None and read.outcome == "hit":
                self._count_hit(value, 1)
        if value is not None and read.outcome == "hit":
            record.record("cache_saved_seconds", value.load_seconds, (family,))

    def found_in_redis(self, found: Mapping[str, Stored], seconds: float) -> None:
        """Note what one round trip found in Redis, and what it took; it is counted at the next fold."""
        negatives: list[str] = []
        if Absent in set(map(type, map(_VALUE, found.values()))):
            negatives = [key for key, stored in found.items() if stored.value is ABSENT]
            found = {key: stored for key, stored in found.items() if stored.value is not ABSENT}
        self._found.append(Found(list(found), tuple(map(_LOAD_SECONDS, found.values())), negatives, seconds))
        if any(map(_RUN, found.values())):
            with self._lock:
                for stored in found.values():
                    if stored.run:
                        self._gain(stored.run, 1, stored.load_seconds)

    def loaded(self, family: str, seconds: float) -> None:
        """Count one load that the loader answered."""
        self._record.record("cache_load_seconds", seconds, (family,))

    def load_failed(self, family: str) -> None:
        """Count one load that ended in an error."""
        self._record.count("cache_load_errors", 1, (family,))

    def kept(self, key: str, expires_at: float) -> None:
        """Remember until when a key was to live, in monotonic seconds."""
        fates = self._fates
        fates.pop(key, None)
        if len(fates) >= FATES_MAX:
            del fates[next(iter(fates))]
        fates[key] = expires_at

    def removed(self, key: str) -> None:
        """Remember that a key was deleted."""
        if key in self._fates:
            self._fates[key] = REMOVED

    def absence(self, key: str) -> Reason:
        """Why a key that is in no tier is missed: cold, invalidated, expired, or evicted before its time."""
        expires_at = self._fates.get(key)
        if expires_at is None:
            return "cold"
        if expires_at == REMOVED:
            return "invalidated"
        return "expired" if expires_at <= time.monotonic() else "evicted"

    def fold(self) -> None:
        """Count the hits that were logged; called once a second, from any thread."""
        hits = Counter(_taken(self.hits))
        by_family: Counter[str] = Counter()
        saved: dict[str, float] = defaultdict(float)
        with self._lock:
            for entry, count in hits.items():
                by_family[entry.family] += count
                saved[entry.family] += count * entry.load_seconds
                self._count_hit(entry, count)
        for family, count in by_family.items():
            self._record.count("cache_hits", count, (family, "memory"))
            self._judged(family, "hit", count)
            self._record.record("cache_saved_seconds", saved[family], (family,))
        untimed = hits.total()
        for family, seconds in _taken(self.samples):
            # Each stands for the hits up to the next one, so that memory and Redis weigh in a quantile what they answered.
            for _ in range(min(untimed, SAMPLE_MASK + 1)):
                self._record.record("cache_read_seconds", seconds, (family, "memory"))
            untimed = max(0, untimed - SAMPLE_MASK - 1)
        self._fold_found()

    def _fold_found(self) -> None:
        counts: Counter[str] = Counter()
        negatives: Counter[str] = Counter()
        load_seconds: dict[str, float] = {}
        family = FamilyOf()
        for found in _taken(self._found):
            counts.update(found.keys)
            load_seconds.update(zip(found.keys, found.loads, strict=True))
            negatives.update(map(family_of, found.negatives))
            # A round trip took each of its keys the same time.
            for name, many in Counter(map(family.__getitem__, found.keys)).items():
                record = self._record.handle("cache_read_seconds", (name, "redis")).record
                for _ in range(many):
                    record(found.seconds)
        hits: Counter[str] = Counter()
        saved: dict[str, float] = defaultdict(float)
        with self._lock:
            for key, count in counts.items():
                hits[family[key]] += count
                saved[family[key]] += count * load_seconds[key]
                self._hot.add(key, count)
        for name, count in negatives.items():
            self._record.count("cache_negatives", count, (name,))
            self._judged(name, "hit", count)
        for name, count in hits.items():
            self._record.count("cache_hits", count, (name, "redis"))
            self._judged(name, "hit", count)
            self._record.record("cache_saved_seconds", saved[name], (name,))

    def hottest(self, limit: int = 20) -> list[KeyCount]:
        """The keys read most in the last hour."""
        with self._lock:
            return self._hot.top(limit)

    def most_missed(self, limit: int = 20) -> list[KeyCount]:
        """The keys missed most in the last hour."""
        with self._lock:
            return self._missed.top(limit)

    def take_gains(self) -> dict[str, Gain]:
        """What entries of warm runs served since this was last asked, by run."""
        with self._lock:
            gains, self._gains = self._gains, {}
        return gains

    def give_back(self, gains: dict[str, Gain]) -> None:
        """Gains that could not be stored count again."""
        with self._lock:
            for run, gain in gains.items():
                self._gain(run, gain.reads, gain.saved_seconds)

    def _judged(self, family: str, outcome: str, count: int) -> None:
        """Count towards the hit rate, which is promised for all families but the paid ones."""
        self._record.count("cache_answers", count, ("paid" if family in PAID_FAMILIES else "promised", outcome))

    def _count_hit(self, entry: Entry, count: int) -> None:
        self._hot.add(entry.key, count)
        if entry.run:
            self._gain(entry.run, count, count * entry.load_seconds)

    def _gain(self, run: str, reads: float, seconds: float) -> None:
        before = self._gains.get(run, Gain(0, 0.0))
        self._gains[run] = Gain(before.reads + reads, before.saved_seconds + seconds)


def _taken(log: deque[T]) -> list[T]:
    """What is in the log, taken out of it: no step runs Python, so appends of other threads come before or after."""
    return list(starmap(log.popleft, repeat((), len(log))))


def _halve(slot: dict[str, list[float]]) -> None:
    kept = sorted(slot.items(), key=lambda item: -item[1][0])[: SLOT_KEYS // 2]
    slot.clear()
    slot.update(kept)
