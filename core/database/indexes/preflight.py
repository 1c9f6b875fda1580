"""Preflight: whether an index can be built now, in one word with its reasons, before anything is changed.

Owns the verdict: NO for what must not or cannot run, WAIT for what is in the way at this moment, GO else. Reads statistics and
tries the statement on an empty copy; what it may not do it says, and goes on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import asyncpg
import orjson

from core.database.indexes.clone import LOCK_TIMEOUT, Trial, try_on_clone
from core.database.indexes.cost import IndexCost, estimate
from core.database.indexes.notes import IndexNotes
from core.database.indexes.shape import IndexShape, shape_of
from core.database.indexes.state import state_of
from core.database.indexes.statement import IndexStatement
from core.database.indexes.waits import span, way_out, who
from core.database.queries import Queries

Verdict = Literal["GO", "WAIT", "NO"]
OLD_SNAPSHOT_SECONDS = 5.0  # A shorter transaction is over before an operator has read its name.
ROOM_FACTOR = 1.2
DATE = re.compile(r"'\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Reason:
    """One finding; `weight` GO is a note that stops nothing."""

    weight: Verdict
    text: str
    next_step: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """The verdict on one statement, why, and what it will cost (None where that cannot be told)."""

    statement: str
    index: str
    verdict: Verdict
    reasons: tuple[Reason, ...]
    cost: IndexCost | None


async def preflight(
    connection: asyncpg.Connection[asyncpg.Record],
    queries: Queries,
    statement: str,
    *,
    notes: IndexNotes | None = None,
    free_bytes: int | None = None,
) -> Preflight:
    """Judge a CREATE INDEX on a connection outside a transaction; raises UsageError when the text is none."""
    parsed = IndexStatement.parse(statement)
    look = _Look(connection, queries, parsed, notes, free_bytes)
    reasons = [*_lint(parsed), *await look.reasons()]
    order: tuple[Verdict, ...] = ("NO", "WAIT", "GO")
    reasons.sort(key=lambda reason: order.index(reason.weight))
    verdict = reasons[0].weight if reasons else "GO"
    return Preflight(statement=parsed.sql, index=parsed.name or "", verdict=verdict, reasons=tuple(reasons), cost=look.cost)


def _lint(statement: IndexStatement) -> Iterator[Reason]:
    if not statement.concurrently:
        yield Reason(
            "NO", "Without CONCURRENTLY no row of the table can be written while it is built.", "CREATE INDEX CONCURRENTLY"
        )
    if statement.if_missing:
        text = "IF NOT EXISTS takes what a failed build left for the index: it says done, and no query uses it."
        yield Reason("GO", text, "Leave it out; migrate up looks at the index's state itself.")
    if statement.unique:
        text = "Equal rows end a UNIQUE build, after the whole table was read, and leave it broken."
        step = f"Look for rows of {statement.table} that are equal in its columns first: GROUP BY ... HAVING count(*) > 1"
        yield Reason("GO", text, step)
    if statement.name is None:
        yield Reason("GO", "It has no name of its own, so that it is hard to find again.", "Name it.")


class _Look:
    """What the database says about one statement."""

    def __init__(
        self,
        connection: asyncpg.Connection[asyncpg.Record],
        queries: Queries,
        statement: IndexStatement,
        notes: IndexNotes | None,
        free_bytes: int | None,
    ) -> None:
        self._connection, self._queries, self._statement = connection, queries, statement
        self._notes, self._free_bytes = notes, free_bytes
        self.cost: IndexCost | None = None

    async def reasons(self) -> list[Reason]:
        # Even the size of a table that is locked exclusively is not told before its lock is free.
        await self._connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        in_the_way, locked = await self._in_the_way()
        trial = await try_on_clone(self._connection, self._queries, self._statement)
        found = [*_judged(trial), *in_the_way]
        if locked:
            return found
        table = await self._connection.fetchrow(self._queries["index_table"].sql, self._statement.qualified)
        if table is None:
            return found
        found += _possible(table)
        rows = await self._connection.fetch(
            self._queries["index_list"].sql, [table["table_name"]], [self._statement.name or ""]
        )
        builds = await self._connection.fetch(self._queries["index_builds"].sql)
        found += self._there(rows, builds, trial)
        if trial.state == "fits":
            found += _others(trial.shape, rows)
            found += await self._costs(table, trial)
        return found

    def _there(self, rows: list[Any], builds: list[Any], trial: Trial) -> Iterator[Reason]:
        """What there is under the index's name."""
        if self._notes is None:
            if any(row["index_name"] == self._statement.name for row in rows):
                yield Reason(
                    "NO", f"There is an index {self._statement.name} already.", "Choose another name, or drop that one."
                )
            return
        found = state_of(self._notes, rows, builds, meant=trial.definition)
        name = self._notes.name
        if found.state == "valid":
            step = f"If migrate verify finds it not on record: python -m core migrate adopt {name}"
            yield Reason("NO", f"{name} is there already, valid and as it is meant.", step)
        elif found.state == "building":
            yield Reason("WAIT", f"{name} is being built: {found.detail}", found.next_step)
        elif found.state == "different":
            yield Reason("NO", f"There is another index {name}: {found.detail}", found.next_step)
        elif found.state == "invalid":
            yield Reason("GO", f"A failed build left {name} broken: it is dropped first.")

    async def _in_the_way(self) -> tuple[list[Reason], bool]:
        """Who would keep the build waiting now, and whether the table is locked against everybody."""
        holder = await self._connection.fetchrow(self._queries["index_turn_holder"].sql)
        found = (
            [Reason("WAIT", f"Another index is being built or dropped: {who(holder)}.", "Wait until it is over.")]
            if holder
            else []
        )
        sessions = await self._connection.fetch(
            self._queries["index_holders"].sql, self._statement.qualified, OLD_SNAPSHOT_SECONDS
        )
        for row in sessions:
            if holder and row["pid"] == holder["pid"]:
                continue
            what = f"holds {row['lock_mode']} on the table" if row["lock_mode"] else "has an old snapshot"
            found.append(Reason("WAIT", f"The build would wait for {who(row)}: it {what}.", way_out(row)))
        for row in await self._connection.fetch(self._queries["index_prepared"].sql):
            age = span(row["seconds"])
            text = f"The build would wait for the prepared transaction {row['gid']} of {row['user_name']}, {age} old."
            found.append(Reason("WAIT", text, f"COMMIT PREPARED or ROLLBACK PREPARED '{row['gid']}'"))
        return found, any(row["lock_mode"] == "AccessExclusiveLock" for row in sessions)

    async def _costs(self, table: Any, trial: Trial) -> list[Reason]:
        """Estimate, and compare with the room there is."""
        widths = await self._connection.fetch(self._queries["index_widths"].sql, self._statement.qualified, list(trial.columns))
        self.cost = cost = estimate(table, widths, trial, await self._entries(table, trial))
        found: list[Reason] = []
        if table["never_analysed"]:
            found.append(
                Reason("GO", "The table was never analysed: size and time are unknown.", f"ANALYZE {table['table_name']}")
            )
        elif cost.disk_bytes is not None and self._free_bytes is not None and cost.disk_bytes * ROOM_FACTOR > self._free_bytes:
            text = f"About {cost.disk_bytes / 1e6:,.0f} MB are written and {self._free_bytes / 1e6:,.0f} MB are free."
            found.append(Reason("NO", text, "Make room on PostgreSQL's disk."))
        elif self._free_bytes is None:
            found.append(Reason("GO", "How much room PostgreSQL's disk has cannot be seen from here."))
        if cost.hot_share and cost.hot_lost:
            columns = ", ".join(cost.hot_lost)
            text = f"{cost.hot_share:.0%} of the table's updates are heap-only; those that change {columns} will not be."
            found.append(Reason("GO", text, "Leave the column out if it is updated often."))
        return found

    async def _entries(self, table: Any, trial: Trial) -> float:
        """Rows that the predicate lets in, as the planner expects it."""
        rows = float(table["rows"])
        if trial.shape is None or not trial.shape.predicate or not rows:
            return rows
        # The predicate is PostgreSQL's own text of one that it has accepted, and EXPLAIN runs nothing.
        sql = f"EXPLAIN (FORMAT JSON) SELECT FROM {self._statement.qualified} WHERE {trial.shape.predicate}"
        plan = await self._connection.fetchval(sql)
        parsed = orjson.loads(plan) if isinstance(plan, str) else plan
        return min(rows, float(parsed[0]["Plan"]["Plan Rows"]))


