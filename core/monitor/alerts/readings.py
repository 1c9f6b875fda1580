"""Readings: the figure of every rule as it stands now, out of the recorder, of Health, and of what services can say.

Owns the windows: the short one where it holds enough samples, else the long one. Asks no server.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from core.health import DependencyStatus
from core.monitor.alerts.fleet import Fleet, FleetSlot
from core.monitor.alerts.judge import Reading
from core.monitor.alerts.rules import Rule
from core.monitor.buckets import bucket_numbers, quantile
from core.monitor.recorder import Recorder
from core.monitor.slots import Slot, histogram
from core.monitor.windows import GaugeSnapshot, Labels, Window

log = logging.getLogger(__name__)

Probe = Callable[[float], Reading | None]
"""Answers the reading of a rule at a steady second: at once, from memory."""

NEWEST_SECONDS = 5  # One tick: what is over is not told, though it stands in the window for minutes.
MINUTE_SECONDS = 60
MANY_TIMES = 3  # So many times the count that one minute needs, in the long window: at night.
BEYOND_P95 = 0.05
SECOND_SHARE = 0.2  # Of two that make up most of it both are named: Claude overloaded, then held to be down.

Series = list[tuple[Labels, list[Slot]]]


class _Cut(NamedTuple):
    """What a rule's series did in a window; `whole` is empty but for a share, `new` was not in a cut of the rule before."""

    series: Series
    whole: int
    whole_newest: int
    closed: int
    new: Sequence[Slot] = ()

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
        wall: Callable[[], float] = time.time,
        fleet: Fleet | None = None,
    ) -> None:
        """`fleet` is what other processes measured; without it, this one alone is judged."""
        self._recorder = recorder
        self._fleet = fleet
        self._dependencies = dependencies
        self._probes = probes
        self._now = now
        self._wall = wall
        self._began = now()
        self._counted_to: dict[str, tuple[int, int]] = {}
        self._failed: set[str] = set()

    def take(self, rules: Sequence[Rule]) -> dict[str, Reading]:
        """One reading of each rule that there is something to say of."""
        dependencies = {item.name: item for item in self._dependencies()}
        gauges = {(item.metric, item.labels): item for item in self._recorder.gauges()}
        now = self._now()
        readings: dict[str, Reading | None] = {}
        for rule in rules:
            if rule.kind == "dependency":
                readings[rule.name] = _dependency(dependencies.get(rule.metric), self._wall())
            elif rule.kind == "gauge":
                readings[rule.name] = _gauge(gauges.get((rule.metric, rule.labels)), now - self._began)
            elif rule.kind == "probe":
                readings[rule.name] = self._probed(rule.metric, now)
            else:
                readings[rule.name] = self._recorded(rule, now)
        return {name: reading for name, reading in readings.items() if reading is not None}

    def _probed(self, probe: str, now: float) -> Reading | None:
        """What a probe says; one that fails says nothing, and keeps no other rule from being judged."""
        if probe not in self._probes:
            return None
        try:
            reading = self._probes[probe](now)
        except Exception:
            if probe not in self._failed:
                log.exception("probe_failed probe=%s", probe)
            self._failed.add(probe)
            return None
        self._failed.discard(probe)
        return reading

    def _recorded(self, rule: Rule, now: float) -> Reading:
        first, *longer = rule.windows
        arrived = self._fleet.arrival if self._fleet else 0
        cut = self._cut(rule, first, arrived)
        for window_seconds in longer:
            if (cut.whole or cut.samples) < rule.enough:
                cut = self._cut(rule, window_seconds, arrived)
        self._counted_to[rule.name] = cut.closed, arrived
        counts, new = _Counts.of(rule, cut.slots), _Counts.of(rule, cut.new)
        share = rule.kind == "share"
        value = min(1.0, counts.samples / cut.whole) if share and cut.whole else counts.value
        inverse = share and rule.direction == "below"  # What counts against it is the rest of the whole.
        beyond = value is not None and rule.beyond(value, rule.warning)
        critical = value is not None and rule.beyond(value, rule.critical)
        return Reading(
            value=value,
            samples=cut.whole if share else counts.samples,
            felt=cut.whole - counts.felt if inverse else counts.felt,
            felt_new=0 if inverse else new.felt,
            age_seconds=self._recorder.stats().age_seconds,
            running_seconds=now - self._began,
            worst=_worst(rule, cut.series, counts.felt) if beyond and not inverse else "",
            goes_on=inverse or not critical or self._goes_on(rule, cut, counts.felt),
            processes=self._fleet.stats().processes if self._fleet else 1,
        )

    def _goes_on(self, rule: Rule, cut: _Cut, felt: int) -> bool:
        """Whether the newest seconds show it too, and not a few slow ones in minutes: no rest of what is over."""
        newest, minute = (
            _Counts.of(rule, [slot for slot in cut.slots if slot.second >= cut.closed - seconds])
            for seconds in (NEWEST_SECONDS, MINUTE_SECONDS)
        )
        samples, limit = newest.samples, BEYOND_P95
        if rule.kind == "share":
            samples, limit = cut.whole_newest, rule.critical or 0.0
        enough = minute.felt >= rule.critical_felt or felt >= MANY_TIMES * rule.critical_felt
        return enough and 0 < newest.felt >= limit * samples

    def _cut(self, rule: Rule, window_seconds: int, arrived: int) -> _Cut:
        window, found = self._recorder.cut(rule.metric, window_seconds)
        series = {labels: slots for labels, slots in found if rule.takes(labels)}
        closed, whole = window.end - 1, list[Slot]()
        since, after = self._counted_to.get(rule.name, (closed, arrived))
        # What is new is counted once: of this process by whole seconds, of others by the look that brought it.
        new = [slot for slots in series.values() for slot in slots if since <= slot.second < closed]
        for labels, others in self._others(rule.metric, window):
            if rule.takes(labels):
                series.setdefault(labels, []).extend(item.slot for item in others)
                new += [item.slot for item in others if after < item.arrival <= arrived]
        if rule.kind == "share":
            _, parts = self._recorder.cut(rule.whole, window_seconds)
            whole = [slot for labels, slots in parts if rule.takes_whole(labels) for slot in slots]
            of_others = self._others(rule.whole, window)
            whole += [item.slot for labels, others in of_others if rule.takes_whole(labels) for item in others]
        newest = sum(slot.samples for slot in whole if slot.second >= closed - NEWEST_SECONDS)
        return _Cut(list(series.items()), sum(slot.samples for slot in whole), newest, closed, new)

    def measured(self, metric: str, window_seconds: int) -> list[tuple[Labels, list[Slot]]]:
        """What each series did in a window, in all processes that are judged; safe from any thread."""
        window, found = self._recorder.cut(metric, window_seconds)
        others = [(labels, [item.slot for item in slots]) for labels, slots in self._others(metric, window)]
        return [*found, *others]

    def _others(self, metric: str, window: Window) -> list[tuple[Labels, list[FleetSlot]]]:
        return self._fleet.cut(metric, window) if self._fleet else []


def _dependency(status: DependencyStatus | None, wall: float) -> Reading | None:
    if status is None or status.state == "starting" or status.checked_at is None:
        return None
    age_seconds = max(0.0, wall - status.checked_at.timestamp())
    down = status.state == "down"
    error, advice = (status.error.rstrip("."), status.next_step) if down else ("", "")
    return Reading(float(down), samples=1, age_seconds=age_seconds, worst=error, advice=advice)


def _gauge(gauge: GaugeSnapshot | None, running_seconds: float) -> Reading | None:
    if gauge is None:
        return None
    return Reading(gauge.value, samples=1, age_seconds=gauge.age_seconds, running_seconds=running_seconds)


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
    """Which labels most of it comes from, two at most; empty where there are none."""
    if not total or not any(labels for labels, _ in series):
        return ""
    counts = sorted(((_Counts.of(rule, slots).felt, labels) for labels, slots in series), reverse=True)
    named = [item for place, item in enumerate(counts[:2]) if place == 0 or item[0] >= SECOND_SHARE * total]
    return ", ".join(f"{' '.join(labels)}: {count:,} of {total:,}" for count, labels in named)
