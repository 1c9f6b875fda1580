"""Timeline: one series over time, for a chart: at most 600 points, each exact for what it covers.

Owns what a point is. A rate is of the point's own step. A quantile is of the shortest time up to the point's end that holds
enough samples, at most a minute (five minutes in the long window): sharp under load, and still a line when little happens.
Points that are over are kept, so that a refresh computes the newest ones only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.monitor.buckets import ENOUGH_SAMPLES, MIDDLES
from core.monitor.slots import LEAD_SECONDS, Slot
from core.monitor.windows import FINE_WINDOW_SECONDS, Labels, Window

LONG_LEAD_SECONDS = 300
PERCENTS = (50, 95, 99)

Values = tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One series over a window: `times` are the ends of the steps in seconds since 1970.

    Quantiles are in seconds; None: no sample in the step, or too few before its end. A rate is None only before the process
    started.
    """

    metric: str
    labels: Labels | None
    window_seconds: int
    step_seconds: int
    times: tuple[int, ...]
    counts: tuple[int, ...]
    rates: Values
    p50: Values
    p95: Values
    p99: Values


class Point(NamedTuple):
    """One step: its end in steady seconds, its samples, and the quantiles up to its end."""

    end: int
    samples: int
    rate: float | None
    quantiles: tuple[float | None, ...]


class Points:
    """The points of one series in one window; the caller serialises."""

    def __init__(self) -> None:
        self._points: deque[Point] = deque()

    def needs(self, window: Window) -> int:
        """The first second whose slots `extend` will look at."""
        lead = _lead(window) * _step(window)
        newest = self._points[-1].end if self._points else window.end - window.seconds
        return max(newest, window.end - window.seconds) - 2 * _step(window) - lead

    def extend(self, slots: Sequence[Slot], window: Window, started: int) -> None:
        """Compute the points that are new; the last one again, since a late fold may have added to it."""
        step = _step(window)
        end = window.end - window.end % step
        first = end - window.seconds + step
        while self._points and self._points[0].end < first:
            self._points.popleft()
        if self._points:
            first = self._points.pop().end
        self._points.extend(points(slots, Steps(step, first, end, _lead(window)), started))

    def history(self, metric: str, labels: Labels | None, window: Window, shift_seconds: int) -> History:
        """All of them, at the times of the wall clock."""
        ends, samples, rates, quantiles = zip(*self._points, strict=True)
        p50, p95, p99 = zip(*quantiles, strict=True)
        return History(
            metric=metric,
            labels=labels,
            window_seconds=window.seconds,
            step_seconds=_step(window),
            times=tuple(end + shift_seconds for end in ends),
            counts=samples,
            rates=rates,
            p50=p50,
            p95=p95,
            p99=p99,
        )


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps that end at `first`, `first` + `size` ... `last`, after a lead that only lends its samples."""

    size: int
    first: int
    last: int
    lead: int

    @property
    def begin(self) -> int:
        """Where the lead begins."""
        return self.first - self.size - self.lead * self.size

    @property
    def rows(self) -> int:
        """How many steps, those of the lead included."""
        return self.lead + (self.last - self.first) // self.size + 1


def _step(window: Window) -> int:
    return 10 if window.tens else 2 if window.seconds == FINE_WINDOW_SECONDS else 1


def _lead(window: Window) -> int:
    return (LONG_LEAD_SECONDS if window.tens else LEAD_SECONDS) // _step(window)


def points(slots: Sequence[Slot], steps: Steps, started: int) -> list[Point]:
    """One point for each step; what happened before `started` is not known."""
    slots = [slot for slot in slots if steps.begin <= slot.second < steps.last]
    rows = np.array([(slot.second - steps.begin) // steps.size for slot in slots], dtype=np.int64)
    samples = np.bincount(rows, weights=[slot.samples for slot in slots], minlength=steps.rows).astype(np.int64)
    lowest, cumulated = _cumulated(slots, rows, steps.rows)
    quantiles = [_quantiles(cumulated, samples, percent, steps, lowest) for percent in PERCENTS]
    ends = range(steps.first, steps.last + 1, steps.size)
    return [
        Point(end, count, round(count / steps.size, 3) if end > started else None, of_end)
        for end, count, of_end in zip(ends, samples[steps.lead :].tolist(), zip(*quantiles, strict=True), strict=True)
    ]


def _cumulated(slots: Sequence[Slot], rows: NDArray[np.int64], size: int) -> tuple[int, NDArray[np.int64]]:
    """The histograms of all rows up to each (one more row, of zeros, in front), from the lowest filled bucket on."""
    numbers = np.frombuffer(b"".join([slot.numbers for slot in slots]), np.uint16).astype(np.int64)
    if not len(numbers):
        return 0, np.zeros((size + 1, 1), np.int64)
    weights = np.frombuffer(b"".join([slot.counts for slot in slots]), np.uint32)
    lowest = int(numbers.min())
    width = int(numbers.max()) - lowest + 1
    places = np.repeat(rows + 1, [len(slot.numbers) // 2 for slot in slots]) * width + numbers - lowest
    table = np.bincount(places, weights=weights, minlength=(size + 1) * width).astype(np.int64).reshape(size + 1, width)
    return lowest, np.cumsum(table, axis=0)


def _quantiles(
    cumulated: NDArray[np.int64], samples: NDArray[np.int64], percent: int, steps: Steps, lowest: int
) -> list[float | None]:
    if not cumulated[-1, -1]:  # A counter, or nothing at all.
        return [None] * (steps.rows - steps.lead)
    totals = np.concatenate(([0], np.cumsum(samples)))
    ends = np.arange(steps.lead, steps.rows) + 1
    # The last row before which all but enough of the samples lie: the shortest stretch that holds enough of them.
    starts = np.searchsorted(totals, totals[ends] - ENOUGH_SAMPLES[percent], side="right") - 1
    good = (samples[ends - 1] > 0) & (starts >= 0) & (ends - starts <= steps.lead)
    found: list[float | None] = [None] * len(ends)
    if good.any():
        begun, ended = starts[good], ends[good]
        ranks = -(-(totals[ended] - totals[begun]) * percent // 100)
        within = np.cumsum(cumulated[ended] - cumulated[begun], axis=1) >= ranks[:, None]
        values = MIDDLES[lowest + within.argmax(axis=1)].tolist()
        for place, value in zip(np.flatnonzero(good).tolist(), values, strict=True):
            found[place] = round(value, 7)
    return found
