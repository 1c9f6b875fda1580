"""Incident: what went wrong once, from its first breach to its end, as a story.

Owns its data and their form in the store. Times are steady seconds since 1970 (`core.monitor.clock`). Everything is frozen;
every change is a new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from core.monitor.alerts.judge import NONE
from core.monitor.alerts.words import counted

STORY_MOST = 200  # Entries; the first and the newest are kept.
OVER = 3  # A told level: also its end was told, or nothing more is to be told of it.
EntryKind = Literal[
    "opened", "joined", "cause", "escalated", "told", "untold", "acknowledged", "remedy", "note", "over", "resolved"
]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened in it; `who` is empty where the console did it."""

    at: float
    kind: EntryKind
    text: str
    who: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """One rule's part in it: the worst level, since when, what was wrong, and how many samples (`noun`) felt it."""

    rule: str
    level: int
    since: float
    text: str
    felt: int = 0
    over_at: float | None = None
    noun: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """Somebody looks after it: it is not repeated until then."""

    who: str
    why: str
    at: float
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One incident: `cause` is the rule that explains all of it; `told_level`, `noted`: what was told of it."""

    key: str
    cause: str
    title: str
    level: int
    opened_at: float
    resolved_at: float | None = None
    breaches: tuple[Breach, ...] = ()
    story: tuple[Entry, ...] = ()
    felt: int = 0
    told_level: int = NONE
    told_at: float | None = None
    noted: bool = False
    acknowledged: Acknowledgement | None = None

    @property
    def open(self) -> bool:
        """Whether it goes on."""
        return self.resolved_at is None

    @property
    def running(self) -> frozenset[str]:
        """The rules whose breach goes on."""
        return frozenset(breach.rule for breach in self.breaches if breach.over_at is None)

    @property
    def felt_by(self) -> str:
        """Who felt it: requests, or the samples of its cause where none is known to have; empty: nobody."""
        if self.felt:
            return counted(self.felt, "requests")
        cause = next((breach for breach in self.breaches if breach.rule == self.cause and breach.noun and breach.felt), None)
        return "" if cause is None else counted(cause.felt, cause.noun)

    def acknowledged_at(self, now: float) -> bool:
        """Whether somebody looks after it now."""
        return self.acknowledged is not None and now < self.acknowledged.until

    def with_entry(self, entry: Entry) -> Incident:
        """The same with one more entry of its story."""
        story = (*self.story, entry)
        return replace(self, story=story if len(story) <= STORY_MOST else (story[0], *story[2:]))

    def with_breach(self, breach: Breach) -> Incident:
        """The same with a breach added, or replaced by its newer state."""
        others = tuple(item for item in self.breaches if item.rule != breach.rule)
        return replace(self, breaches=(*others, breach), level=max(self.level, breach.level))


def to_document(incident: Incident, shift_seconds: float) -> dict[str, Any]:
    """As JSON, in seconds of the wall clock."""
    return asdict(shifted(incident, shift_seconds))


def from_document(document: Mapping[str, Any], shift_seconds: float) -> Incident:
    """Out of JSON."""
    values = dict(document)
    acknowledged = values["acknowledged"]
    values["acknowledged"] = Acknowledgement(**acknowledged) if acknowledged else None
    values["breaches"] = tuple(Breach(**item) for item in values["breaches"])
    values["story"] = tuple(Entry(**item) for item in values["story"])
    return shifted(Incident(**values), shift_seconds)


def shifted(incident: Incident, seconds: float) -> Incident:
    """The same with every time moved, from one clock to another."""
    if not seconds:
        return incident

    def move(at: float | None) -> float | None:
        return None if at is None else at + seconds

    acknowledged = incident.acknowledged
    return replace(
        incident,
        opened_at=incident.opened_at + seconds,
        resolved_at=move(incident.resolved_at),
        told_at=move(incident.told_at),
        breaches=tuple(replace(item, since=item.since + seconds, over_at=move(item.over_at)) for item in incident.breaches),
        story=tuple(replace(item, at=item.at + seconds) for item in incident.story),
        acknowledged=acknowledged and replace(acknowledged, at=acknowledged.at + seconds, until=acknowledged.until + seconds),
    )
