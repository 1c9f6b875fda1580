"""A book of alerts fed with made readings in made time: what tests of the judging and the telling share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from core.monitor.alerts.book import AlertBook, AlertWords
from core.monitor.alerts.incident import Incident
from core.monitor.alerts.judge import Reading
from core.monitor.alerts.rules import Rule, load_rules
from core.monitor.alerts.telling import Message, NoteHour
from core.settings import Settings

START = 1_700_000_000.0
WORDS = AlertWords(environment="test", page="http://127.0.0.1:8501/alerts", note_hour=NoteHour(8, ZoneInfo("UTC")))
RULES = load_rules(Settings())
UP = Reading(0.0, samples=1)
DOWN = Reading(1.0, samples=1)


def enough(value: float, felt: int = 0, felt_new: int = 0) -> Reading:
    """A figure of a thousand samples."""
    return Reading(value, samples=1_000, felt=felt, felt_new=felt_new)


FINE = {
    "postgresql": UP,
    "redis": UP,
    "api_p95": enough(0.03),
    "database_p95": enough(0.01),
    "api_errors": enough(0.0),
    "cache_read_p95": enough(0.0005),
    "cache_hit_rate": enough(0.97),
    "disk": Reading(0.5, samples=1),
    "cpu": Reading(0.3, samples=1),
    "claude_failures": enough(0.0),
    "claude_mean": enough(1.0),
}


@dataclass(slots=True)
class Scene:
    """A book, the time, and all that was told so far."""

    book: AlertBook = field(default_factory=lambda: AlertBook(RULES, WORDS))
    now: float = START
    told: list[tuple[float, Message]] = field(default_factory=list)

    def run(
        self, seconds: float, readings: Mapping[str, Reading] | Callable[[float], Mapping[str, Reading]], tick: float = 5.0
    ) -> None:
        """Let time pass under these readings."""
        end = self.now + seconds
        while self.now < end:
            self.now += tick
            found = readings(self.now) if callable(readings) else readings
            self.told += [(self.now, message) for message in self.book.tick(found, self.now)]

    def kinds(self) -> list[str]:
        """What was told, in its order."""
        return [message.kind for _, message in self.told]

    def open(self) -> Sequence[Incident]:
        """The incidents that go on."""
        return tuple(self.book.incidents.open.values())


def only(*names: str) -> tuple[Rule, ...]:
    """Some of the shipped rules."""
    return tuple(rule for rule in RULES if rule.name in names)
