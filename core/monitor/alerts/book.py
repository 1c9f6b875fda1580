"""AlertBook: the incidents, what is told of them, and what operators said: silences, acknowledgements, other limits.

Owns all that alerts remember, in memory; pure but for that. Readings and time are arguments, so that a week passes in a test
within a second. What the store does not know yet lies in `unwritten`.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.errors import UsageError
from core.monitor.alerts.incident import OVER, Acknowledgement, Entry, EntryKind, Incident
from core.monitor.alerts.incidents import Incidents
from core.monitor.alerts.judge import CRITICAL, Reading
from core.monitor.alerts.records import Kept, RuleChange, Unwritten
from core.monitor.alerts.rules import Rule, change, changed
from core.monitor.alerts.silence import EVERYTHING, SILENCE_MOST_SECONDS, Silence, silenced
from core.monitor.alerts.telling import Message, MessageKind, NoteHour, message, note, telling, waits_for_note
from core.monitor.alerts.trend import EVERY_SECONDS, POINTS, Trend, trend

RETRY_UNTOLD_SECONDS = 900.0
WHY_MOST_CHARACTERS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertWords:
    """What stands in every message: the environment's name, the address of the page, and when the morning note is due."""

    environment: str
    page: str
    note_hour: NoteHour


class AlertBook:
    """The caller serialises; times are steady seconds, and `shift_seconds` is what the wall clock is ahead of them."""

    def __init__(self, rules: Sequence[Rule], words: AlertWords) -> None:
        self.shipped = tuple(rules)
        self.incidents = Incidents(rules)
        self.silences: dict[str, Silence] = {}
        self.changes: dict[str, RuleChange] = {}
        self.unwritten = Unwritten()
        self._words = words
        self._values: dict[str, deque[float]] = {rule.name: deque(maxlen=POINTS) for rule in rules}
        self._valued_at = float("-inf")
        self.revision = 0  # Another number after every change, for those who keep what they made of it.

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules with the numbers that are judged by."""
        return tuple(self.incidents.rules.values())

    def tick(self, readings: Mapping[str, Reading], now: float, shift_seconds: float = 0.0) -> list[Message]:
        """Judge once; returns what is to be told now."""
        self.incidents.judge(readings, now)
        self._value(readings, now)
        mute = self.silenced(now + shift_seconds)
        over = (incident for incident in self.incidents.resolved if incident.told_level == CRITICAL)
        incidents = (*self.incidents.open.values(), *over)
        messages = [told for incident in incidents if (told := self._tell(incident, mute, now)) is not None]
        messages += self._note(now, shift_seconds)
        self._collect()
        return messages

    def delivered(self, told: Message, error: str, now: float, *, again: bool = True) -> None:
        """Put into the story what became of a message; one that reached nobody is due again soon, if it can help (`again`)."""
        incident = self.incidents.get(told.incident)
        if incident is None:
            return
        if error and again and incident.open and incident.told_at is not None:
            repeat = self.incidents.rules[incident.cause].repeat_seconds
            incident = replace(incident, told_at=now - repeat + RETRY_UNTOLD_SECONDS)
        text = f"Not told: {error}" if error else "Told" if told.kind != "resolved" else "Told that it is over"
        self._enter(incident, "untold" if error else "told", text, "", now)

    def acknowledge(self, key: str, *, who: str, why: str, seconds: float, now: float) -> Incident:
        """Somebody looks after it: it is not repeated for a time, and told at once if it becomes worse. Raises UsageError."""
        incident = self.incidents.open.get(key)
        if incident is None:
            raise UsageError(f"There is no open incident {key}.", "Look at the list of open ones.")
        _check(why, seconds)
        acknowledged = Acknowledgement(who=who, why=why.strip(), at=now, until=now + seconds)
        self._enter(replace(incident, acknowledged=acknowledged), "acknowledged", why.strip(), who, now)
        return self.incidents.open[key]

    def remark(self, key: str, text: str, who: str, now: float) -> None:
        """Put into the story what a remedy did about an incident; one that is not known any more has no story."""
        incident = self.incidents.get(key)
        if incident is not None:
            self._enter(incident, "remedy", text, who, now)

    def silence(self, rule: str, *, who: str, why: str, seconds: float, wall: float) -> Silence:
        """Have a rule, or EVERYTHING, tell nobody for a time; raises UsageError."""
        if rule != EVERYTHING and rule not in self.incidents.rules:
            raise UsageError(f"There is no rule {rule}.", f"Choose one of {', '.join(self.incidents.rules)}, or {EVERYTHING}.")
        _check(why, seconds)
        key = uuid.uuid4().hex[:12]
        made = Silence(key=key, rule=rule, who=who, why=why.strip(), begun_at=wall, until=wall + seconds)
        self.silences[key] = self.unwritten.silences[key] = made
        self._collect()
        return made

    def end_silence(self, key: str, *, who: str) -> Silence:
        """Let it tell again; raises UsageError."""
        if key not in self.silences:
            raise UsageError(f"There is no silence {key}.", "Look at the list of those that hold.")
        ended = replace(self.silences[key], ended_by=who)
        self.silences[key] = self.unwritten.silences[key] = ended
        self._collect()
        return ended

    def change_rule(self, rule: str, values: Mapping[str, Any], *, who: str, why: str, wall: float) -> Rule:
        """Judge a rule by other numbers from now on, or by the shipped ones where there are no values; raises UsageError."""
        shipped = next((item for item in self.shipped if item.name == rule), None)
        if shipped is None:
            raise UsageError(f"There is no rule {rule}.", f"Choose one of {', '.join(self.incidents.rules)}.")
        _check(why, 1.0)
        change(shipped, values)
        made = RuleChange(rule, dict(values), who, why.strip(), wall)
        self.changes[rule] = self.unwritten.changes[rule] = made
        self._use_changes()
        self._collect()
        return self.incidents.rules[rule]

    def restore(self, kept: Kept, now: float) -> None:
        """Take up what the last run of the console left; what was said since has the last word."""
        self.silences = {silence.key: silence for silence in kept.silences} | self.silences
        self.changes = {made.rule: made for made in kept.changes} | self.changes
        self._use_changes()
        for incident in kept.incidents:
            self.incidents.restore(incident, now)
        self._collect()

    def silenced(self, wall: float) -> frozenset[str]:
        """The rules that tell nobody now."""
        return silenced(tuple(self.silences.values()), tuple(self.incidents.rules), wall)

    def trend(self, rule: Rule) -> Trend:
        """How its figure has moved in the last half hour."""
        return trend(rule, tuple(self._values[rule.name]))

    def _tell(self, incident: Incident, mute: frozenset[str], now: float) -> Message | None:
        rule = self.incidents.rules[incident.cause]
        kind: MessageKind | None = telling(
            incident, mute, rule.repeat_seconds, now, critical_now=self.incidents.critical_now(incident)
        )
        if kind is None:
            return None
        link = f"{self._words.page}?incident={incident.key}"
        told = message(incident, kind, self._words.environment, link, self.incidents.advice(incident), now)
        self.incidents.put(replace(incident, told_level=CRITICAL if incident.open else OVER, told_at=now, noted=True))
        return told

    def _note(self, now: float, shift_seconds: float) -> list[Message]:
        known = (*self.incidents.resolved, *self.incidents.open.values())
        due = [item for item in known if waits_for_note(item, self._words.note_hour, shift_seconds, now)]
        mute = self.silenced(now + shift_seconds)
        for incident in due:
            self.incidents.put(replace(incident, noted=True))
        said = [item for item in due if not {breach.rule for breach in item.breaches} <= mute]
        return [note(said, self._words.environment, self._words.page, now)] if said else []

    def _value(self, readings: Mapping[str, Reading], now: float) -> None:
        if now - self._valued_at < EVERY_SECONDS:
            return
        self._valued_at = now
        for name, values in self._values.items():
            condition = self.incidents.conditions[name]
            if (
                name in readings
                and readings[name].value is not None
                and condition.state not in ("no_data", "stale", "warming_up")
            ):
                values.append(readings[name].value or 0.0)

    def _enter(self, incident: Incident, kind: EntryKind, text: str, who: str, now: float) -> None:
        self.incidents.put(incident.with_entry(Entry(now, kind, text, who)))
        self._collect()

    def _use_changes(self) -> None:
        self.incidents.use(changed(self.shipped, {made.rule: made.values for made in self.changes.values()}))

    def _collect(self) -> None:
        self.revision += 1
        for key in self.incidents.changed:
            if (incident := self.incidents.get(key)) is not None:
                self.unwritten.incidents[key] = incident
        self.incidents.changed = set()


def _check(why: str, seconds: float) -> None:
    if not 0 < len(why.strip()) <= WHY_MOST_CHARACTERS:
        raise UsageError("The reason is missing, or too long.", f"Say why, in at most {WHY_MOST_CHARACTERS} characters.")
    if not 0 < seconds <= SILENCE_MOST_SECONDS:
        raise UsageError("The time is out of bounds.", "Choose at most seven days.")
