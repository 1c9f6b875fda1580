"""SlowPart: which route is slow, which query takes most of the database's time, and which server or part is in trouble.

Owns the sentence that says so, out of what the judged processes measured, and the rules' last readings. Asks no server.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core.monitor.alerts.judge import Condition
from core.monitor.alerts.rules import Rule
from core.monitor.alerts.words import said, wrong
from core.monitor.slots import Slot
from core.monitor.windows import Labels, SeriesSnapshot, Window, summary

WINDOW_SECONDS = 300
PARTS = ("postgresql", "redis", "memory", "cpu", "database_pool", "cache_read_p95", "cache_hit_rate", "claude_failures")
Measured = Callable[[str, int], Sequence[tuple[Labels, Sequence[Slot]]]]
"""What each series of a metric did in a window of so many seconds."""

LEAST = 20  # Samples of a series that is named: a P95 needs as many.


@dataclass(frozen=True, slots=True)
class SlowPart:
    """The route that took most time beyond the promise, the query that took most time, and the parts beyond their limits."""

    route: SeriesSnapshot | None
    query: SeriesSnapshot | None
    query_share: float
    parts: tuple[str, ...]

    @property
    def text(self) -> str:
        """In one sentence each."""
        found = []
        if self.route is not None:
            found.append(f"Slowest route: {_series(self.route)}.")
        if self.query is not None:
            found.append(f"Dearest query: {_series(self.query)}, {self.query_share:.0%} of the database's time.")
        found += [f"{part}." for part in self.parts]
        return " ".join(found) or "No route and no query has enough samples to be named."


def slow_part(measured: Measured, rules: Mapping[str, Rule], conditions: Mapping[str, Condition]) -> SlowPart:
    """Out of what was measured in five minutes and the conditions of the rules."""
    api = rules["api_p95"]
    routes = [item for item in _of(measured, api.metric) if item.labels and item.labels[0].startswith(api.prefix)]
    slow = [item for item in routes if (item.p95 or 0.0) >= api.warning]
    queries = _of(measured, rules["database_p95"].metric)
    query = max(queries, key=_seconds, default=None)
    whole = sum(_seconds(item) for item in queries)
    broken = (wrong(rules[name], conditions[name].reading) for name in PARTS if name in rules and conditions[name].breached)
    return SlowPart(
        max(slow or routes, key=_seconds, default=None),
        query,
        _seconds(query) / whole if query and whole else 0.0,
        tuple(broken),
    )


def _of(measured: Measured, metric: str) -> list[SeriesSnapshot]:
    by_labels: dict[Labels, list[Slot]] = defaultdict(list)
    for labels, slots in measured(metric, WINDOW_SECONDS):
        by_labels[labels].extend(slots)
    window = Window(WINDOW_SECONDS, 0, WINDOW_SECONDS, WINDOW_SECONDS)
    found = (summary(metric, labels, slots, window) for labels, slots in by_labels.items())
    return [item for item in found if item.count >= LEAST]


def _seconds(series: SeriesSnapshot) -> float:
    return series.count * (series.mean or 0.0)


def _series(series: SeriesSnapshot) -> str:
    return f"{' '.join(series.labels)}, P95 {said(series.p95, 'seconds')} of {series.count:,}"
