"""Explain: runs a statement that only reads, to measure it: its plan, rows, pages and time.

Owns the frame of every such run: one transaction that is read-only, has a limit of time, and is always rolled back. Refuses
what `read_only` refuses.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson

from core.database.failures import translated
from core.database.plan_tree import PlanNode, parse_plan
from core.database.read_only import convert, parse_parameters, require_read
from core.errors import SchemaError, UsageError

if TYPE_CHECKING:
    from core.database.pool import Database

    Connection = asyncpg.Connection[asyncpg.Record]

TIMEOUT_SECONDS = 5.0
APPLICATION = "console explain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One run under EXPLAIN: its tree, rows, shared pages found in memory and read, and seconds as PostgreSQL took them.

    `execution_seconds` is None for a statement that was ended for its length: the plan is then what PostgreSQL expects.
    """

    plan: PlanNode
    rows: int
    hit: int
    read: int
    planning_seconds: float
    execution_seconds: float | None


class Explain:
    """Runs one statement, each time on a connection of its own that nobody else waits for."""

    def __init__(self, database: Database, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._database = database
        self._timeout_seconds = timeout_seconds

    async def statement(self, sql: str, args: Sequence[object]) -> Explained:
        """The plan of one of our own statements; raises QueryError, DependencyError."""
        connection = await self._database.connect(application_name=APPLICATION)
        try:
            with translated():
                return await explain(connection, sql, args, self._timeout_seconds)
        finally:
            connection.terminate()

    async def pasted(self, sql: str, parameters: str) -> Explained:
        """The plan of a statement that somebody pasted, with its parameters as a JSON array; raises UsageError too.

        Of one that takes too long, the plan as it is expected.
        """
        text, values = require_read(sql), parse_parameters(parameters)
        connection = await self._database.connect(application_name=APPLICATION)
        try:
            with translated():
                async with reading(connection, self._timeout_seconds):
                    types = (await connection.prepare(text)).get_parameters()
                args = convert(values, types)
                try:
                    return await explain(connection, text, args, self._timeout_seconds)
                except asyncpg.QueryCanceledError:
                    return await expected(connection, text, args, self._timeout_seconds)
        except SchemaError as error:
            raise UsageError(f"PostgreSQL refuses it: {str(error.__cause__).rstrip('.')}.", "Correct the statement.") from error
        finally:
            connection.terminate()

    def commands(self, sql: str, timeout_seconds: float | None = None) -> tuple[str, ...]:
        """Exactly what is sent."""
        return (
            f"BEGIN READ ONLY; SET LOCAL statement_timeout = {(timeout_seconds or self._timeout_seconds) * 1000:.0f};",
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)\n{sql};",
            "ROLLBACK;",
        )


async def explain(connection: Connection, sql: str, args: Sequence[object], timeout_seconds: float) -> Explained:
    """Run the statement under EXPLAIN and throw its rows away; raises the driver's errors."""
    async with reading(connection, timeout_seconds):
        found = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", *args)
    answer: dict[str, Any] = orjson.loads(found)[0]
    plan = parse_plan(answer["Plan"])
    return Explained(
        plan=plan,
        rows=round(plan.rows),
        hit=plan.hit,
        read=plan.read,
        planning_seconds=answer["Planning Time"] / 1000,
        execution_seconds=answer["Execution Time"] / 1000,
    )


async def expected(connection: Connection, sql: str, args: Sequence[object], timeout_seconds: float) -> Explained:
    """The plan of the statement, which is not run; raises the driver's errors."""
    async with reading(connection, timeout_seconds):
        found = await connection.fetchval(f"EXPLAIN (SUMMARY, FORMAT JSON) {sql}", *args)
    answer: dict[str, Any] = orjson.loads(found)[0]
    return Explained(
        plan=parse_plan(answer["Plan"]),
        rows=0,
        hit=0,
        read=0,
        planning_seconds=answer["Planning Time"] / 1000,
        execution_seconds=None,
    )


async def timed(connection: Connection, sql: str, args: Sequence[object], timeout_seconds: float) -> tuple[float, int]:
    """Seconds until all rows were here, and how many there were; raises the driver's errors."""
    async with reading(connection, timeout_seconds):
        started = time.perf_counter()
        rows = await connection.fetch(sql, *args)
        return time.perf_counter() - started, len(rows)


@asynccontextmanager
async def reading(connection: Connection, timeout_seconds: float) -> AsyncIterator[None]:
    """A transaction that can change nothing, ends what takes too long, and is rolled back whatever comes."""
    transaction = connection.transaction(readonly=True)
    await transaction.start()
    try:
        await connection.execute(f"SET LOCAL statement_timeout = {timeout_seconds * 1000:.0f}")
        yield
    finally:
        if not connection.is_closed():
            await transaction.rollback()
