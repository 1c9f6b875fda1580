"""Recorder: takes a measurement at the price of an append and folds it, once a second, on a thread of its own.

Owns that thread and the views that all readers share. Refuses to raise, to wait or to lose a sample; what is no number is
dropped and counted.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from core.monitor.clock import SteadyClock
from core.monitor.distribution import Distribution, distribution
from core.monitor.history.codec import StoredKey
from core.monitor.registry import Registry
from core.monitor.slots import Slot, SlotSeries
from core.monitor.timeline import History, Points
from core.monitor.windows import (
    WINDOWS_SECONDS,
    Cut,
    GaugeSnapshot,
    Labels,
    MetricsSnapshot,
    SeriesSnapshot,
    SinceStart,
    Window,
    build_snapshot,
    summary,
)

log = logging.getLogger(__name__)
T = TypeVar("T")

CLOSE_TIMEOUT_SECONDS = 2.0


class SeriesHandle:
    """One series, bound: `record` is the C method that appends."""

    __slots__ = ("record",)

    def __init__(self, record: Callable[[float], None]) -> None:
        self.record = record


@dataclass(frozen=True, slots=True, kw_only=True)
class RecorderStats:
    """The recorder's own figures; `fold_seconds` is what the last fold took, `age_seconds` how long ago it was."""

    series: int
    folds: int
    fold_seconds: float
    age_seconds: float
    dropped_values: int
    refused_series: int
    running: bool


