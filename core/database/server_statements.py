"""ServerStatements: what all clients of the server asked, out of pg_stat_statements, since this process first looked.

Owns the difference between two looks. Refuses to call a mean a percentile: PostgreSQL keeps no distribution of times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

import asyncpg

from core.errors import QueryError
from core.ports import Rows

SHOWN, MOST = 30, 500  # MOST as the query has it.
Key = tuple[int, int, bool]
Availability = Literal["available", "not_installed", "not_loaded", "no_right"]
NEXT_STEPS: Mapping[Availability, str] = {
    "available": "",
    "not_installed": "Run as a superuser in this database: CREATE EXTENSION pg_stat_statements;",
    "not_loaded": "Add pg_stat_statements to shared_preload_libraries of PostgreSQL and restart it.",
    "no_right": "Run as a superuser: GRANT pg_read_all_stats TO {user};",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatement:
    """One normalised statement: calls, seconds and rows; the mean is of these calls, not of all times."""

    query_id: int
    text: str
    calls: int
    seconds: float
    rows: int
    pages: int
    pages_read: int

    @property
    def mean_seconds(self) -> float:
        """The mean; what percentiles are, PostgreSQL does not know."""
        return self.seconds / self.calls if self.calls else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLoad:
    """The statements by total time since `since`, or why they cannot be told."""

    availability: Availability
    next_step: str = ""
    since: datetime | None = None
    seconds: float = 0.0
    statements: tuple[ServerStatement, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Whether pg_stat_statements can be read, when it was reset, and how often it forgot statements for want of room."""

    availability: Availability = "available"
    next_step: str = ""
    reset_at: datetime | None = None
    forgotten: int = 0


class ServerStatements:
    """Remembers the first look; every further one is told as the difference to it."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._first: dict[Key, ServerStatement] = {}
        self._since: datetime | None = None
        self._reset_at: datetime | None = None

    async def totals(self) -> ServerLoad:
        """Since the statistics were reset."""
        state = await self._state()
        if isinstance(state, ServerLoad):
            return state
        found = [statement for _, statement in await self._read()]
        return _load(found, state)

    async def look(self) -> ServerLoad:
        """Since the first look of this process; raises DependencyError."""
        state = await self._state()
        if isinstance(state, ServerLoad):
            return state
        found = await self._read()
        if self._since is None or state != self._reset_at or any(_went_back(self._first.get(key), now) for key, now in found):
            self._first, self._since, self._reset_at = dict(found), datetime.now(UTC), state
        # Where the first look was full, one that is new since may be old: its count then is not known.
        full = len(self._first) >= MOST
        return _load([_less(now, self._first.get(key)) for key, now in found if key in self._first or not full], self._since)

    async def _state(self) -> ServerLoad | datetime | None:
        """When the statistics were reset, or why they cannot be read."""
        state = await read_statistics(self._rows)
        if state.availability != "available":
            return ServerLoad(availability=state.availability, next_step=state.next_step)
        return state.reset_at

    async def _read(self) -> list[tuple[Key, ServerStatement]]:
        rows = await self._rows.fetch_all("server_statements")
        return [((row["userid"], row["queryid"], row["toplevel"]), _statement(row)) for row in rows]


async def read_statistics(rows: Rows) -> Statistics:
    """Raises DependencyError, QueryError."""
    row = await rows.fetch_one("server_statements_state")
    if row is None or not row["installed"]:
        return _unavailable("not_installed")
    if not row["may_read"]:
        return _unavailable("no_right", row["user_name"])
    try:
        info = await rows.fetch_one("server_statements_reset")
    except QueryError as error:
        if isinstance(error.__cause__, asyncpg.ObjectNotInPrerequisiteStateError):
            return _unavailable("not_loaded")
        raise
    return Statistics(reset_at=info["stats_reset"], forgotten=info["forgotten"]) if info else Statistics()


def _unavailable(why: Availability, user: str = "") -> Statistics:
    return Statistics(availability=why, next_step=NEXT_STEPS[why].format(user=user))


def _statement(row: asyncpg.Record) -> ServerStatement:
    return ServerStatement(
        query_id=row["queryid"],
        text=" ".join(row["query"].split()),
        calls=row["calls"],
        seconds=row["seconds"],
        rows=row["rows"],
        pages=row["hit"] + row["read"],
        pages_read=row["read"],
    )


def _load(statements: Sequence[ServerStatement], since: datetime | None) -> ServerLoad:
    asked = sorted((item for item in statements if item.calls), key=lambda item: -item.seconds)
    seconds = sum(item.seconds for item in asked)
    return ServerLoad(availability="available", since=since, seconds=seconds, statements=tuple(asked[:SHOWN]))


def _less(now: ServerStatement, first: ServerStatement | None) -> ServerStatement:
    if first is None:
        return now
    return replace(
        now,
        calls=now.calls - first.calls,
        seconds=now.seconds - first.seconds,
        rows=now.rows - first.rows,
        pages=now.pages - first.pages,
        pages_read=now.pages_read - first.pages_read,
    )


def _went_back(first: ServerStatement | None, now: ServerStatement) -> bool:
    """A statement that was forgotten and met again starts anew; so does every count of it."""
    return first is not None and now.calls < first.calls
