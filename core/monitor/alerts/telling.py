"""Telling: what is told to whom and when; pure.

Owns the rule that only a critical incident may wake somebody: at once when it becomes critical, again after hours while nobody
looks after it, and when it is over. Warnings wait for one note in the morning.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from core.monitor.alerts.incident import Incident
from core.monitor.alerts.judge import CRITICAL, WARNING
from core.monitor.alerts.words import counted, lasting

MessageKind = Literal["critical", "repeat", "resolved", "note", "test"]


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: a title of one line and a text of a few."""

    kind: MessageKind
    title: str
    body: str
    incident: str = ""


@dataclass(frozen=True, slots=True)
class NoteHour:
    """When the morning note is due each day."""

    hour: int
    zone: ZoneInfo

    def after(self, at: float) -> float:
        """The first such hour after a moment, both in seconds since 1970."""
        local = datetime.fromtimestamp(at, UTC).astimezone(self.zone)
        due = datetime.combine(local.date(), time(self.hour), self.zone)
        if due <= local:
            due = datetime.combine(local.date() + timedelta(days=1), time(self.hour), self.zone)
        return due.timestamp()


def telling(
    incident: Incident, silenced: Collection[str], repeat_seconds: float, now: float, *, critical_now: bool
) -> MessageKind | None:
    """What is to be told of an incident now, if anything; only what is bad now wakes. `silenced` are rules."""
    if not incident.open:
        return "resolved" if incident.told_level == CRITICAL else None
    if not any(breach.level == CRITICAL and breach.rule not in silenced for breach in incident.breaches if not breach.over_at):
        return None
    if not critical_now:  # A silence ended, or the console was restarted, when the worst was over.
        return None
    if incident.told_level < CRITICAL:
        return "critical"
    repeated = incident.told_at is not None and now - incident.told_at >= repeat_seconds
    return "repeat" if repeated and not incident.acknowledged_at(now) else None


def message(incident: Incident, kind: MessageKind, environment: str, link: str, advice: str, now: float) -> Message:
    """The words of it."""
    age = lasting((incident.resolved_at or now) - incident.opened_at)
    head = {"critical": "Not fine", "repeat": f"Still not fine, {age}", "resolved": f"Resolved after {age}"}[kind]
    lines = [breach.text for breach in incident.breaches if breach.text != incident.title]
    if incident.felt_by:
        lines.append(f"{incident.felt_by} felt it")
    if kind != "resolved":
        lines.append(f"Next: {advice}")
    return Message(kind, f"{environment}: {head}: {incident.title}", "\n".join([*lines, link]), incident.key)


def waits_for_note(incident: Incident, hour: NoteHour, shift_seconds: float, now: float) -> bool:
    """Whether the morning note that follows an incident's opening has come, and it was not told in any other way."""
    untold = not incident.noted and incident.level >= WARNING and incident.told_level < CRITICAL
    return untold and hour.after(incident.opened_at + shift_seconds) <= now + shift_seconds


def note(incidents: Sequence[Incident], environment: str, link: str, now: float) -> Message:
    """One note of all that was no reason to wake anybody."""
    lines = [
        f"- {item.title}: " + ("goes on" if item.open else f"over after {lasting((item.resolved_at or now) - item.opened_at)}")
        for item in incidents
    ]
    return Message("note", f"{environment}: {counted(len(incidents), 'warnings')} since yesterday", "\n".join([*lines, link]))
