"""MarkRecords: marks in the console's store, and the operations that are marks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from core.monitor.marks.mark import Kind, Mark, one_line
from core.ports import Rows

KEPT_DAYS = 400
MARKS_MOST = 20_000
OVERLAP = 200  # Ids are drawn before the rows are there: what came late is among the last ones.
MOMENT_SECONDS = 1.0
TITLE_MOST = 300

KINDS: Mapping[str, Kind] = MappingProxyType({
    "warm": "warm", "index": "index", "import": "import", "generate": "import", "load": "load", "remedy": "remedy",
    "cache": "change",
})  # fmt: skip
"""Which operations are marks, and of which kind: what changes how fast the platform is."""


@dataclass(frozen=True, slots=True)
class Operations:
    """Marks by the operation's id, and which of them are not over, as far as the store knows."""

    marks: Mapping[int, Mark]
    running: frozenset[int]


class MarkRecords:
    """Reads and writes; raises DependencyError, SchemaError or QueryError."""

    def __init__(self, store: Rows) -> None:
        self._store = store

    async def add(self, mark: Mark) -> tuple[Mark, bool]:
        """The mark as it is stored, and whether it is new: the same one within a minute is that one."""
        row = await self._store.fetch_one("add_mark", mark.kind, mark.text, mark.who, _utc(mark.at), mark.link)
        assert row is not None
        return _kept(row), row["created"]

    async def kept(self, since: float, last_id: int) -> dict[int, Mark]:
        """The marks since a moment that came after an id, by their id; the newest 20,000 at most."""
        rows = await self._store.fetch_all("marks", _utc(since), max(0, last_id - OVERLAP), MARKS_MOST)
        return {row["id"]: _kept(row) for row in rows}

    async def operations(self, since: float, last_id: int, running: Iterable[int]) -> Operations:
        """The operations that are marks: those after an id, and those that ran at the last look."""
        after = max(0, last_id - OVERLAP)
        rows = await self._store.fetch_all("mark_operations", list(KINDS), _utc(since), after, list(running))
        marks = {row["id"]: _operation(row) for row in rows}
        return Operations(marks, frozenset(row["id"] for row in rows if row["state"] == "running"))

    async def drop(self) -> None:
        """Drop what is older than 400 days."""
        await self._store.execute("marks_drop", KEPT_DAYS)


def _kept(row: Any) -> Mark:
    key, at = f"mark:{row['id']}", row["marked_at"].timestamp()
    text, who = one_line(row["text"]), one_line(row["marked_by"])
    return Mark(key=key, kind=row["kind"], text=text, at=at, who=who, link=row["link"])


def _operation(row: Any) -> Mark:
    """A span, or a moment when it was over within a second; one that has not said a word for a minute runs no more."""
    begun, running = row["started_at"].timestamp(), row["state"] == "running" and not row["silent"]
    over = (row["finished_at"] or row["updated_at"]).timestamp()
    state = "" if row["state"] in ("running", "done") else f": {row['state']}"
    return Mark(
        key=f"operation:{row['id']}",
        kind=KINDS[row["kind"]],
        text=f"{one_line(row['title'])[:TITLE_MOST]}{state}",
        at=begun,
        end=None if running or over - begun < MOMENT_SECONDS else over,
        running=running,
        who=one_line(row["operator"]),
        link=f"/activity?id={row['id']}",
    )


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
