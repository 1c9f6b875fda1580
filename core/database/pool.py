"""Database: named queries answered from a pool, and from a replica where an answer may be late.

Owns the order of one question: breaker, queue, connection, statement, figures, at most one repetition. Refuses to connect
before it is asked: an unreachable server is a state that `ping` reports, never an error of `open`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import asyncpg

from core.database.connections import Connections
from core.database.failures import CONFLICTS, translated
from core.database.guard import Guard
from core.database.hosts import session_attribute
from core.database.measures import Measures, QueryStats, RunningQuery
from core.database.probe import Probe
from core.database.queries import Queries
from core.database.replica import Replica, ReplicaStats, make_replica
from core.database.retries import FAILED_OVER, may_repeat, pauses
from core.database.session import PoolSettings, Session
from core.database.statements import Statement, Statements
from core.errors import CoreError, DependencyDown, QueryError
from core.ports import Ping, Record
from core.resilience import CircuitBreaker

__all__ = ["Database", "DatabaseStats", "PoolSettings"]

T = TypeVar("T")
Ask = Literal["fetch", "fetchrow", "fetchval", "execute"]
Isolation = Literal["read_committed", "repeatable_read", "serializable"]
Work = Callable[["asyncpg.Connection[asyncpg.Record]"], Awaitable[T]]

TRANSACTION = "transaction"


@dataclass(frozen=True, slots=True)
class DatabaseStats:
    """Connections of the pool: open, idle, the most that it may open and why, the least it keeps; and who waits for one."""

    size: int
    idle: int
    max_size: int
    min_size: int = 0
    waiting: int = 0
    replica: ReplicaStats | None = None
    max_reason: str = ""
    running: RunningQuery | None = None


class Database:
    """Answers named queries from a pool that connects on demand."""

    def __init__(
        self,
        url: str,
        queries: Queries,
        settings: PoolSettings,
        record: Record | None = None,
        *,
        breaker: CircuitBreaker | None = None,
        replica_url: str | None = None,
        operator_url: str | None = None,
    ) -> None:
        self._queries = queries
        self._settings = settings
        self.breaker = breaker
        self._operator_url = operator_url
        self._measures = Measures(settings.slow_seconds, record)
        self._statements = Statements(queries, self._measures)
        self._parameter_types: dict[str, tuple[str, ...]] = {}
        self._reads_by_transaction = settings.read_only and settings.pooler == "transaction"
        attribute, limits = session_attribute(url, read_only=settings.read_only), queries["server_limits"].sql
        self._primary = Connections(url, settings, limits, attribute, Guard(breaker))
        self._replica = make_replica(replica_url, self._primary, settings, queries) if replica_url else None
        self._probe = Probe(self._primary.connect)

    async def open(self) -> None:
        """Make the pools; no server is waited for."""
        await self._primary.open()
        if self._replica is not None:
            await self._replica.open()

    async def close(self) -> None:
        """Close every connection; those still busy are cut off after 1.5 s."""
        await self._probe.close()
        if self._replica is not None:
            await self._replica.close()
        await self._primary.close()

    async def ping(self) -> Ping:
        """One round trip on a connection outside the pool, past the breaker: neither a full pool nor it is an outage."""
        with translated():
            return await self._probe.ping()

    def stats(self) -> DatabaseStats:
        """The pool's connections now."""
        size, idle = self._primary.size()
        return DatabaseStats(
            size,
            idle,
            self._settings.max_size,
            self._settings.min_size,
            self._primary.admission.waiting,
            self._replica.stats() if self._replica else None,
            self._settings.size_reason,
            self._measures.running(),
        )

    def query_stats(self) -> tuple[QueryStats, ...]:
        """What each query has cost since the start, the one that took most time in all first."""
        return self._measures.stats()

    async def fetch_all(
        self, sql_or_name: str, *args: object, filters: Mapping[str, object] | None = None, stale_ok: bool = False
    ) -> Sequence[asyncpg.Record]:
        """All rows of a named query or a statement; raises DependencyError, SchemaError or QueryError.

        `filters` chooses the query's named fragments, each with its one argument. With `stale_ok` a replica within its
        bound of lag may answer, as it may for a query that says `-- replica`.
        """
        if filters is None:
            statement = self._statements.find(sql_or_name)
        else:
            statement, args = self._statements.compose(sql_or_name, filters), (*args, *filters.values())
        rows: Sequence[asyncpg.Record] = await self._answer("fetch", statement, args, stale_ok)
        return rows

    async def fetch_one(self, sql_or_name: str, *args: object, stale_ok: bool = False) -> asyncpg.Record | None:
        """The first row, or None."""
        row: asyncpg.Record | None = await self._answer("fetchrow", self._statements.find(sql_or_name), args, stale_ok)
        return row

    async def fetch_value(self, sql_or_name: str, *args: object, stale_ok: bool = False) -> Any:
        """The first column of the first row, or None."""
        return await self._answer("fetchval", self._statements.find(sql_or_name), args, stale_ok)

    async def execute(self, sql_or_name: str, *args: object) -> str:
        """Run a statement; returns PostgreSQL's command tag."""
        tag: str = await self._answer("execute", self._statements.find(sql_or_name), args, stale_ok=False)
        return tag

    @asynccontextmanager
    async def transaction(self, *, isolation: Isolation | None = None) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """A connection inside a transaction that commits when the block ends without an error; not to be used after it."""
        async with self._transaction(isolation, fresh=False) as connection:
            yield connection

    async def run_transaction(self, work: Work[T], *, isolation: Isolation | None = None) -> T:
        """Run `work` in a transaction, five times at most, as long as PostgreSQL rolls it back for a conflict or a failover.

        Everything that `work` does outside of the transaction is done each time. A lost connection is not repeated: the
        transaction may have been committed.
        """
        fresh, rest = False, pauses()
        while True:
            try:
                async with self._transaction(isolation, fresh=fresh) as connection:
                    result = await work(connection)
            except QueryError as error:
                pause = next(rest, None)
                fresh = self._failed_over(error.__cause__)
                if pause is None or not (fresh or isinstance(error.__cause__, CONFLICTS)):
                    raise
            else:
                if fresh:
                    self._primary.expire()
                return result
            await asyncio.sleep(pause)

    async def connect(self, *, application_name: str | None = None) -> asyncpg.Connection[asyncpg.Record]:
        """A connection of its own, direct and without any time limit, for long work and locks; the caller closes it.

        It goes to the operator's URL where one is given, else to the pool's; raises DependencyError.
        """
        with translated():
            return await self._primary.connect_direct(self._operator_url, application_name)

    def sql(self, name: str) -> str:
        """The SQL of a named query, for a statement inside `transaction`."""
        return self._queries.resolve(name)

    async def parameter_types(self, name: str) -> tuple[str, ...]:
        """PostgreSQL's names of the parameter types of a named query, such as int8, uuid or text."""
        if name not in self._parameter_types:
            async with self.transaction() as connection:
                statement = await connection.prepare(self._queries.resolve(name))
                self._parameter_types[name] = tuple(item.name for item in statement.get_parameters())
        return self._parameter_types[name]

    async def _answer(self, ask: Ask, statement: Statement, args: tuple[object, ...], stale_ok: bool) -> Any:
        """The answer of the replica, of the primary, or of the primary asked once more."""
        replica = self._replica
        if replica is not None and (stale_ok or statement.stale_ok) and replica.usable:
            try:
                return await self._ask_replica(replica, ask, statement, args)
            except (DependencyDown, QueryError) as error:
                if isinstance(error, QueryError) and not isinstance(error.__cause__, CONFLICTS):
                    raise  # A conflict with recovery is the standby's own; every other error is the question's.
                replica.set_aside(error)
        try:
            return await self._ask(self._primary, ask, statement, args)
        except Exception as error:
            if not may_repeat(error, reads=statement.reads, read_only_pool=self._settings.read_only):
                with translated():
                    raise
            failed_over = self._failed_over(error)
        with translated():
            answer = await self._ask(self._primary, ask, statement, args, fresh=True)
        if failed_over:
            self._primary.expire()
        return answer

    async def _ask_replica(self, replica: Replica, ask: Ask, statement: Statement, args: tuple[object, ...]) -> Any:
        with translated():
            answer = await self._ask(replica.connections, ask, statement, args)
        replica.answers += 1
        return answer

    async def _ask(
        self, connections: Connections, ask: Ask, statement: Statement, args: tuple[object, ...], fresh: bool = False
    ) -> Any:
        """Send one statement on a connection of the pool; raises the driver's errors."""
        connection = await self._admitted(connections, fresh)
        started = statement.measure.began()
        try:
            if self._settings.pooler == "none":
                answer = await getattr(connection, ask)(statement.sql, *args)
            else:
                answer = await self._ask_pooler(connection, ask, statement.sql, args)
        except BaseException as error:
            connections.guard.failed(error, time.perf_counter() - started)
            statement.measure.failed(error, started)
            if self._failed_over(error):
                connection.outdate()
            await connections.release(connection)
            raise
        seconds = statement.measure.ended(started)
        connections.guard.answered(seconds)
        statement.measure.answered(seconds, len(answer) if ask == "fetch" else ask != "execute" and answer is not None)
        if not statement.stateless or not connections.give(connection):
            await connections.tidy(connection)
        return answer

    @asynccontextmanager
    async def _transaction(self, isolation: Isolation | None, *, fresh: bool) -> AsyncIterator[Session]:
        connection = await self._admitted(self._primary, fresh)
        measure, started = self._measures.of(TRANSACTION), time.perf_counter()
        try:
            with translated():
                async with connection.transaction(isolation=isolation, readonly=self._reads_by_transaction):
                    await self._limit(connection)
                    yield connection
        except BaseException as error:
            self._primary.guard.failed(error, time.perf_counter() - started)
            cause = error.__cause__ if isinstance(error, CoreError) and error.__cause__ else error
            measure.failed(cause, started)
            if self._failed_over(cause):
                connection.outdate()
            await self._primary.release(connection)
            raise
        seconds = time.perf_counter() - started
        self._primary.guard.answered(seconds)
        measure.answered(seconds, 0)
        await self._primary.tidy(connection)

    def _failed_over(self, error: BaseException | None) -> bool:
        """Whether a write met a server that takes none, although it should."""
        return isinstance(error, FAILED_OVER) and not self._settings.read_only

    async def _admitted(self, connections: Connections, fresh: bool) -> Session:
        """A connection, if the breaker lets the call through; the wait is recorded."""
        connections.guard.check()
        started = time.perf_counter()
        connection = None if fresh else connections.take()
        if connection is None:
            try:
                connection = await connections.acquire(fresh=fresh)
            except BaseException as error:
                connections.guard.failed(error, time.perf_counter() - started)
                raise
        self._measures.waited(time.perf_counter() - started)
        return connection

    async def _ask_pooler(self, connection: Session, ask: Ask, sql: str, args: tuple[object, ...]) -> Any:
        """A pooler keeps no settings of ours, so each statement is a transaction that brings its own."""
        async with connection.transaction(readonly=self._reads_by_transaction):
            await self._limit(connection)
            return await getattr(connection, ask)(sql, *args)

    async def _limit(self, connection: Session) -> None:
        """In a transaction behind a pooler: the server's own limit of a statement's time."""
        if self._settings.pooler == "transaction":
            await connection.execute(f"SET LOCAL statement_timeout = {self._settings.command_timeout_seconds * 1000:.0f}")
