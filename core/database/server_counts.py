"""ServerCounts: how far the counters of the whole server stand at one look: statements of all programs, and connections.

Owns what the differences of two looks mean: a statement that was forgotten and met again began at nothing. Refuses to create
what is missing, and to count the statements of those who look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.database.server_statements import Availability, Key, read_statistics
from core.errors import QueryError, SchemaError
from core.ports import Rows

READ_MOST = 5_000  # Statements, as the query has it, and the default of pg_stat_statements.max.
TEXTS_KEPT = 50
LOOKS_KEPT = 200
LOOKS_SURE = 30  # Between two questions whether the statistics may still be read.
Count = tuple[int, float]  # Calls and seconds.
NONE: Count = (0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCounts:
    """One look; two of them can be compared while `since` is the same.

    `statements` are without those of who looks; `full`: there may be more than were read.
    """

    connections: int
    max_connections: int
    started_at: datetime
    standby: bool
    availability: Availability = "available"
    next_step: str = ""
    reset_at: datetime | None = None
    forgotten: int = 0
    full: bool = False
    statements: Mapping[Key, Count] = field(default_factory=dict)

    @property
    def since(self) -> tuple[datetime, bool, datetime | None]:
        """What changes when the counters begin anew: with a restart, another server, a reset."""
        return self.started_at, self.standby, self.reset_at

    def moved(self, before: ServerCounts) -> dict[Key, Count]:
        """What each statement has added since an earlier look that can be compared."""
        pairs = (
            (key, count, before.statements.get(key, NONE))
            for key, count in self.statements.items()
            if key in before.statements or not before.full  # One that is new may be old: what it added is not known.
        )
        added = ((key, count if count[0] < then[0] else (count[0] - then[0], count[1] - then[1])) for key, count, then in pairs)
        return {key: (calls, max(0.0, seconds)) for key, (calls, seconds) in added if calls}


class ServerCounter:
    """Looks at one server, past the pool that is watched; `application` is how those who look are called there."""

    def __init__(self, rows: Rows, application: str) -> None:
        self._rows = rows
        self._application = application
        self._sure_for = 0
        self._looks: dict[int, None] = {}
        self._texts: dict[int, str] = {}

    async def look(self) -> ServerCounts:
        """One round trip while the statistics can be read; raises DependencyError, SchemaError or QueryError."""
        if self._sure_for <= 0:
            state = await read_statistics(self._rows)
            if state.availability != "available":
                now = await self._rows.fetch_one("server_now")
                return ServerCounts(**_server(now), availability=state.availability, next_step=state.next_step)
            self._sure_for = LOOKS_SURE
        try:
            row: Any = await self._rows.fetch_one("server_counts", self._application)
        except (QueryError, SchemaError):
            self._sure_for = 0  # The next look says why.
            raise
        self._sure_for -= 1
        self._remember(row["looks"])
        keys = zip(row["userids"], row["queryids"], row["toplevels"], strict=True)
        counts = zip(keys, zip(row["calls"], row["seconds"], strict=True), strict=True)
        statements = {key: count for key, count in counts if key[1] not in self._looks}
        full = len(row["queryids"]) >= READ_MOST
        return ServerCounts(
            **_server(row), reset_at=row["stats_reset"], forgotten=row["forgotten"], full=full, statements=statements
        )

    async def text(self, query_id: int) -> str:
        """A statement's text in one line; empty where it was forgotten meanwhile. Raises as `look` does."""
        if query_id not in self._texts:
            found = await self._rows.fetch_value("server_statement_text", query_id)
            while len(self._texts) >= TEXTS_KEPT:
                del self._texts[next(iter(self._texts))]
            self._texts[query_id] = " ".join((found or "").split())
        return self._texts[query_id]

    def _remember(self, looks: Iterable[int]) -> None:
        for query_id in looks:
            self._looks.setdefault(query_id)
        while len(self._looks) > LOOKS_KEPT:
            del self._looks[next(iter(self._looks))]


def _server(row: Any) -> dict[str, Any]:
    return {name: row[name] for name in ("connections", "max_connections", "started_at", "standby")}
