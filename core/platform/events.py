"""Events: interactions of leads and analytics events, stored in batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.database.pool import Database
from core.errors import TargetError
from core.platform.changes import PlatformChanges
from core.settings import Settings

UNKNOWN_LEAD = "There is no lead with this lead_id."
UNKNOWN_MARKET = "There is no market with this slug."


@dataclass(frozen=True, slots=True)
class Rejected:
    """One event that was not stored: its position in the batch and why."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class StoredEvents:
    """How many events of a batch were stored, and which were not."""

    accepted: int
    rejected: tuple[Rejected, ...]


class Events:
    """Stores what happens on the platform."""

    def __init__(self, settings: Settings, database: Database, changes: PlatformChanges) -> None:
        self._settings = settings
        self._changes = changes
        self._database = database

    async def store(
        self, interactions: Mapping[int, Mapping[str, Any]], analytics: Mapping[int, Mapping[str, Any]]
    ) -> StoredEvents:
        """Store both kinds, given by their position in the batch, in one transaction; raises TargetError in mode watch.

        When this returns, no answer about one of these leads is older than the batch.
        """
        if self._settings.effective_mode != "operate":
            raise TargetError(
                "This platform is only watched (MODE=watch): no event is stored.", "Set MODE=operate to let it be written."
            )
        stored: set[int] = set()
        try:
            async with self._database.transaction() as connection:
                for name, events in (("add_interactions", interactions), ("add_analytics_events", analytics)):
                    if events:
                        batch = [{"position": position, **event} for position, event in events.items()]
                        rows = await connection.fetch(self._database.sql(name), batch)
                        stored.update(row["position"] for row in rows)
        finally:  # Also of a commit whose answer was lost on the way.
            await self._changes.interactions_of({event["lead_id"] for event in interactions.values()})
        reasons = dict.fromkeys(interactions, UNKNOWN_LEAD) | dict.fromkeys(analytics, UNKNOWN_MARKET)
        rejected = tuple(Rejected(index, reason) for index, reason in sorted(reasons.items()) if index not in stored)
        return StoredEvents(len(stored), rejected)
