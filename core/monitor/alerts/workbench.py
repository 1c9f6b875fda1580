"""RuleWorkbench: what a rule would have done on stored history, by the shipped numbers, by those in use and by others.

Owns the figures that were read, so that an edit only judges again. Asks the store once for all who look at a rule; while it is
away the last figures stay, with their age.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import CoreError, UsageError
from core.monitor.alerts.alerts import Alerts
from core.monitor.alerts.coverage import Coverage
from core.monitor.alerts.figure_reader import FigureReader
from core.monitor.alerts.figures import Figures
from core.monitor.alerts.records import RuleChange
from core.monitor.alerts.replay import Replay, replay
from core.monitor.alerts.rules import Rule, change
from core.monitor.history.grains import DAY_SECONDS
from core.ports import Rows

KEPT = 4  # Figures of so many rules and spans: up to some tens of megabytes each.
KEPT_SECONDS = 120.0
POINTS = 1_000
SPANS = {"24 hours": DAY_SECONDS, "7 days": 7 * DAY_SECONDS, "14 days": 14 * DAY_SECONDS}


@dataclass(frozen=True, slots=True)
class Curve:
    """A figure over time for a chart, the worst of each point; None: nothing can be said. Times in seconds since 1970."""

    times: tuple[float, ...]
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One rule's three replays; `judged_seconds` is in how much of what is known there were samples enough.

    `age_seconds` is how long ago the history was read, `error` why it could not be read again.
    """

    shipped: Replay
    in_use: Replay
    edited: Replay
    coverage: Coverage
    judged_seconds: int
    curve: Curve
    age_seconds: float
    error: str = ""


@dataclass(slots=True)
class _Read:
    figures: Figures
    coverage: Coverage
    curve: Curve
    at: float


class RuleWorkbench:
    """Bound to the alerts' loop."""

    def __init__(self, alerts: Alerts, store: Rows, *, wall: Callable[[], float] = time.time) -> None:
        self._alerts = alerts
        self._reader = FigureReader(store)
        self._wall = wall
        self._known: OrderedDict[tuple[str, int], _Read] = OrderedDict()
        self._reading = asyncio.Lock()

    async def rules(self, name: str) -> tuple[Rule, Rule, RuleChange | None]:
        """A rule as shipped and as in use, and who gave it other numbers last; raises UsageError."""
        book = self._alerts.book
        shipped = next((rule for rule in book.shipped if rule.name == name), None)
        if shipped is None:
            raise UsageError(f"There is no rule {name}.", "Choose one of the list.")
        return shipped, book.incidents.rules[name], book.changes.get(name)

    async def compare(self, name: str, values: Mapping[str, Any], span_seconds: int) -> Comparison:
        """The three replays; raises UsageError, and CoreError where the history was never read and cannot be now."""
        shipped, in_use, _ = await self.rules(name)
        edited = change(shipped, values)
        async with self._reading:
            read, error = await self._read(shipped, span_seconds)
        first = read.coverage.end - span_seconds
        found = await asyncio.to_thread(_replays, (shipped, in_use, edited), read.figures, first)
        return Comparison(
            shipped=found[0],
            in_use=found[1],
            edited=found[2],
            coverage=read.coverage,
            judged_seconds=_judged_seconds(edited, read, first),
            curve=read.curve,
            age_seconds=time.monotonic() - read.at,
            error=error,
        )

    async def _read(self, rule: Rule, span_seconds: int) -> tuple[_Read, str]:
        key, error = (rule.name, span_seconds), ""
        known = self._known.get(key)
        if known is None or time.monotonic() - known.at >= KEPT_SECONDS:
            try:
                figures = await self._reader.read(rule, span_seconds, self._wall())
                known = self._known[key] = await asyncio.to_thread(_prepared, rule, figures, span_seconds)
            except CoreError as problem:
                if known is None:
                    raise
                error = str(problem)
        self._known.move_to_end(key)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return known, error


def _replays(rules: tuple[Rule, ...], figures: Figures, first: int) -> list[Replay]:
    """Each once, though several may have the same numbers."""
    found: dict[Rule, Replay] = {}
    for rule in rules:
        if rule not in found:
            found[rule] = replay(rule, figures, first)
    return [found[rule] for rule in rules]


def _prepared(rule: Rule, figures: Figures, span_seconds: int) -> _Read:
    own = figures.own.known
    step = figures.slot_seconds
    shown = span_seconds // step
    coverage = Coverage.of(own[-shown:], int(figures.times[-1]) - span_seconds, step)
    return _Read(figures, coverage, _curve(rule, figures, coverage.end - span_seconds), time.monotonic())


def _curve(rule: Rule, figures: Figures, first: int) -> Curve:
    """At most so many points, each the worst of its steps."""
    start = int(np.searchsorted(figures.times, first, side="right"))
    times, values = figures.times[start:], np.where(figures.known, figures.value, np.nan)[start:]
    size = -(-len(times) // POINTS)
    padded = np.concatenate((np.full(-len(values) % size, np.nan), values)).reshape(-1, size)
    none = np.isnan(padded).all(axis=1)
    filled = np.where(np.isnan(padded), -np.inf if rule.direction == "above" else np.inf, padded)
    worst = (filled.max(axis=1) if rule.direction == "above" else filled.min(axis=1)).tolist()
    ends = times[::-1][::size][::-1]
    return Curve(
        tuple(map(float, ends)), tuple(None if absent else value for absent, value in zip(none.tolist(), worst, strict=True))
    )


def _judged_seconds(rule: Rule, read: _Read, first: int) -> int:
    figures = read.figures
    judged = figures.known & ~np.isnan(figures.value) & (figures.samples >= rule.minimum_samples) & (figures.times > first)
    return int(np.count_nonzero(judged)) * figures.step_seconds
