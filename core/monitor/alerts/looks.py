"""Looks: what the judge saw of the figures that the recorder has no distribution of, recorded at each tick for replays.

Owns their names: one metric for each rule and no labels, since the history keeps only such by ten seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.monitor.alerts.judge import Reading
from core.monitor.alerts.rules import Rule
from core.ports import Record

KINDS = frozenset({"gauge", "dependency", "probe"})


def look_metric(rule: Rule) -> str:
    """What the looks at a rule's figure are recorded as."""
    return f"alert_look_{rule.name}"


def record_looks(record: Record, rules: Sequence[Rule], readings: Mapping[str, Reading]) -> None:
    """Record what can be judged now; what cannot leaves no look, which is not a look at 0."""
    for rule in rules:
        reading = readings.get(rule.name)
        if rule.kind in KINDS and reading is not None and reading.value is not None and _good(rule, reading):
            record.record(look_metric(rule), reading.value)


def _good(rule: Rule, reading: Reading) -> bool:
    fresh = reading.age_seconds <= rule.stale_seconds and reading.running_seconds >= rule.warm_up_seconds
    return fresh and reading.samples >= rule.minimum_samples
