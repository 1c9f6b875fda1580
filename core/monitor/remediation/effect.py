"""Effect: whether a remedy helped, by the same figure before and after it; pure.

Owns the words helped, no effect, worse and cannot tell. Refuses to call a difference an effect that chance alone could make.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from core.monitor.alerts.judge import BLIND, Condition
from core.monitor.alerts.rules import Rule, Unit
from core.monitor.alerts.words import counted, said
from core.monitor.remediation.remedies import Remedy

Effect = Literal["helped", "no effect", "worse", "cannot tell"]
LOOKED_BACK_SECONDS = 60.0  # Of a figure that is one reading each time, such as memory.
SINGLE = ("gauge", "probe", "dependency")
ERRORS = 2.0  # Standard errors by which two shares must differ: 1 in 20 does so by chance.


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure at one time; `value` None: there was no ground to judge by, and `note` says why."""

    title: str
    value: float | None
    samples: int
    unit: Unit
    lower_is_better: bool = True
    share: bool = False
    note: str = ""

    @property
    def text(self) -> str:
        """As one says it."""
        return f"{said(self.value, self.unit)} ({self.note or counted(self.samples, 'samples')})"


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a remedy, and why that is said."""

    effect: Effect
    reason: str


class Figures:
    """What the rules saw lately; `see` is called after each time that they were judged."""

    def __init__(self) -> None:
        self._conditions: Mapping[str, Condition] = {}
        self._single: dict[str, deque[tuple[float, float]]] = {}

    def see(self, rules: Mapping[str, Rule], conditions: Mapping[str, Condition], now: float) -> None:
        """Keep the conditions, and one more value of each figure that is a single reading."""
        self._conditions = dict(conditions)
        for name, rule in rules.items():
            value = conditions[name].reading.value
            if rule.kind in SINGLE and value is not None and conditions[name].state not in BLIND:
                values = self._single.setdefault(name, deque())
                values.append((now, value))
                while values[0][0] <= now - LOOKED_BACK_SECONDS:
                    values.popleft()

    def of(self, rule: Rule) -> Figure:
        """The figure of a rule now: of its window, or the mean of the single readings of the last minute."""
        condition = self._conditions.get(rule.name, Condition())
        lower, share = rule.direction == "above", rule.kind == "share"
        if condition.state in BLIND:
            note = condition.state.replace("_", " ")
            return Figure(rule.title, None, condition.reading.samples, rule.unit, lower, share, note)
        if rule.kind in SINGLE:
            values = [value for _, value in self._single.get(rule.name, ())]
            return Figure(rule.title, sum(values) / len(values) if values else None, len(values), rule.unit, lower)
        return Figure(rule.title, condition.reading.value, condition.reading.samples, rule.unit, lower, share)


def window_seconds(rule: Rule) -> float:
    """How long after a remedy its figure holds nothing from before it."""
    return LOOKED_BACK_SECONDS if rule.kind in SINGLE else float(max(rule.windows))


def compare(remedy: Remedy, before: Figure, after: Figure) -> Judged:
    """Whether the figure is better by as much as the remedy must move it."""
    text = f"{before.title} was {before.text} before and is {after.text} after"
    if before.value is None or after.value is None:
        return Judged("cannot tell", text)
    if min(before.samples, after.samples) < remedy.minimum_samples:
        return Judged("cannot tell", f"{text}; {remedy.minimum_samples:,} samples are needed on both sides")
    change = _change(before, after)
    if abs(change) < remedy.least_change:
        return Judged("no effect", f"{text}: less than {remedy.least_change:.0%} of a difference")
    if before.share and abs(before.value - after.value) < ERRORS * _error(before, after):
        return Judged("no effect", f"{text}: chance alone could make that difference")
    return Judged("helped" if change < 0 else "worse", text)


def _change(before: Figure, after: Figure) -> float:
    """By what share the figure grew; of what must be high, by what share that which it lacks grew."""
    first, last = before.value or 0.0, after.value or 0.0
    if not before.lower_is_better:
        first, last = 1.0 - first, 1.0 - last
    if not first:
        return 0.0 if not last else math.inf
    return (last - first) / first


def _error(before: Figure, after: Figure) -> float:
    """The standard error of the difference of two shares."""
    first, last = before.value or 0.0, after.value or 0.0
    return math.sqrt(first * (1 - first) / before.samples + last * (1 - last) / after.samples)
