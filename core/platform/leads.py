"""Leads: the scoring list, and one lead with what it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asyncpg import Record

from core.database.pool import Database
from core.platform.identity import parse_id

OPEN_STATUSES = ("active", "hot", "nurturing")  # Those that somebody can still win.
INTERACTIONS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class LeadDetail:
    """One lead and its newest interactions."""

    lead: Record
    interactions: Sequence[Record]


class Leads:
    """Answers which leads to call first, and what is known of one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self, *, market: str | None = None, status: str | None = None, min_score: int = 50, limit: int = 100
    ) -> Sequence[Record]:
        """The best open leads by score, with their interactions of the last 30 days; `status` narrows to one of them."""
        statuses = [status] if status else list(OPEN_STATUSES)
        filters = {"market": market} if market is not None else {}
        return await self._database.fetch_all("lead_list", statuses, min_score, limit, filters=filters)

    async def get(self, lead_id: str) -> LeadDetail | None:
        """One lead with its newest 200 interactions; None when there is no such lead."""
        (id_type,) = await self._database.parameter_types("lead")
        key = parse_id(lead_id, id_type)
        lead = await self._database.fetch_one("lead", key) if key is not None else None
        if lead is None:
            return None
        return LeadDetail(lead, await self._database.fetch_all("lead_interactions", key, INTERACTIONS_SHOWN))
