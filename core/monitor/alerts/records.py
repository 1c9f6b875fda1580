"""AlertRecords: incidents, silences and changed rules in the console's store.

Owns what is read at the start and what waits to be written: the newest state of each, so that an outage of any length costs no
more than the incidents that it made.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from core.errors import QueryError
from core.monitor.alerts.incident import Incident, from_document, to_document
from core.monitor.alerts.silence import Silence
from core.ports import Rows

log = logging.getLogger(__name__)

T = TypeVar("T")

RECENT = 200
KEPT_SECONDS = 400 * 86_400.0  # As the hours of the history, so that an incident can be laid over them.


@dataclass(frozen=True, slots=True)
class RuleChange:
    """An operator's numbers for one rule; no values: the shipped ones again."""

    rule: str
    values: Mapping[str, Any]
    who: str
    why: str
    at: float


@dataclass(frozen=True, slots=True)
class Kept:
    """What the last run of the console left."""

    incidents: tuple[Incident, ...] = ()
    silences: tuple[Silence, ...] = ()
    changes: tuple[RuleChange, ...] = ()


@dataclass(slots=True)
class Unwritten:
    """The newest state of what the store does not know yet, by key."""

    incidents: dict[str, Incident] = field(default_factory=dict)
    silences: dict[str, Silence] = field(default_factory=dict)
    changes: dict[str, RuleChange] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.incidents) + len(self.silences) + len(self.changes)


class AlertRecords:
    """Raises DependencyError, QueryError or SchemaError; steady seconds are stored as the wall clock has them."""

    def __init__(self, store: Rows) -> None:
        self._store = store

    async def load(self, now: float, shift_seconds: float) -> Kept:
        """Every open incident and the last resolved ones, the silences that may hold, and the changed rules."""
        incidents = await self._store.fetch_all("alert_incidents", RECENT)
        silences = await self._store.fetch_all("alert_silences", _utc(now + shift_seconds))
        changes = await self._store.fetch_all("alert_rules")
        return Kept(
            _read(incidents, lambda document: from_document(document, -shift_seconds)),
            _read(silences, lambda document: Silence(**document)),
            _read(changes, lambda document: RuleChange(**document)),
        )

    async def write(self, unwritten: Unwritten, shift_seconds: float) -> None:
        """Store all of it; what was stored is taken out, unless it has changed meanwhile."""
        for key, incident in tuple(unwritten.incidents.items()):
            document = to_document(incident, shift_seconds)
            resolved_at = None if incident.resolved_at is None else _utc(document["resolved_at"])
            await self._put("incident", key, _utc(document["opened_at"]), resolved_at, document)
            _written(unwritten.incidents, key, incident)
        for key, silence in tuple(unwritten.silences.items()):
            await self._put("silence", key, _utc(silence.until), asdict(silence))
            _written(unwritten.silences, key, silence)
        for key, change in tuple(unwritten.changes.items()):
            await self._put("rule", key, {**asdict(change), "values": dict(change.values)})
            _written(unwritten.changes, key, change)

    async def _put(self, noun: str, key: str, *columns: object) -> None:
        try:
            await self._store.execute(f"alert_{noun}_put", key, *columns)
        except QueryError as error:
            if error.passes:
                raise
            # Words of a server that the store cannot hold: one keeps no other back.
            log.warning("alert_%s_refused key=%s error=%r", noun, key, str(error))

    async def expire(self, wall: float) -> int:
        """Forget what has been over for 400 days: incidents, silences, changes that were taken back; says how much."""
        before = wall - KEPT_SECONDS
        incidents = await self._store.fetch_value("alert_incidents_expire", _utc(before))
        silences = await self._store.fetch_value("alert_silences_expire", _utc(before))
        changes = await self._store.fetch_value("alert_rules_expire", before)
        gone = int(incidents) + int(silences) + int(changes)
        if gone:
            log.info("alerts_expired incidents=%s silences=%s rules=%s", incidents, silences, changes)
        return gone


def _read(rows: Sequence[Any], made: Callable[[Mapping[str, Any]], T]) -> tuple[T, ...]:
    """What can be read; a document that another version wrote in another form is left where it is."""
    found = []
    for row in rows:
        try:
            found.append(made(row["document"]))
        except (TypeError, KeyError, ValueError) as error:
            log.warning("alert_document_unreadable error=%r", str(error))
    return tuple(found)


def _written(waiting: dict[str, Any], key: str, written: object) -> None:
    if waiting.get(key) is written:
        del waiting[key]


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
