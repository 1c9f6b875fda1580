"""Figures: what a rule would have read at each step of stored history, for any numbers that an operator may give it.

Owns the columns that stay the same whatever is edited. What does not, how many samples lay beyond the limit, is counted anew
from the filled buckets. Windows are chosen as `Readings` chooses them; a step without any row of history is no reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.monitor.alerts.looks import KINDS
from core.monitor.alerts.readings import BEYOND_P95, MANY_TIMES, MINUTE_SECONDS
from core.monitor.alerts.rules import Rule
from core.monitor.alerts.window_quantile import window_p95
from core.monitor.buckets import bucket_numbers
from core.monitor.history.columns import Columns

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Judged(NamedTuple):
    """The readings under one set of numbers: `felt_new` of each step alone, `bad` where such a step lies beyond the limit."""

    felt: Ints
    felt_new: Ints
    goes_on: Flags
    bad: Flags
    beyond: Flags


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Figures:
    """Steps that end at `times`; `value` is NaN where nothing can be said, `widths` how many steps each window had.

    `own` is what happened in each slot alone, `own_whole` what it is a share of, `happened` the steps with a sample.
    """

    step_seconds: int
    times: Ints
    known: Flags
    value: Floats
    samples: Ints
    running_seconds: Floats
    widths: Ints
    own: Columns
    own_whole: Ints
    happened: Flags

    @property
    def slot_seconds(self) -> int:
        """How long the slots of the history are that it was made of."""
        return self.step_seconds * (len(self.times) // len(self.own.known))

    def judged(self, rule: Rule) -> Judged:
        """What depends on the rule's numbers."""
        new = self._felt_new(rule)
        below = rule.kind == "share" and rule.direction == "below"
        felt = np.zeros_like(new) if rule.kind in KINDS else _window_sums(new, self.widths)
        return Judged(
            felt=felt,
            felt_new=np.zeros_like(new) if below else new,
            goes_on=np.ones_like(self.known) if below or rule.kind in KINDS else self._goes_on(rule, felt, new),
            bad=self._bad(rule, new),
            beyond=_beyond(rule, self.value, rule.warning) | _beyond(rule, self.value, rule.critical),
        )

    def _felt_new(self, rule: Rule) -> Ints:
        if rule.kind in KINDS:
            return np.zeros_like(self.samples)
        if rule.kind == "share":
            return self.own_whole - self.own.samples if rule.direction == "below" else self.own.samples
        above = self.own.numbers > int(bucket_numbers(np.array([rule.warning]))[0])
        found = np.bincount(self.own.rows[above], weights=self.own.counts[above], minlength=len(self.times))
        return found.astype(np.int64)

    def _bad(self, rule: Rule, new: Ints) -> Flags:
        """Whether a step alone lies beyond the limit, however few its samples."""
        if rule.kind in KINDS:
            return _beyond(rule, self.value, rule.warning)
        if rule.kind == "p95":
            return new > BEYOND_P95 * self.own.samples
        whole = self.own_whole if rule.kind == "share" else self.own.samples
        part = self.own.samples if rule.kind == "share" else self.own.totals
        return _beyond(rule, _ratio(part, whole), rule.warning)

    def _goes_on(self, rule: Rule, felt: Ints, new: Ints) -> Flags:
        """See Readings: whether the newest step shows a critical breach too, and not a few slow ones in minutes."""
        critical = _beyond(rule, self.value, rule.critical)
        minute = _window_sums(new, np.full_like(self.widths, max(1, MINUTE_SECONDS // self.step_seconds)))
        enough = (minute >= rule.critical_felt) | (felt >= MANY_TIMES * rule.critical_felt)
        samples, limit = self.own.samples, BEYOND_P95
        if rule.kind == "share":
            samples, limit = self.own_whole, rule.critical or 0.0
        found: Flags = ~critical | (enough & (new > 0) & (new >= limit * samples))
        return found


def recorded_figures(rule: Rule, own: Columns, whole: Columns | None, grid: Ints, running_seconds: Floats) -> Figures:
    """Of a rule whose figure is a P95, a mean or a share; `grid` are the ends of the steps."""
    step = int(grid[1] - grid[0])
    own_whole = own.samples if whole is None else whole.samples
    widths = np.zeros(len(grid), np.int64)
    samples = np.zeros(len(grid), np.int64)
    for window in rule.windows:
        chosen = (samples < rule.enough) | (widths == 0)
        widths[chosen] = max(1, window // step)
        samples = _window_sums(own_whole, widths)
    if rule.kind == "p95":
        value = window_p95(own, widths)
    elif rule.kind == "mean":
        value = _ratio(_window_sums(own.totals, widths), samples)
    else:
        value = np.minimum(1.0, _ratio(_window_sums(own.samples, widths), samples))
    return Figures(
        step_seconds=step,
        times=grid,
        known=own.known,
        value=value,
        samples=samples,
        running_seconds=running_seconds,
        widths=widths,
        own=own,
        own_whole=own_whole,
        happened=own_whole > 0,
    )


def looked_figures(rule: Rule, own: Columns, grid: Ints) -> Figures:
    """Of a rule whose looks were recorded: each look of ten seconds where there were two, else the worst of a step."""
    step = int(grid[1] - grid[0])
    some = own.samples > 0
    worst = own.maxima if rule.direction == "above" else _ratio(own.totals, own.samples)
    last = np.where(some, worst, np.nan)
    if step == 10:
        two = own.samples > 1
        rest = np.where(two, (own.totals - own.maxima) / np.maximum(1, own.samples - 1), np.nan)
        last = np.where(two, own.maxima, last)
        before = np.concatenate(([np.nan], last[:-1]))
        swap = two & (np.abs(last - before) < np.abs(rest - before))  # Their order is not stored: what is like the one before.
        first, last = np.where(swap, last, rest), np.where(swap, rest, last)
        value = np.column_stack((np.where(two, first, np.nan), last)).ravel()
        known = np.column_stack((two, own.known)).ravel()
        grid = np.column_stack((grid - 5, grid)).ravel()
        step = 5
    else:
        value, known = last, own.known
    return Figures(
        step_seconds=step,
        times=grid,
        known=known,
        value=value,
        samples=np.where(np.isnan(value), 0, max(1, rule.minimum_samples)),
        running_seconds=np.full(len(grid), np.inf),  # Only what could be judged was recorded.
        widths=np.ones(len(grid), np.int64),
        own=own,
        own_whole=own.samples,
        happened=~np.isnan(value),
    )


def _window_sums(values: NDArray[Any], widths: Ints) -> NDArray[Any]:
    """The sum of each step and those before it in its window."""
    sums = np.concatenate((np.zeros(1, values.dtype), np.cumsum(values)))
    ends = np.arange(1, len(values) + 1)
    found: NDArray[Any] = sums[ends] - sums[np.maximum(0, ends - widths)]
    return found


def _ratio(part: NDArray[Any], whole: Ints) -> Floats:
    return np.where(whole > 0, part / np.maximum(1, whole), np.nan)


def _beyond(rule: Rule, values: Floats, limit: float | None) -> Flags:
    """See Rule.beyond; nothing is not beyond anything."""
    if limit is None:
        return np.zeros(len(values), np.bool_)
    found: Flags = values >= limit if rule.direction == "above" else values < limit
    return found
