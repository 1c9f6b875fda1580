"""Database: one asyncpg pool that answers named queries.

Owns the connections and the translation of the driver's errors into the error tree. Refuses to connect before it is asked:
an unreachable server is a state that `ping` reports, never an error of `open`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import asyncpg
import orjson

from core.database.failures import translated
from core.database.queries import Queries
from core.errors import DependencyDown
from core.ports import Handle, Ping, Record

PROBE_MAX_PINGS = 3  # Then a new probe connection: a paused postmaster still serves the old ones.
CLOSE_TIMEOUT_SECONDS = 1.5
TRANSACTION = "transaction"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """How one pool connects; times in seconds."""

    min_size: int = 0
    max_size: int = 8
    connect_timeout_seconds: float = 3.0
    command_timeout_seconds: float = 10.0
    application_name: str = "console"
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class DatabaseStats:
    """Connections of the pool: open, idle, and the most that it may open."""

    size: int
    idle: int
    max_size: int


class Database:
    """Answers named queries from a pool that connects on demand."""

    def __init__(self, url: str, queries: Queries, settings: PoolSettings, record: Record | None = None) -> None:
        self._url = url
        self._metrics = _Metrics(record)
        self._parameter_types: dict[str, tuple[str, ...]] = {}
        self._queries = queries
        self._settings = settings
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._probe = _Probe(self.connect)

    async def open(self) -> None:
        """Make the pool; no connection is tried."""
        if self._pool is None:
            self._pool = asyncpg.create_pool(
                self._url, min_size=0, max_size=self._settings.max_size, init=_init, **self._connect_arguments()
            )
            await self._pool

    async def close(self) -> None:
        """Close every connection; those still busy are cut off after 1.5 s."""
        pool, self._pool = self._pool, None
        await self._probe.close()
        if pool is None:
            return
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
                await pool.close()
        except TimeoutError:
            pool.terminate()

    async def ping(self) -> Ping:
        """One round trip on a connection outside the pool, so that a full pool does not look like an outage."""
        with translated():
            return await self._probe.ping()

    def stats(self) -> DatabaseStats:
        """The pool's connections now."""
        if self._pool is None:
            return DatabaseStats(0, 0, self._settings.max_size)
        return DatabaseStats(self._pool.get_size(), self._pool.get_idle_size(), self._settings.max_size)

    async def fetch_all(
        self, sql_or_name: str, *args: object, filters: Mapping[str, object] | None = None
    ) -> Sequence[asyncpg.Record]:
        """All rows of a named query or a statement; raises DependencyDown, DependencyTimeout or QueryError.

        `filters` chooses the query's named fragments, each with its one argument.
        """
        if filters is None:
            sql, more = self._queries.resolve(sql_or_name), list[object]()
        else:
            sql, more = self._queries.compose(sql_or_name, filters)
        async with self._acquire(sql_or_name) as connection:
            return await connection.fetch(sql, *args, *more)

    async def fetch_one(self, sql_or_name: str, *args: object) -> asyncpg.Record | None:
        """The first row, or None."""
        sql = self._queries.resolve(sql_or_name)
        async with self._acquire(sql_or_name) as connection:
            return await connection.fetchrow(sql, *args)

    async def fetch_value(self, sql_or_name: str, *args: object) -> Any:
        """The first column of the first row, or None."""
        sql = self._queries.resolve(sql_or_name)
        async with self._acquire(sql_or_name) as connection:
            return await connection.fetchval(sql, *args)

    async def execute(self, sql_or_name: str, *args: object) -> str:
        """Run a statement; returns PostgreSQL's command tag."""
        sql = self._queries.resolve(sql_or_name)
        async with self._acquire(sql_or_name) as connection:
            return await connection.execute(sql, *args)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """A connection inside a transaction that commits when the block ends without an error."""
        async with self._acquire(TRANSACTION) as connection, connection.transaction():
            yield connection

    async def connect(self) -> asyncpg.Connection[asyncpg.Record]:
        """A connection of its own, outside the pool and without a command timeout, for long work; the caller closes it."""
        with translated():
            arguments = {**self._connect_arguments(), "command_timeout": None}
            connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(self._url, **arguments)
            await _init(connection)
            return connection

    def sql(self, name: str) -> str:
        """The SQL of a named query, for a statement inside `transaction`."""
        return self._queries.resolve(name)

    async def parameter_types(self, name: str) -> tuple[str, ...]:
        """PostgreSQL's names of the parameter types of a named query, such as int8, uuid or text."""
        if name not in self._parameter_types:
            async with self._acquire(TRANSACTION) as connection:
                statement = await connection.prepare(self._queries.resolve(name))
                self._parameter_types[name] = tuple(item.name for item in statement.get_parameters())
        return self._parameter_types[name]

    @asynccontextmanager
    async def _acquire(self, work: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """A connection for `work`, whose time in the queue and on the connection are recorded apart."""
        if self._pool is None:
            raise DependencyDown("The database is not open.", "Open the services first.")
        asked = time.perf_counter()
        with translated():
            async with self._pool.acquire(timeout=self._settings.connect_timeout_seconds) as connection:
                got = time.perf_counter()
                self._metrics.waited(got - asked)
                try:
                    yield cast("asyncpg.Connection[asyncpg.Record]", connection)
                except Exception:
                    self._metrics.failed(work)
                    raise
                self._metrics.answered(work, time.perf_counter() - got)

    def _connect_arguments(self) -> dict[str, Any]:
        server_settings = {"application_name": self._settings.application_name, "timezone": "UTC"}
        if self._settings.read_only:
            server_settings["default_transaction_read_only"] = "on"
        return {
            "timeout": self._settings.connect_timeout_seconds,
            "command_timeout": self._settings.command_timeout_seconds,
            "server_settings": server_settings,
        }


class _Metrics:
    """Records into series that are bound once; without a recorder it does nothing."""

    def __init__(self, record: Record | None) -> None:
        self._record = record
        self._wait = record.handle("database_wait_seconds") if record else None
        self._queries: dict[str, Handle] = {}

    def waited(self, seconds: float) -> None:
        if self._wait is not None:
            self._wait.record(seconds)

    def answered(self, work: str, seconds: float) -> None:
        if self._record is None:
            return
        label = _label(work)
        handle = self._queries.get(label)
        if handle is None:
            handle = self._queries[label] = self._record.handle("database_query_seconds", (label,))
        handle.record(seconds)

    def failed(self, work: str) -> None:
        if self._record is not None:
            self._record.count("database_errors", 1, (_label(work),))


def _label(work: str) -> str:
    """The name of the query; statements that are not named share one label, or their text would be a label each."""
    return "ad hoc" if " " in work or "\n" in work else work


class _Probe:
    """One connection that answers pings, made anew after a failure and every few pings."""

    def __init__(self, connect: Any) -> None:
        self._connect = connect
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._pings = 0

    async def ping(self) -> Ping:
        if self._connection is None or self._connection.is_closed() or self._pings >= PROBE_MAX_PINGS:
            await self.close()
            self._connection = await self._connect()
            self._pings = 0
        try:
            started = time.perf_counter()
            version = await self._connection.fetchval("SHOW server_version")
            self._pings += 1
            return Ping(time.perf_counter() - started, str(version).split(" ")[0])
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # terminate, not close: a polite close waits for a server that may be paused.
            connection.terminate()


async def _init(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    await connection.set_type_codec("jsonb", encoder=_encode, decoder=orjson.loads, schema="pg_catalog")


def _encode(value: Any) -> str:
    return orjson.dumps(value).decode()