class Recorder:
    """Implements core.ports.Record; every method is safe from any thread."""

    def __init__(self, clock: SteadyClock | None = None) -> None:
        self._clock = clock or SteadyClock()
        self._registry = Registry()
        self._distributions, self._counters = self._registry.distributions, self._registry.counters
        self._started = self._end = math.floor(self._clock.now())
        self._folded_at = self._clock.now()
        self._folds = self._dropped = 0
        self._fold_seconds = 0.0
        self._folding = threading.Lock()
        self._viewing = threading.Lock()
        self._views: dict[object, Any] = {}
        self._views_of_fold = -1
        self._points: dict[tuple[str, int, Labels | None], Points] = {}
        self._sources: list[Callable[[], None]] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    async def open(self) -> None:
        """Start folding."""
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
            self._thread.start()

    async def close(self) -> None:
        """Stop the thread and fold what is left."""
        thread, self._thread = self._thread, None
        self._stop.set()
        if thread is not None:
            await asyncio.to_thread(thread.join, CLOSE_TIMEOUT_SECONDS)
        self.fold()

    def add_source(self, source: Callable[[], None]) -> None:
        """Call this before each fold: for a service that keeps a log of its own and records sums of it."""
        self._sources.append(source)

    def reserve(self, metrics: Iterable[str]) -> None:
        """Keep some of the series for these metrics, whose labels decide."""
        self._registry.reserve(metrics)

    def handle(self, metric: str, labels: Labels = ()) -> SeriesHandle:
        """The series of `metric` with these label values, for callers that record often."""
        return SeriesHandle(self._registry.append_of("distribution", metric, labels))

    def record(self, metric: str, value: float, labels: Labels = ()) -> None:
        """Add one value to a distribution; durations are in seconds."""
        try:
            append = self._distributions[metric, labels]
        except (KeyError, TypeError):
            append = self._registry.append_of("distribution", metric, labels)
        append(value)

    def count(self, metric: str, amount: int = 1, labels: Labels = ()) -> None:
        """Add to a counter."""
        try:
            append = self._counters[metric, labels]
        except (KeyError, TypeError):
            append = self._registry.append_of("counter", metric, labels)
        append(amount)

    def gauge(self, metric: str, value: float, labels: Labels = ()) -> None:
        """Set what a gauge shows now."""
        self._registry.set_gauge(metric, labels, value, self._clock.now())

    def snapshot(self, window_seconds: int = 300) -> MetricsSnapshot:
        """Every series in the last 60, 300, 900 or 3600 seconds; computed once per fold and shared by all callers."""
        _check_window(window_seconds)
        return self._view(("snapshot", window_seconds), lambda: self._take_snapshot(window_seconds))

    def total(self, metric: str, window_seconds: int = 300) -> SeriesSnapshot:
        """One metric over all of its labels: far cheaper than a snapshot, and shared like it."""
        _check_window(window_seconds)
        return self._view(("total", metric, window_seconds), lambda: self._take_total(metric, window_seconds))

    def distribution(self, metric: str, labels: Labels, window_seconds: int = 300) -> Distribution:
        """How the times of one series are spread; shared like a total."""
        _check_window(window_seconds)

        def take() -> Distribution:
            with self._folding:
                slots = self._window(window_seconds).sums(self._registry.find(metric, labels))
            return distribution(slots)

        return self._view(("distribution", metric, labels, window_seconds), take)

    def history(self, metric: str, window_seconds: int, labels: Labels | None = None) -> History:
        """One metric over time, merged over all labels when `labels` is None; computed once per fold and shared."""
        _check_window(window_seconds)
        key = ("history", metric, window_seconds, labels)
        return self._view(key, lambda: self._take_history(metric, window_seconds, labels))

    def cut(self, metric: str, window_seconds: int) -> tuple[Window, list[tuple[Labels, list[Slot]]]]:
        """What each series of a metric did in a window."""
        _check_window(window_seconds)
        with self._folding:
            window = self._window(window_seconds)
            return window, [(item.labels, window.of(item.slots)) for item in self._registry.series() if item.metric == metric]

    def gauges(self) -> tuple[GaugeSnapshot, ...]:
        """What every gauge shows now."""
        now = self._clock.now()
        return tuple(GaugeSnapshot(*key, value, now - at) for key, (value, at) in self._registry.gauges())

    def since_start(self) -> tuple[SinceStart, ...]:
        """What each series counted since this process began, sorted by metric and labels."""
        with self._folding:
            series = self._registry.series()
        return tuple(SinceStart(item.metric, item.labels, item.kind, item.count, item.total) for item in series)

    def closed_until(self) -> int:
        """The steady second from which on a fold may still add something."""
        return self._end - 1

    def shift_seconds(self) -> int:
        """What to add to steady seconds to get seconds since 1970."""
        return self._clock.shift_seconds()

    def slots(
        self, first: int, end: int, *, labelled: bool, metrics: frozenset[str] | None = None
    ) -> list[tuple[StoredKey, list[Slot]]]:
        """What each series did from one steady second to another, both divisible by ten: over all labels, or by them.

        Of these metrics, or of all.
        """
        registry = self._registry
        with self._folding:
            known: Iterable[tuple[str, Labels | None, SlotSeries]] = (
                registry.labelled_series() if labelled else ((name, None, slots) for name, slots in registry.merged_series())
            )
            copies = [
                ((metric, labels), slots.since(first, tens=True))
                for metric, labels, slots in known
                if metrics is None or metric in metrics
            ]
        inside = ((key, [slot for slot in slots if slot.second < end]) for key, slots in copies)
        return [(key, slots) for key, slots in inside if slots]

    def metrics(self) -> tuple[str, ...]:
        """The names of the distributions that were folded so far."""
        return tuple(metric for metric, _ in self._registry.totals())

    def stats(self) -> RecorderStats:
        """The recorder's own figures."""
        return RecorderStats(
            series=len(self._registry),
            folds=self._folds,
            fold_seconds=self._fold_seconds,
            age_seconds=self._clock.now() - self._folded_at,
            dropped_values=self._dropped,
            refused_series=self._registry.refused,
            running=self._thread is not None and self._thread.is_alive(),
        )

    def fold(self) -> None:
        """Fold what was appended so far; the thread does it once a second."""
        for source in self._sources:
            try:
                source()
            except Exception:
                log.exception("recorder_source_failed")
        with self._folding:
            began = time.perf_counter()
            now = self._clock.now()
            # The thread comes just after the end of a second, and what it finds belongs to that second.
            second = max(self._end - 1, math.floor(now - 0.5))
            self._dropped += self._registry.fold(second)
            self._end = second + 1
            self._folded_at = now
            self._folds += 1
            self._fold_seconds = time.perf_counter() - began

    def _view(self, key: object, take: Callable[[], T]) -> T:
        with self._viewing:
            if self._views_of_fold != self._folds:
                self._views_of_fold = self._folds
                self._views.clear()
            if key not in self._views:
                self._views[key] = take()
            view: T = self._views[key]
            return view

    def _take_snapshot(self, window_seconds: int) -> MetricsSnapshot:
        with self._folding:
            window = self._window(window_seconds)
            series = [(item.kind, (item.metric, item.labels), window.sums(item.slots)) for item in self._registry.series()]
            totals = [((metric, ()), window.sums(slots)) for metric, slots in self._registry.totals()]
            taken_at = self._folded_at + self._clock.shift_seconds()
        return build_snapshot(
            Cut(
                window=window,
                taken_at=taken_at,
                distributions=[(key, slots) for kind, key, slots in series if kind == "distribution"],
                totals=totals,
                counters=[(key, slots) for kind, key, slots in series if kind == "counter"],
                gauges=[(key, value, self._clock.now() - at) for key, (value, at) in self._registry.gauges()],
            )
        )

    def _take_total(self, metric: str, window_seconds: int) -> SeriesSnapshot:
        with self._folding:
            window = self._window(window_seconds)
            slots = window.sums(self._registry.find(metric, None))
        return summary(metric, (), slots, window)

    def _take_history(self, metric: str, window_seconds: int, labels: Labels | None) -> History:
        with self._folding:
            window = self._window(window_seconds)
            series = self._registry.find(metric, labels)
            # Only what exists is kept: names come from addresses too.
            key = (metric, window_seconds, labels)
            points = self._points.setdefault(key, Points()) if series.tens or series.seconds else Points()
            slots = series.since(points.needs(window), tens=window.tens)
        points.extend(slots, window, self._started)
        return points.history(metric, labels, window, self._clock.shift_seconds())

    def _window(self, seconds: int) -> Window:
        return Window.before(self._end, seconds, self._started)

    def _run(self) -> None:
        while not self._stop.wait(1.002 - self._clock.now() % 1.0):
            try:
                self.fold()
            except Exception:
                log.exception("recorder_crashed")


def _check_window(window_seconds: int) -> None:
    if window_seconds not in WINDOWS_SECONDS:
        raise ValueError(f"window_seconds is one of {WINDOWS_SECONDS}, not {window_seconds}")
