"""Trend: whether a figure gets better or worse over the last half hour, and "not enough data" where that cannot be told."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Literal

from core.monitor.alerts.rules import Rule

Trend = Literal["improving", "degrading", "stable", "not enough data"]
EVERY_SECONDS = 30.0
POINTS = 60
POINTS_NEEDED = 12  # Six minutes.
CHANGE = 0.1  # Of the limit (of what is left to the ideal, where less is worse): below that it is weather.


def trend(rule: Rule, values: Sequence[float]) -> Trend:
    """The newer half against the older one, by medians; a change counts that is larger than the spread within the halves."""
    if len(values) < POINTS_NEEDED:
        return "not enough data"
    half = len(values) // 2
    older, newer = values[:half], values[half:]
    change = median(newer) - median(older)
    scale = rule.warning if rule.direction == "above" else 1.0 - rule.warning
    if abs(change) < max(CHANGE * scale, _spread(older), _spread(newer)):
        return "stable"
    return "degrading" if (change > 0) == (rule.direction == "above") else "improving"


def _spread(values: Sequence[float]) -> float:
    middle = median(values)
    return median(abs(value - middle) for value in values)
