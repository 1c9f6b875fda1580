"""Readings: the figure of every rule as it stands now, out of the recorder, of Health, and of what services can say.

Owns the windows: the short one where it holds enough samples, else the long one. Asks no server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import NamedTuple

import numpy as np

from core.health import DependencyStatus
from core.monitor.alerts.judge import Reading
from core.monitor.alerts.rules import Rule
from core.monitor.buckets import bucket_numbers, quantile
from core.monitor.recorder import Recorder
from core.monitor.slots import Slot, histogram
from core.monitor.windows import GaugeSnapshot, Labels

Probe = Callable[[float], Reading | None]
"""Answers the reading of a rule at a steady second: at once, from memory."""

Series = list[tuple[Labels, list[Slot]]]


class _Cut(NamedTuple):
    """What a rule's series did in a window; `whole` is empty but for a share."""

    series: Series
    whole: int
    closed: int

    @property
    def slots(self) -> list[Slot]:
        return list(chain.from_iterable(slots for _, slots in self.series))

    @property
    def samples(self) -> int:
        return sum(slot.samples for slot in self.slots)


class Readings:
    """Takes readings; the caller serialises."""

    def __init__(
        self,
        recorder: Recorder,
        dependencies: Callable[[], Sequence[DependencyStatus]],
        probes: Mapping[str, Probe],
        now: Callable[[], float],
    ) -> None:
        self._recorder = recorder
        self._dependencies = dependencies
        self._probes = probes
        self._now = now
        self._began = now()
        self._counted_to: dict[str, int] = {}

    def take(self, rules: Sequence[Rule]) -> dict[str, Reading]:
        """One reading of each rule that there is something to say of."""
        dependencies = {item.name: item for item in self._dependencies()}
        gauges = {(item.metric, item.labels): item for item in self._recorder.gauges()}
        now = self._now()
        readings: dict[str, Reading | None] = {}
        for rule in rules:
            if rule.kind == "dependency":
                readings[rule.name] = _dependency(dependencies.get(rule.metric))
            elif rule.kind == "gauge":
                readings[rule.name] = _gauge(gauges.get((rule.metric, rule.labels)), now - self._began)
            elif rule.kind == "probe":
                readings[rule.name] = self._probes[rule.metric](now) if rule.metric in self._probes else None
            else:
                readings[rule.name] = self._recorded(rule, now)
        return {name: reading for name, reading in readings.items() if reading is not None}

    def _recorded(self, rule: Rule, now: float) -> Reading:
        first, *longer = rule.windows
        cut = self._cut(rule, first)
        for window_seconds in longer:
            if (cut.whole or cut.samples) < rule.enough:
                cut = self._cut(rule, window_seconds)
        # What is new is counted in whole seconds, each once.
        since = self._counted_to.get(rule.name, cut.closed)
        self._counted_to[rule.name] = cut.closed
        slots = cut.slots
        counts = _Counts.of(rule, slots)
        new = _Counts.of(rule, [slot for slot in slots if since <= slot.second < cut.closed])
        share = rule.kind == "share"
        value = min(1.0, counts.samples / cut.whole) if share and cut.whole else counts.value
        inverse = share and rule.direction == "below"  # What counts against it is the rest of the whole.
        beyond = value is not None and rule.beyond(value, rule.warning)
        return Reading(
            value=value,
            samples=cut.whole if share else counts.samples,
            felt=cut.whole - counts.felt if inverse else counts.felt,
            felt_new=0 if inverse else new.felt,
            age_seconds=self._recorder.stats().age_seconds,
            running_seconds=now - self._began,
            worst=_worst(rule, cut.series, counts.felt) if beyond and not inverse else "",
        )

    def _cut(self, rule: Rule, window_seconds: int) -> _Cut:
        window, found = self._recorder.cut(rule.metric, window_seconds)
        series = [
            (labels, slots) for labels, slots in found if _chosen(labels, rule.labels, rule.any_of) and _within(labels, rule)
        ]
        whole = 0
        if rule.kind == "share":
            _, parts = self._recorder.cut(rule.whole, window_seconds)
            chosen = (
                slots
                for labels, slots in parts
                if _chosen(labels, rule.whole_labels, rule.whole_any_of) and _within(labels, rule)
            )
            whole = sum(slot.samples for slots in chosen for slot in slots)
        return _Cut(series, whole, window.end - 1)


def _dependency(status: DependencyStatus | None) -> Reading | None:
    if status is None or status.state == "starting" or status.checked_at is None:
        return None
    age_seconds = max(0.0, (datetime.now(UTC) - status.checked_at).total_seconds())
    down = status.state == "down"
    error, advice = (status.error.rstrip("."), status.next_step) if down else ("", "")
    return Reading(float(down), samples=1, age_seconds=age_seconds, worst=error, advice=advice)


def _gauge(gauge: GaugeSnapshot | None, running_seconds: float) -> Reading | None:
    if gauge is None:
        return None
    return Reading(gauge.value, samples=1, age_seconds=gauge.age_seconds, running_seconds=running_seconds)


def _chosen(labels: Labels, needed: Labels, any_of: Labels) -> bool:
    return set(needed) <= set(labels) and (not any_of or not set(any_of).isdisjoint(labels))


def _within(labels: Labels, rule: Rule) -> bool:
    first = labels[0] if labels else ""
    return first.startswith(rule.prefix)


class _Counts(NamedTuple):
    """Samples, those of them beyond the warning limit (of a share: all that count towards it), and the figure."""

    samples: int
    felt: int
    value: float | None = None

    @classmethod
    def of(cls, rule: Rule, slots: Sequence[Slot]) -> _Counts:
        samples = sum(slot.samples for slot in slots)
        if rule.kind == "share" or not samples:
            return cls(samples, samples)
        buckets = histogram(slots)
        limit = int(bucket_numbers(np.array([rule.warning]))[0])
        felt = int(buckets[limit + 1 :].sum())  # To the 1 % of the buckets.
        if rule.kind == "mean":
            return cls(samples, felt, sum(slot.total for slot in slots) / samples)
        return cls(samples, felt, quantile(buckets, 95, max(slot.maximum for slot in slots)))


def _worst(rule: Rule, series: Series, total: int) -> str:
    """Which labels most of it comes from; empty where there is only one series."""
    if len(series) < 2 or not total:
        return ""
    labels, count = max(((labels, _Counts.of(rule, slots).felt) for labels, slots in series), key=lambda item: item[1])
    return f"{' '.join(labels)}: {count:,} of {total:,}"
