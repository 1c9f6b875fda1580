"""Indexes: the shipped set with the true state of each, and every index of the platform's tables with size and use.

Owns the reading of `pg_index`; the record of Alembic is shown beside it and never believed. Refuses to change anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from core.database.indexes.clone import try_on_clone
from core.database.indexes.notes import IndexNotes
from core.database.indexes.preflight import Preflight, preflight
from core.database.indexes.shape import shape_of
from core.database.indexes.shipped import IndexSet
from core.database.indexes.stamps import IndexStamps
from core.database.indexes.state import IndexState, state_of
from core.database.indexes.statement import IndexStatement, tail
from core.database.queries import Queries


@dataclass(frozen=True, slots=True, kw_only=True)
class SetIndex:
    """One index of the set: its notes, its state, whether it is on record, and its size and use where it is there."""

    notes: IndexNotes
    state: IndexState
    stamped: bool
    size_bytes: int | None
    scans: int | None
    last_scan_at: datetime | None
    same_as: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether the record says what is there."""
        return self.stamped == (self.state.state == "valid")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundIndex:
    """One index that is there; scans since the statistics' last reset, `last_scan_at` None: never, or PostgreSQL < 16."""

    name: str
    table: str
    definition: str
    valid: bool
    building: bool
    partitioned: bool
    of_constraint: bool
    in_set: bool
    size_bytes: int
    scans: int
    last_scan_at: datetime | None
    same_as: tuple[str, ...]
    covered_by: tuple[str, ...]


class Indexes:
    """Answers what indexes there are, on connections of the caller's."""

    def __init__(self, queries: Queries, index_set: IndexSet) -> None:
        self._queries, self.set = queries, index_set
        self._stamps = IndexStamps(queries)

    async def status(self, connection: asyncpg.Connection[asyncpg.Record]) -> tuple[SetIndex, ...]:
        """Every index of the set; one whose text differs is compared on an empty copy, where that is allowed."""
        tables = sorted({notes.table for notes in self.set})
        rows = await connection.fetch(self._queries["index_list"].sql, tables, [notes.name for notes in self.set])
        builds = await connection.fetch(self._queries["index_builds"].sql)
        stamps = await self._stamps.read(connection)
        result = []
        for notes in self.set:
            state = state_of(notes, rows, builds)
            if state.comparable:
                trial = await try_on_clone(connection, self._queries, IndexStatement.parse(notes.create_statement))
                state = state_of(notes, rows, builds, meant=trial.definition)
            result.append(_set_index(notes, state, rows, stamped=notes.revision in stamps))
        return tuple(result)

    async def found(self, connection: asyncpg.Connection[asyncpg.Record], tables: list[str]) -> tuple[FoundIndex, ...]:
        """Every index of the tables, by table and name."""
        rows = await connection.fetch(self._queries["index_list"].sql, tables, [])
        building = {build["index_name"] for build in await connection.fetch(self._queries["index_builds"].sql)}
        ours = {notes.name for notes in self.set}
        return tuple(_found(row, rows, building=row["index_name"] in building, ours=row["index_name"] in ours) for row in rows)

    async def preflight(
        self, connection: asyncpg.Connection[asyncpg.Record], name_or_statement: str, *, free_bytes: int | None = None
    ) -> Preflight:
        """Whether an index of the set, or a pasted CREATE INDEX, can be built now; raises UsageError."""
        notes = None if " " in name_or_statement.strip() else self.set[name_or_statement.strip()]
        statement = notes.create_statement if notes else name_or_statement
        return await preflight(connection, self._queries, statement, notes=notes, free_bytes=free_bytes)


def _set_index(notes: IndexNotes, state: IndexState, rows: list[Any], *, stamped: bool) -> SetIndex:
    row = next((row for row in rows if row["index_name"] == notes.name), None)
    others = [other for other in rows if other["table_name"] == notes.table and other["index_name"] != notes.name]
    return SetIndex(
        notes=notes,
        state=state,
        stamped=stamped,
        size_bytes=row["size_bytes"] if row else None,
        scans=row["scans"] if row else None,
        last_scan_at=row["last_scan_at"] if row else None,
        same_as=tuple(
            other["index_name"] for other in others if other["valid"] and tail(other["definition"]) == notes.definition
        ),
    )


def _found(row: Any, rows: list[Any], *, building: bool, ours: bool) -> FoundIndex:
    shape = shape_of(row)
    others = [
        shape_of(other)
        for other in rows
        if other["table_name"] == row["table_name"] and other["index_name"] != row["index_name"] and other["valid"]
    ]
    return FoundIndex(
        name=row["index_name"], table=row["table_name"], definition=row["definition"], valid=row["valid"], building=building,
        partitioned=row["partitioned"], of_constraint=row["of_constraint"], in_set=ours, size_bytes=row["size_bytes"],
        scans=row["scans"], last_scan_at=row["last_scan_at"],
        same_as=tuple(other.name for other in others if shape.same_as(other)),
        covered_by=tuple(other.name for other in others if shape.covered_by(other) and not row["of_constraint"]),
    )  # fmt: skip
