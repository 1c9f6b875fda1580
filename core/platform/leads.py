"""Leads: the scoring list, and one lead with what it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import unquote

from asyncpg import Record

from core.cache.entry import ABSENT, Absent
from core.database.pool import Database
from core.platform.bodies import json_body
from core.platform.identity import parse_id
from core.platform.search import SLUG_MOST_CHARACTERS, Search, check, check_text, quoted

OPEN_STATUSES = ("active", "hot", "nurturing")  # Those that somebody can still win.
INTERACTIONS_SHOWN = 200
MOST_LEADS = 500
ID_MOST_CHARACTERS = 100
# Looking through so many takes 10 to 30 ms among a million where ids grow with time, five times that where they do not.
FIND_AMONG, FOUND_MOST, FIND_MOST_CHARACTERS = 20_000, 50, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadSearch(Search):
    """Which open leads are wanted; `status` narrows to one of the open ones."""

    family: ClassVar[str] = "leads"
    market: str | None = None
    status: str | None = None
    min_score: int = 50
    limit: int = 100

    def __post_init__(self) -> None:
        check_text("market", self.market, SLUG_MOST_CHARACTERS)
        check("status", self.status in (None, *OPEN_STATUSES), f"is one of {', '.join(OPEN_STATUSES)}")
        check("min_score", 0 <= self.min_score <= 100, "is between 0 and 100")
        check("limit", 1 <= self.limit <= MOST_LEADS, f"is between 1 and {MOST_LEADS}")


@dataclass(frozen=True, slots=True)
class LeadDetail:
    """One lead and its newest interactions."""

    lead: Record
    interactions: Sequence[Record]


def lead_key(lead_id: str) -> str:
    """The cache key of one lead."""
    return f"lead:{quoted(lead_id)}"


class Leads:
    """Answers which leads to call first, and what is known of one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, wanted: LeadSearch) -> Sequence[Record]:
        """The best open leads by score, with their interactions of the last 30 days."""
        statuses = [wanted.status] if wanted.status else list(OPEN_STATUSES)
        filters = {"market": wanted.market} if wanted.market is not None else {}
        return await self._database.fetch_all("lead_list", statuses, wanted.min_score, wanted.limit, filters=filters)

    async def find(self, text: str) -> Sequence[Record]:
        """Leads of any status with this text in their name or mail address, best first; looks at the newest ones only."""
        check_text("text", text, FIND_MOST_CHARACTERS)
        return await self._database.fetch_all("lead_find", text.lower(), FOUND_MOST, FIND_AMONG)

    async def get(self, lead_id: str) -> LeadDetail | None:
        """One lead with its newest 200 interactions; None when there is no such lead."""
        (id_type,) = await self._database.parameter_types("lead")
        key = parse_id(lead_id, id_type)
        lead = await self._database.fetch_one("lead", key) if key is not None else None
        if lead is None:
            return None
        return LeadDetail(lead, await self._database.fetch_all("lead_interactions", key, INTERACTIONS_SHOWN))

    async def list_body(self, rest: str) -> bytes:
        """Loads `leads:<search>`; raises UsageError for another form of the search."""
        return json_body({"items": await self.list(LeadSearch.parse(rest))})

    async def body(self, rest: str) -> bytes | Absent:
        """Loads `lead:<id>`."""
        found = await self.get(unquote(rest))
        if found is None:
            return ABSENT
        return json_body({**dict(found.lead), "interactions": found.interactions})
