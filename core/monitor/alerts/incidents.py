"""Incidents: every rule judged at every tick, and what is broken gathered into one incident per cause.

Owns the conditions of the rules and the open incidents; pure but for that: the readings and the time are arguments. Refuses to
lose a rise: a warning that becomes critical changes its incident's level whatever was told before.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

from core.monitor.alerts.grouping import Grouping
from core.monitor.alerts.incident import OVER, Breach, Entry, EntryKind, Incident
from core.monitor.alerts.judge import BLIND, CRITICAL, GAP_SECONDS, WARNING, Condition, Reading, judge
from core.monitor.alerts.rules import Rule
from core.monitor.alerts.words import lasting, wrong

RESOLVED_KEPT = 200
EXPLAINS_SECONDS = 1_800.0  # What has been so for longer does not explain what begins now; a server that is down always does.
LEVELS = {CRITICAL: "critical", WARNING: "a warning"}


class Incidents:
    """Judges; the caller serialises. `changed` holds the keys of incidents whose story went on, until the caller takes them."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = {rule.name: rule for rule in rules}
        self.conditions = {rule.name: Condition() for rule in rules}
        self.open: dict[str, Incident] = {}
        self.resolved: deque[Incident] = deque(maxlen=RESOLVED_KEPT)
        self.changed: set[str] = set()
        self.seen_since: float | None = None  # Since when requests can be judged, without a break.
        self._judged_at = float("-inf")
        self._grouping = Grouping(rules)
        self._order = {rule.name: place for place, rule in enumerate(rules)}

    def use(self, rules: Sequence[Rule]) -> None:
        """Judge by these numbers from now on; the names are the same. What lasted by other limits begins anew."""
        for rule in rules:
            if rule != self.rules[rule.name]:
                self.conditions[rule.name] = self.conditions[rule.name]._replace(judged_at=float("-inf"))
        self.rules = {rule.name: rule for rule in rules}

    def judge(self, readings: Mapping[str, Reading], now: float) -> None:
        """One tick: every rule by its reading; a rule without one has no data."""
        before = self.conditions
        self.conditions = {
            name: judge(rule, before[name], readings.get(name, Reading()), now) for name, rule in self.rules.items()
        }
        self._see(now)
        running = {name for incident in self.open.values() for name in incident.running}
        for name, condition in self.conditions.items():
            if condition.level or name in running:
                self._follow(name, before[name].level, condition, now)
        for key in tuple(self.open):
            self._find_cause(key, now)
        for incident in tuple(self.open.values()):
            felt = self.open[incident.key] = self._felt(incident)
            if not felt.running:
                self._resolve(felt, now)

    def advice(self, incident: Incident) -> str:
        """What to do about its cause."""
        return self.conditions[incident.cause].reading.advice or self.rules[incident.cause].runbook

    def critical_now(self, incident: Incident) -> bool:
        """Whether a figure of it lies beyond a critical limit at this moment; its level is the worst that it had."""
        return any(self.conditions[name].critical_since is not None for name in incident.running if name in self.conditions)

    def get(self, key: str) -> Incident | None:
        """An incident, open or among the last that were resolved."""
        return self.open.get(key) or next((item for item in self.resolved if item.key == key), None)

    def put(self, incident: Incident) -> None:
        """A newer state of an incident, to be stored too."""
        if incident.open:
            self.open[incident.key] = incident
        else:
            self.open.pop(incident.key, None)
            others = [item for item in self.resolved if item.key != incident.key]
            self.resolved = deque(sorted([*others, incident], key=lambda item: item.resolved_at or 0.0), RESOLVED_KEPT)
        self.changed.add(incident.key)

    def restore(self, incident: Incident, now: float) -> None:
        """Take up an incident of the console's last run; its rules go on from the level that they had."""
        if self.get(incident.key) is not None:
            return
        incident = self._known(incident, now)
        fresh = next((item for item in self.open.values() if item.running & incident.running), None)
        if not incident.open:
            self.put(incident)
            self.changed.discard(incident.key)
        elif fresh is not None:  # It was found anew before the store answered.
            self._absorb(fresh, incident, now)
        else:
            for breach in incident.breaches:
                if breach.over_at is None and breach.rule in self.rules:
                    condition = self.conditions[breach.rule]
                    level = max(condition.level, breach.level)
                    restored = condition._replace(level=level, breached_at=breach.since, felt=breach.felt)
                    self.conditions[breach.rule] = restored
            self._say(incident, "note", "The console was restarted", now)

    def _see(self, now: float) -> None:
        requests = [name for name, rule in self.rules.items() if rule.requests]
        if all(self.conditions[name].state in BLIND for name in requests):
            self.seen_since = None
        elif self.seen_since is None or now - self._judged_at > GAP_SECONDS:
            self.seen_since = now
        self._judged_at = now

    def _known(self, incident: Incident, now: float) -> Incident:
        """Without what rules of another version found: nothing will judge it any more."""
        breaches = tuple(
            breach if breach.rule in self.rules or breach.over_at is not None else replace(breach, over_at=now)
            for breach in incident.breaches
        )
        if incident.cause in self.rules:
            return replace(incident, breaches=breaches)
        return replace(incident, breaches=breaches, resolved_at=incident.resolved_at or now, told_level=OVER, noted=True)

    def _follow(self, name: str, level_before: int, condition: Condition, now: float) -> None:
        """Put what has changed of one rule into its incident."""
        incident = next((item for item in self.open.values() if name in item.running), None)
        if condition.level and (incident is None or condition.level > level_before):
            self._rise(name, condition, incident, now)
        elif incident is not None and not condition.level:
            self._end(name, condition, incident, now)

    def _rise(self, name: str, condition: Condition, incident: Incident | None, now: float) -> None:
        text = wrong(self.rules[name], condition.reading)
        since = now if condition.breached_at is None else condition.breached_at
        noun = "" if self.rules[name].kind == "probe" else self.rules[name].felt
        breach = Breach(rule=name, level=condition.level, since=since, text=text, felt=condition.felt, noun=noun)
        if incident is not None:
            self._say(incident.with_breach(breach), "escalated", f"Now {LEVELS[condition.level]}: {text}", now)
            return
        explaining = self._explaining(since)
        cause = self._grouping.root(name, explaining)
        known = next((item for item in self.open.values() if self._belongs(breach, cause, item, explaining)), None)
        if known is not None:
            self._say(known.with_breach(breach), "joined", text, now)
            return
        title = text if cause == name else self._cause_text(cause)
        opened = Incident(key=uuid.uuid4().hex[:12], cause=cause, title=title, level=condition.level, opened_at=now)
        self._say(opened.with_breach(breach), "opened", f"{text}, since {lasting(now - since)}", now)
        if cause != name:
            self._say(self.open[opened.key], "cause", title, now)

    def _belongs(self, breach: Breach, cause: str, incident: Incident, explaining: set[str]) -> bool:
        """Whether a breach with that cause is part of an incident: both have one cause, or one of them is the other's."""
        name, explains = breach.rule, self._grouping.explains
        if cause == incident.cause or (incident.cause in explaining and explains(incident.cause, name)):
            return True  # What is told already goes before what is only believed, such as a busy CPU.
        deeper = explains(name, incident.cause) or (cause != name and explains(cause, incident.cause))
        return deeper and self._takes(incident, breach.since)

    def _takes(self, incident: Incident, since: float) -> bool:
        """Whether what began at a moment may be its cause; to one that was told long before, that is news of its own."""
        return incident.told_level < CRITICAL or since <= incident.opened_at + EXPLAINS_SECONDS

    def _find_cause(self, key: str, now: float) -> None:
        """A deeper cause that has been found since takes the incident over, and other incidents that it explains too."""
        incident = self.open.get(key)
        if incident is None or not incident.running:
            return
        cause = self._cause(incident)
        if cause != incident.cause:
            title = self._cause_text(cause)
            incident = replace(incident, cause=cause, title=title)
            self._say(incident, "cause", title, now)
        for other in tuple(self.open.values()):
            same = other.cause == cause or self._grouping.explains(cause, other.cause)
            recent = other.opened_at >= incident.opened_at - EXPLAINS_SECONDS
            if other.key != key and same and recent:
                self._absorb(self.open[key], other, now)

    def _cause(self, incident: Incident) -> str:
        """The deepest rule with a level that explains it; one that was only believed gives way when it comes to nothing."""
        begun = min(breach.since for breach in incident.breaches)
        found = {name: self.conditions[name].breached_at or begun for name in self._explaining(begun)}
        explaining = {name for name, since in found.items() if self._takes(incident, since)}
        proven = {name for name in explaining if self.conditions[name].level}
        if incident.cause in {breach.rule for breach in incident.breaches} or incident.cause in explaining:
            return self._grouping.root(incident.cause, proven)
        return min((self._grouping.root(name, proven) for name in incident.running), key=lambda name: self._order[name])

    def _absorb(self, incident: Incident, other: Incident, now: float) -> None:
        """One cause, one incident: what was told of either counts."""
        for breach in other.breaches:
            if breach.rule not in incident.running:
                incident = incident.with_breach(breach)
        joined = replace(
            incident,
            opened_at=min(incident.opened_at, other.opened_at),
            felt=max(incident.felt, other.felt),
            told_level=max(incident.told_level, other.told_level),
            told_at=incident.told_at or other.told_at,
            acknowledged=incident.acknowledged or other.acknowledged,
        )
        self._say(joined, "joined", f"It explains what began as: {other.title}", now)
        over = replace(other, resolved_at=now, told_level=OVER, noted=True)
        self._say(over, "resolved", f"It is a part of {incident.key}: {incident.title}", now)

    def _end(self, name: str, condition: Condition, incident: Incident, now: float) -> None:
        breach = next(item for item in incident.breaches if item.rule == name)
        rule, seen = self.rules[name], condition.state not in BLIND
        text = f"{rule.title} {'is switched off' if not rule.enabled else 'is kept again' if seen else 'has no more data'}"
        self._say(incident.with_breach(replace(breach, over_at=now, felt=max(breach.felt, condition.felt))), "over", text, now)

    def _resolve(self, incident: Incident, now: float) -> None:
        felt = f"; {incident.felt_by} felt it" if incident.felt_by else ""
        text = f"Resolved after {lasting(now - incident.opened_at)}{felt}"
        self._say(replace(incident, resolved_at=now), "resolved", text, now)

    def _felt(self, incident: Incident) -> Incident:
        """The same with what its rules have counted by now; a slow request that failed counts once."""
        for breach in incident.breaches:
            felt = self.conditions[breach.rule].felt if breach.rule in self.conditions else 0
            if breach.over_at is None and felt > breach.felt:
                incident = incident.with_breach(replace(breach, felt=felt))
        requests = [
            self.conditions[rule.name].felt
            for rule in self.rules.values()
            if rule.requests and (rule.name in incident.running or self._grouping.explains(incident.cause, rule.name))
        ]
        return replace(incident, felt=max(incident.felt, *requests, 0))

    def _explaining(self, since: float) -> set[str]:
        """What is beyond its limit and may explain what began at a moment."""
        return {
            name
            for name, condition in self.conditions.items()
            if condition.breached
            and (self.rules[name].kind == "dependency" or (condition.breached_at or since) >= since - EXPLAINS_SECONDS)
        }

    def _cause_text(self, cause: str) -> str:
        return wrong(self.rules[cause], self.conditions[cause].reading)

    def _say(self, incident: Incident, kind: EntryKind, text: str, now: float) -> None:
        self.put(incident.with_entry(Entry(now, kind, f"{text}.")))


def worst_first(incidents: Sequence[Incident]) -> tuple[Incident, ...]:
    """The highest level first, then what most requests felt, then the oldest."""
    return tuple(sorted(incidents, key=lambda item: (-item.level, -item.felt, item.opened_at)))
