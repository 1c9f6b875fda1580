"""Felt: who feels a breach, and how much time it takes from them, out of the recorder's buckets.

Owns the convention by which user time lost is counted (docs/decisions/0023-overview.md). Asks no server.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from core.monitor.alerts.rules import Rule
from core.monitor.buckets import MIDDLES, bucket_numbers
from core.monitor.slots import Slot, histogram
from core.monitor.windows import WINDOWS_SECONDS, Labels
from core.platform.felt_words import FAULTS, SLOW, named, part_of

Measured = Callable[[str, int], Sequence[tuple[Labels, Sequence[Slot]]]]
"""What each series of a metric did in a window of so many seconds."""

FAILED_SECONDS = 10.0  # A request that fails: to notice it, to try again, to wait once more.
MOST_BY_ONE = 0.5  # From this share on the worst series is named alone.


@dataclass(frozen=True, slots=True)
class Felt:
    """How many of some samples lie beyond a limit, how a person says it, and the share of those that are named."""

    count: int
    samples: int
    words: str
    share: float


def felt_now(measured: Measured, rule: Rule) -> Felt | None:
    """What is felt in the shortest window of the rule that holds enough; None for nothing, or too few samples to say so."""
    parts: list[tuple[str, int, int]] = []
    for window_seconds in rule.windows:
        parts = _parts(measured, rule, window_seconds)
        if sum(samples for _, _, samples in parts) >= rule.enough:
            break
    count, samples = sum(part[1] for part in parts), sum(part[2] for part in parts)
    if not count or samples < rule.minimum_samples:
        return None
    label, most, of = max(parts, key=lambda part: part[1])
    fault = FAULTS.get(rule.name, SLOW)
    if most >= MOST_BY_ONE * count:
        return Felt(count, samples, f"{part_of(most, of, named(rule.name, label))} {fault}", most / of)
    worst = f", most of them {named(rule.name, label)}"
    return Felt(count, samples, f"{part_of(count, samples, named(rule.name, ''))} {fault}{worst}", count / samples)


def lost_seconds(measured: Measured, rule: Rule, since: float, now: float) -> float:
    """What users lost by a breach since a steady second, of the last hour at most; 0 where only other rules show it."""
    if rule.kind == "dependency":
        return max(0.0, now - since)
    # What made it a breach lies in the window before it.
    first = since - rule.windows[0]
    window = next((seconds for seconds in WINDOWS_SECONDS if seconds >= now - first), WINDOWS_SECONDS[-1])
    if rule.kind in ("p95", "mean"):
        return sum(_beyond_seconds(rule, _after(slots, first)) for _, slots in _series(measured, rule, window))
    if rule.name in ("api_errors", "claude_failures"):
        failed = sum(slot.samples for _, slots in _series(measured, rule, window) for slot in _after(slots, first))
        return FAILED_SECONDS * failed
    return 0.0


def _parts(measured: Measured, rule: Rule, window_seconds: int) -> list[tuple[str, int, int]]:
    """By the first label: its name, how many lie beyond the limit, and how many there are."""
    if rule.kind in ("p95", "mean"):
        beyond, samples = Counter[str](), Counter[str]()
        for label, slots in _series(measured, rule, window_seconds):
            samples[label] += sum(slot.samples for slot in slots)
            beyond[label] += int(histogram(slots)[_limit(rule) + 1 :].sum())
        return [(label, beyond[label], samples[label]) for label in samples]
    if rule.kind != "share":
        return []
    counted, whole = Counter[str](), Counter[str]()
    for label, slots in _series(measured, rule, window_seconds):
        counted[label] += sum(slot.samples for slot in slots)
    for labels, slots in measured(rule.whole, window_seconds):
        if rule.takes_whole(labels):
            whole[labels[0] if labels else ""] += sum(slot.samples for slot in slots)
    if rule.direction == "below":  # What counts against it is the rest of the whole.
        return [(label, max(0, count - counted[label]), count) for label, count in whole.items()]
    return [(label, min(count, counted[label]), count) for label, count in whole.items()]


def _series(measured: Measured, rule: Rule, window_seconds: int) -> Iterable[tuple[str, Sequence[Slot]]]:
    found = measured(rule.metric, window_seconds)
    return [(labels[0] if labels else "", slots) for labels, slots in found if rule.takes(labels)]


def _after(slots: Sequence[Slot], first: float) -> list[Slot]:
    return [slot for slot in slots if slot.second >= math.floor(first)]


def _beyond_seconds(rule: Rule, slots: Sequence[Slot]) -> float:
    buckets = histogram(slots)
    first = _limit(rule) + 1
    return float(np.sum(buckets[first:] * (MIDDLES[first:] - rule.warning)))


def _limit(rule: Rule) -> int:
    return int(bucket_numbers(np.array([rule.warning]))[0])