def _judged(trial: Trial) -> Iterator[Reason]:
    """What the empty copy showed."""
    if trial.state == "refused":
        yield Reason("NO", f"PostgreSQL refuses it: {trial.message}.", _advice(trial.message))
    elif trial.state == "untried":
        yield Reason(
            "GO",
            f"It could not be tried on an empty copy: {trial.message.rstrip('.')}.",
            trial.next_step,
        )
    elif trial.shape is not None and DATE.search(trial.shape.predicate):
        text = "Its predicate compares with a fixed date: no query with now() or with parameters will use it."
        yield Reason("GO", text, "Leave the predicate out.")


def _advice(message: str) -> str:
    if "IMMUTABLE" in message:
        return "An index cannot depend on the time of day or on settings: leave the condition out, or compare with a constant."
    if message.startswith("relation"):
        return "Correct the name: there is no such table here."
    if "does not exist" in message:
        return "Correct the name: the table has no such column."
    return "Correct the statement."


def _possible(table: Any) -> Iterator[Reason]:
    """What forbids an index on this table through this connection."""
    if table["kind"] == "p":
        text = f"{table['table_name']} is partitioned: no index is built beside writes on all of it at once."
        yield Reason("NO", text, "Build it on each partition, then CREATE INDEX ON ONLY the table and ATTACH each.")
    elif table["kind"] not in ("r", "m"):
        yield Reason("NO", f"{table['table_name']} is not a table.", "Name the table behind it.")
    if table["in_recovery"]:
        yield Reason("NO", "This server is a replica.", "Connect to the primary: DATABASE_OPERATOR_URL.")
    elif table["read_only"]:
        yield Reason("NO", "This session only reads.", "Set MODE=operate and start again.")
    if not table["owned"]:
        yield Reason(
            "NO", "Only the owner of the table may build an index on it.", "Connect as the owner: DATABASE_OPERATOR_URL."
        )


def _others(shape: IndexShape | None, rows: list[Any]) -> Iterator[Reason]:
    """Which indexes do the same, do it too, or are no longer needed."""
    if shape is None:
        return
    for row in rows:
        other = shape_of(row)
        if other.name == shape.name or not row["valid"]:
            continue
        if shape.same_as(other):
            yield Reason("NO", f"{other.name} is the same index under another name.", "Use that one.")
        elif shape.covered_by(other):
            yield Reason(
                "GO", f"{other.name} already begins with the same columns and may serve.", "Prove that this one is better."
            )
        elif other.covered_by(shape) and not row["of_constraint"]:
            yield Reason("GO", f"It makes {other.name} superfluous.", f"DROP INDEX CONCURRENTLY {other.name}")
