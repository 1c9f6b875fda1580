"""CacheFigures: what the recorder knows of the cache in one window, by family and together.

Owns the arithmetic of a hit rate: answered without the loader, of what was answered as promised. What Redis or a loader failed
to answer, and old values in place of those, are told apart and are neither hits nor misses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from core.cache.families import Family
from core.cache.insight import PAID_FAMILIES
from core.cache.memory_tier.index import FamilySize
from core.monitor import MetricsSnapshot, Recorder, SeriesSnapshot

SPARK_POINTS = 30
MISS_REASONS = ("cold", "expired", "evicted", "invalidated")
NO_SIZE = FamilySize(0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """What was read in a window; misses by reason, errors and stale answers apart from both."""

    memory_hits: int = 0
    redis_hits: int = 0
    negatives: int = 0
    misses: Mapping[str, int] = field(default_factory=dict)
    stale: int = 0
    errors: int = 0
    load_errors: int = 0
    saved_seconds: float = 0.0

    @property
    def hits(self) -> int:
        """Answered without the loader, also by the knowledge that there is no value."""
        return self.memory_hits + self.redis_hits + self.negatives

    @property
    def missed(self) -> int:
        """Answered by the loader."""
        return sum(self.misses.values())

    @property
    def reads(self) -> int:
        """All of them, whatever came of it."""
        return self.hits + self.missed + self.stale + self.errors

    @property
    def hit_rate(self) -> float | None:
        """Hits of hits and misses, from 0 to 1; None when there was neither."""
        judged = self.hits + self.missed
        return self.hits / judged if judged else None

    def __add__(self, other: Reads) -> Reads:
        reasons = {**dict.fromkeys(self.misses, 0), **dict.fromkeys(other.misses, 0)}
        return Reads(
            memory_hits=self.memory_hits + other.memory_hits,
            redis_hits=self.redis_hits + other.redis_hits,
            negatives=self.negatives + other.negatives,
            misses={reason: self.misses.get(reason, 0) + other.misses.get(reason, 0) for reason in reasons},
            stale=self.stale + other.stale,
            errors=self.errors + other.errors,
            load_errors=self.load_errors + other.load_errors,
            saved_seconds=self.saved_seconds + other.saved_seconds,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyFigures:
    """One family in a window; `size` is what it takes of this process' memory now, `reads_over_time` the oldest first."""

    name: str
    title: str
    refreshable: bool
    paid: bool
    counts: Reads
    memory_read: SeriesSnapshot
    redis_read: SeriesSnapshot
    load: SeriesSnapshot
    size: FamilySize
    reads_over_time: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheFigures:
    """One window: the families that the promise is about together, the paid ones together, and each family."""

    window_seconds: int
    covered_seconds: int
    promised: Reads
    paid: Reads
    read: SeriesSnapshot
    evictions: int
    refused: int
    ghost_hits: int
    families: tuple[FamilyFigures, ...] = ()

    @property
    def ghost_share(self) -> float | None:
        """The part of what memory did not answer that twice the memory would have; None when it answered all."""
        everything = self.promised + self.paid
        passed_on = everything.redis_hits + everything.missed
        return min(1.0, self.ghost_hits / passed_on) if passed_on else None


def total_figures(monitor: Recorder, window_seconds: int) -> CacheFigures:
    """The figures of a window without those of each family."""
    snapshot = monitor.snapshot(window_seconds)
    return _totals(snapshot, _reads_by_family(snapshot))


def cache_figures(
    monitor: Recorder, window_seconds: int, known: Iterable[Family], sizes: Mapping[str, FamilySize]
) -> CacheFigures:
    """The figures of a window: each family that is known, then those that were read or are held all the same."""
    snapshot = monitor.snapshot(window_seconds)
    reads, titles = _reads_by_family(snapshot), {family.name: family.title for family in known}
    series = {(item.metric, item.labels): item for item in snapshot.series}

    def found(metric: str, *labels: str) -> SeriesSnapshot:
        return series.get((metric, labels)) or SeriesSnapshot(metric, labels, 0, 0.0)

    families = (
        FamilyFigures(
            name=name,
            title=titles.get(name, name.replace("_", " ").capitalize()),
            refreshable=name in titles,
            paid=name in PAID_FAMILIES,
            counts=reads.get(name, Reads()),
            memory_read=found("cache_read_seconds", name, "memory"),
            redis_read=found("cache_read_seconds", name, "redis"),
            load=found("cache_load_seconds", name),
            size=sizes.get(name, NO_SIZE),
            reads_over_time=_over_time(monitor, snapshot, name),
        )
        for name in dict.fromkeys((*titles, *sorted(reads), *sorted(sizes)))
    )
    return replace(_totals(snapshot, reads), families=tuple(families))


def _totals(snapshot: MetricsSnapshot, reads: Mapping[str, Reads]) -> CacheFigures:
    return CacheFigures(
        window_seconds=snapshot.window_seconds,
        covered_seconds=snapshot.covered_seconds,
        promised=sum((counts for name, counts in reads.items() if name not in PAID_FAMILIES), Reads()),
        paid=sum((counts for name, counts in reads.items() if name in PAID_FAMILIES), Reads()),
        read=snapshot.total("cache_read_seconds"),
        evictions=snapshot.counted("cache_evictions"),
        refused=snapshot.counted("cache_refused"),
        ghost_hits=snapshot.counted("cache_ghost_hits"),
    )


def _reads_by_family(snapshot: MetricsSnapshot) -> dict[str, Reads]:
    """Every family that was read in the window."""
    counts: dict[str, dict[tuple[str, ...], int]] = defaultdict(dict)
    for item in snapshot.counters:
        if item.delta and item.metric.startswith("cache_") and item.labels and item.metric != "cache_answers":
            counts[item.labels[0]][item.metric, *item.labels[1:]] = item.delta
    saved = {
        item.labels[0]: (item.mean or 0.0) * item.count for item in snapshot.series if item.metric == "cache_saved_seconds"
    }
    return {name: _reads(of, saved.get(name, 0.0)) for name, of in counts.items()}


def _reads(counts: Mapping[tuple[str, ...], int], saved_seconds: float) -> Reads:
    return Reads(
        memory_hits=counts.get(("cache_hits", "memory"), 0),
        redis_hits=counts.get(("cache_hits", "redis"), 0),
        negatives=counts.get(("cache_negatives",), 0),
        misses={key[1]: count for key, count in counts.items() if key[0] == "cache_misses"},
        stale=sum(count for key, count in counts.items() if key[0] == "cache_stale"),
        errors=counts.get(("cache_errors",), 0),
        load_errors=counts.get(("cache_load_errors",), 0),
        saved_seconds=saved_seconds,
    )


def _over_time(monitor: Recorder, snapshot: MetricsSnapshot, family: str) -> tuple[int, ...]:
    """Hits and misses of a family in equal parts of the window."""
    moved = [
        (item.metric, item.labels)
        for item in snapshot.counters
        if item.delta and item.labels[:1] == (family,) and item.metric in ("cache_hits", "cache_negatives", "cache_misses")
    ]
    points = [0] * SPARK_POINTS
    for metric, labels in moved:
        counts = monitor.history(metric, snapshot.window_seconds, labels).counts
        size = len(counts) // SPARK_POINTS
        for place in range(SPARK_POINTS):
            points[place] += sum(counts[place * size : (place + 1) * size])
    return tuple(points)
