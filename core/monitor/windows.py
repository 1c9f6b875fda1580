"""Windows: what every series did in the last 1, 5, 15 or 60 minutes, as one immutable snapshot.

Owns the rule that a quantile of too few samples is None, never a number that looks like one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from core.monitor.buckets import quantile
from core.monitor.slots import TEN, Slot, SlotSeries, histogram

WINDOWS_SECONDS = (60, 300, 900, 3_600)
FINE_WINDOW_SECONDS = 300  # Up to here a window is a sum of seconds, beyond it of tens.

Labels = tuple[str, ...]
Key = tuple[str, Labels]


@dataclass(frozen=True, slots=True)
class SeriesSnapshot:
    """One distribution in one window; seconds. None: not enough samples (P50 needs 1, P95 20, P99 100)."""

    metric: str
    labels: Labels
    count: int
    rate_per_second: float
    mean: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


@dataclass(frozen=True, slots=True)
class CounterSnapshot:
    """How far one counter moved in one window."""

    metric: str
    labels: Labels
    delta: int
    rate_per_second: float


@dataclass(frozen=True, slots=True)
class GaugeSnapshot:
    """The last value of one gauge and how long ago it was set."""

    metric: str
    labels: Labels
    value: float
    age_seconds: float


@dataclass(frozen=True, slots=True)
class SinceStart:
    """What one series counted since the process began: samples and their sum, or how far a counter is."""

    metric: str
    labels: Labels
    kind: Literal["distribution", "counter"]
    count: int
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSnapshot:
    """Every series in one window; `covered_seconds` is less than the window in the first minutes of a process."""

    window_seconds: int
    covered_seconds: int
    taken_at: datetime
    series: tuple[SeriesSnapshot, ...] = ()
    totals: tuple[SeriesSnapshot, ...] = ()
    counters: tuple[CounterSnapshot, ...] = ()
    gauges: tuple[GaugeSnapshot, ...] = ()

    def total(self, metric: str) -> SeriesSnapshot:
        """One metric over all of its labels; a metric that was never recorded has count 0."""
        empty = SeriesSnapshot(metric, (), 0, 0.0)
        return next((item for item in self.totals if item.metric == metric), empty)

    def counted(self, metric: str, *labels: str) -> int:
        """What the counters of a metric counted together, those with all of these label values only."""
        wanted = set(labels)
        return sum(item.delta for item in self.counters if item.metric == metric and wanted <= set(item.labels))


@dataclass(frozen=True, slots=True)
class Window:
    """Which slots a window takes: those that start at `first` or later, up to `end`; steady seconds."""

    seconds: int
    first: int
    end: int
    covered_seconds: int

    @property
    def tens(self) -> bool:
        """Whether it is summed of slots of ten seconds."""
        return self.seconds > FINE_WINDOW_SECONDS

    def of(self, series: SlotSeries) -> list[Slot]:
        """The slots that it takes of a series."""
        return series.since(self.first, tens=self.tens)

    def sums(self, series: SlotSeries) -> list[Slot]:
        """Slots that hold the same in all, as few as there are."""
        return series.sums(self.first) if self.tens else self.of(series)

    @classmethod
    def before(cls, end: int, seconds: int, started: int) -> Window:
        """The window of so many seconds that ends with second `end` - 1."""
        first = end - seconds
        if seconds > FINE_WINDOW_SECONDS:
            first = -(-first // TEN) * TEN
        return cls(seconds, first, end, max(1, end - max(first, started)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What a snapshot is made of: the slots of a window, copied out of the series, and each gauge with its age."""

    window: Window
    taken_at: float
    distributions: Sequence[tuple[Key, Sequence[Slot]]]
    totals: Sequence[tuple[Key, Sequence[Slot]]]
    counters: Sequence[tuple[Key, Sequence[Slot]]]
    gauges: Sequence[tuple[Key, float, float]]


def build_snapshot(cut: Cut) -> MetricsSnapshot:
    """The snapshot of one window."""
    window = cut.window
    deltas = [(key, sum(slot.samples for slot in slots)) for key, slots in cut.counters]
    return MetricsSnapshot(
        window_seconds=window.seconds,
        covered_seconds=window.covered_seconds,
        taken_at=datetime.fromtimestamp(cut.taken_at, UTC),
        series=tuple(summary(*key, slots, window) for key, slots in cut.distributions),
        totals=tuple(summary(*key, slots, window) for key, slots in cut.totals),
        counters=tuple(CounterSnapshot(*key, delta, delta / window.covered_seconds) for key, delta in deltas),
        gauges=tuple(GaugeSnapshot(*key, value, age) for key, value, age in cut.gauges if math.isfinite(value)),
    )


def summary(metric: str, labels: Labels, slots: Sequence[Slot], window: Window) -> SeriesSnapshot:
    """One series in one window, out of the slots that the window takes of it."""
    count = sum(slot.samples for slot in slots)
    if not count:
        return SeriesSnapshot(metric, labels, 0, 0.0)
    maximum = max(slot.maximum for slot in slots)
    buckets = histogram(slots)
    return SeriesSnapshot(
        metric=metric,
        labels=labels,
        count=count,
        rate_per_second=count / window.covered_seconds,
        mean=sum(slot.total for slot in slots) / count,
        p50=quantile(buckets, 50, maximum),
        p95=quantile(buckets, 95, maximum),
        p99=quantile(buckets, 99, maximum),
        max=maximum,
    )
