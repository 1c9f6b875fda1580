"""Rules: what is promised, as data: a figure, its limits, how long it must lie beyond them, and what to do then.

Owns the reading of `rules.toml` and of an operator's changes to it. Refuses a rule whose limits cannot work.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from core.errors import UsageError
from core.settings import Settings

SHIPPED = Path(__file__).with_name("rules.toml")
MARGIN = 0.1  # A breach is over a tenth of the way from the limit to the ideal: below 90 % of an upper limit.
MOST = 1e12  # Of any number: what is larger, the store may not take.
REPEAT_LEAST_SECONDS = 900.0  # Or each tick would wake somebody.
CHANGEABLE = frozenset(
    {"warning", "critical", "minimum_samples", "warning_pending_seconds", "critical_pending_seconds", "clear_seconds",
     "repeat_seconds", "enabled"}
)  # fmt: skip

Kind = Literal["p95", "mean", "share", "gauge", "dependency", "probe"]
Unit = Literal["seconds", "share", "bytes", "count", "down"]
Direction = Literal["above", "below"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule; limits in the unit of the figure, and `critical` None where nobody is to be woken.

    `metric` and `labels` say where the figure comes from: all of `labels` must be there, one of `any_of`,
    and the first begins with `prefix`. A share is that part of `whole`, filtered by `whole_labels` and `whole_any_of`. The
    `windows` are tried in turn until one holds `enough` samples; fewer than `minimum_samples` are no data. A critical level
    needs `critical_felt` samples beyond the limit. `explained_by` names the rules whose breach explains this one. One that
    `needs_writes` is off where Redis is only watched, because nothing is stored there.
    """

    name: str
    title: str
    kind: Kind
    metric: str
    runbook: str
    unit: Unit
    warning: float
    critical: float | None = None
    direction: Direction = "above"
    labels: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    prefix: str = ""
    whole: str = ""
    whole_labels: tuple[str, ...] = ()
    whole_any_of: tuple[str, ...] = ()
    windows: tuple[int, ...] = (60, 300)
    enough: int = 100
    minimum_samples: int = 0
    critical_felt: int = 0
    felt: str = ""
    requests: bool = False
    margin: float = MARGIN
    warning_pending_seconds: float = 180.0
    critical_pending_seconds: float = 30.0
    clear_seconds: float = 300.0
    repeat_seconds: float = 14_400.0
    warm_up_seconds: float = 120.0
    stale_seconds: float = 30.0
    explained_by: tuple[str, ...] = ()
    enabled: bool = True
    needs_writes: bool = False

    @property
    def clear(self) -> float:
        """Where a breach of the warning limit may end."""
        ideal = 1.0 if self.direction == "below" else 0.0
        return self.warning + (ideal - self.warning) * self.margin

    def takes(self, labels: tuple[str, ...]) -> bool:
        """Whether a series of its metric is part of the figure."""
        return self._within(labels) and _chosen(labels, self.labels, self.any_of)

    def takes_whole(self, labels: tuple[str, ...]) -> bool:
        """Whether a series is part of what a share is a part of."""
        return self._within(labels) and _chosen(labels, self.whole_labels, self.whole_any_of)

    def beyond(self, value: float, limit: float | None) -> bool:
        """Whether a value breaks a limit: an upper one must not be reached, a lower one is still kept by itself."""
        if limit is None:
            return False
        return value >= limit if self.direction == "above" else value < limit

    def cleared(self, value: float) -> bool:
        """Whether a value is so good that a breach may end."""
        return value < self.clear if self.direction == "above" else value >= min(self.clear, 1.0)

    def _within(self, labels: tuple[str, ...]) -> bool:
        return (labels[0] if labels else "").startswith(self.prefix)


def load_rules(settings: Settings, file: Path = SHIPPED) -> tuple[Rule, ...]:
    """The shipped rules, deepest cause first, with the limits that the settings promise."""
    tables = tomllib.loads(file.read_text(encoding="utf-8"))
    rules = tuple(_rule(name, table, settings) for name, table in tables.items())
    unknown = {name for rule in rules for name in rule.explained_by} - tables.keys()
    if unknown:
        raise UsageError(f"rules.toml explains by rules that are not there: {', '.join(sorted(unknown))}.")
    return rules


def judged_metrics(rules: Sequence[Rule]) -> frozenset[str]:
    """The metrics whose recorded series the rules are judged by."""
    recorded = [rule for rule in rules if rule.kind in ("p95", "mean", "share")]
    return frozenset(name for rule in recorded for name in (rule.metric, rule.whole) if name)


def changed(rules: Sequence[Rule], changes: Mapping[str, Mapping[str, Any]]) -> tuple[Rule, ...]:
    """The rules with an operator's changes by name of rule; a change that cannot work is left out."""
    return tuple(_changed_or_shipped(rule, changes.get(rule.name, {})) for rule in rules)


def change(rule: Rule, changes: Mapping[str, Any]) -> Rule:
    """One rule with other numbers; raises UsageError for what cannot be changed or cannot work."""
    if wrong := sorted(changes.keys() - CHANGEABLE):
        raise UsageError(f"{rule.title}: {', '.join(wrong)} cannot be changed.", f"Change {', '.join(sorted(CHANGEABLE))}.")
    for fault in faults(rule, changes).values():
        raise UsageError(f"{rule.title}: {fault}.")
    return replace(rule, **changes)


def faults(rule: Rule, changes: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with other numbers, by their name."""
    numbers = {name: value for name, value in changes.items() if name != "enabled" and (name, value) != ("critical", None)}
    found = {
        name: f"{name} is a number from 0 to {MOST:g}"
        for name, value in numbers.items()
        if not (_number(value) and 0 <= value <= MOST)
    }
    if found:
        return found
    new = replace(rule, **changes)
    if new.repeat_seconds < REPEAT_LEAST_SECONDS:
        found["repeat_seconds"] = "it is said again after a quarter of an hour at the earliest"
    never = rule.unit == "share" and (rule.kind != "probe" or rule.direction == "below")  # Those who wait may be more than all.
    if new.warning <= 0:
        found["warning"] = "the warning limit is more than 0"
    elif never and new.warning > 1:
        found["warning"] = "the warning limit is at most 100 %"
    if new.critical is not None and new.beyond(new.warning, new.critical) and new.critical != new.warning:
        found["critical"] = "the critical limit lies beyond the warning limit, not before it"
    elif new.critical is not None and never and new.critical > 1:
        found["critical"] = "the critical limit is at most 100 %"
    return found


def _changed_or_shipped(rule: Rule, changes: Mapping[str, Any]) -> Rule:
    try:
        return change(rule, changes)
    except UsageError:  # Written by another version; the shipped numbers are safe.
        return rule


def _rule(name: str, table: Mapping[str, Any], settings: Settings) -> Rule:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    if unknown := values.keys() - {item.name for item in fields(Rule)}:
        raise UsageError(f"rules.toml: {name} has fields that no rule has: {', '.join(sorted(unknown))}.")
    if isinstance(values["warning"], str):
        values["warning"] = float(getattr(settings, values["warning"]))
    rule = Rule(name=name, **values)
    if rule.needs_writes and not settings.redis_embedded and settings.effective_mode == "watch":
        rule = replace(rule, enabled=False)
    if rule.critical is not None and rule.beyond(rule.warning, rule.critical):
        return replace(rule, critical=rule.warning)  # A target that was set beyond it.
    return rule


def _chosen(labels: tuple[str, ...], needed: tuple[str, ...], any_of: tuple[str, ...]) -> bool:
    return set(needed) <= set(labels) and (not any_of or not set(any_of).isdisjoint(labels))


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
