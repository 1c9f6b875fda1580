"""Replica: reads that may be late, answered by a standby whose lag is known.

Owns the measurement of the lag. The primary is asked where it writes, the standby how far it has replayed. Both are timed by
one clock, and a standby that no longer receives anything grows late like any other. While the primary is away the last answer
counts, until it is older than the bound.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import asyncpg

from core.database.connections import Connections
from core.database.failures import translated
from core.database.guard import Guard
from core.database.hosts import standby_attribute
from core.database.queries import Queries
from core.database.session import PoolSettings
from core.errors import CoreError, DependencyError
from core.tasks import end_tasks

log = logging.getLogger(__name__)

CHECK_SECONDS = 1.0
SAMPLES = 1_000  # Positions that wait to be replayed; the oldest are forgotten.
NAME_A_STANDBY = "Let DATABASE_REPLICA_URL name a hot standby of the server in DATABASE_URL."


@dataclass(frozen=True, slots=True)
class ReplicaStats:
    """Whether reads go to the replica; the lag in seconds is None while it is not known."""

    used: bool
    lag_seconds: float | None
    answers: int
    problem: str


class Watched:
    """One connection of its own on which the same question is asked again and again."""

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection[asyncpg.Record]]], sql: str) -> None:
        self._connect = connect
        self._sql = sql
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    async def ask(self) -> asyncpg.Record:
        """The one row; raises DependencyError or QueryError, and connects anew after one."""
        with translated():
            try:
                if self._connection is None or self._connection.is_closed():
                    self._connection = await self._connect()
                row = await self._connection.fetchrow(self._sql)
            except BaseException:
                self.close()
                raise
        assert row is not None
        return row

    def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


class Replica:
    """Says whether the standby may answer now."""

    def __init__(self, connections: Connections, primary: Watched, standby: Watched, lag_seconds_most: float) -> None:
        self.connections = connections
        self.answers = 0
        self._primary = primary
        self._standby = standby
        self._most = lag_seconds_most
        self._written: deque[tuple[float, int]] = deque(maxlen=SAMPLES)
        self._fresh_at: float | None = None  # All that was committed before this moment can be read there.
        self._problem = "not checked yet"
        self._task: asyncio.Task[None] | None = None

    @property
    def usable(self) -> bool:
        """Whether what it answers is surely no older than the bound."""
        return not self._problem and self._fresh_at is not None and time.monotonic() - self._fresh_at <= self._most

    async def open(self) -> None:
        """Start to measure; waits for no server."""
        await self.connections.open()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="database-replica")

    async def close(self) -> None:
        """Stop, and close the connections."""
        await end_tasks([self._task] if self._task else [])
        self._task = None
        self._primary.close()
        self._standby.close()
        await self.connections.close()

    def set_aside(self, error: CoreError) -> None:
        """Ask it no more until a check has found it well."""
        self._become(str(error))

    def stats(self) -> ReplicaStats:
        """What is known now."""
        lag = time.monotonic() - self._fresh_at if self._fresh_at is not None else None
        late = f"more than {self._most:g} s behind the primary" if not self._problem and not self.usable else ""
        return ReplicaStats(self.usable, lag, self.answers, self._problem or late)

    async def _run(self) -> None:
        while True:
            try:
                await self._check()
            except CoreError as error:
                self._become(str(error))
            except Exception:
                log.exception("replica_crashed")
            await asyncio.sleep(min(CHECK_SECONDS, self._most / 4))

    async def _check(self) -> None:
        asked_at = time.monotonic()
        try:
            written = await self._primary.ask()
        except DependencyError as error:
            log.debug("replica_lag_unknown error=%r", str(error))
            return
        self._written.append((asked_at, written["position"]))
        replayed = await self._standby.ask()
        if replayed["position"] is None or replayed["system_identifier"] != written["system_identifier"]:
            raise DependencyError("The replica is no standby of the primary.", NAME_A_STANDBY)
        while self._written and self._written[0][1] <= replayed["position"]:
            self._fresh_at = self._written.popleft()[0]
        self._become("")

    def _become(self, problem: str) -> None:
        if problem != self._problem:
            log.warning("replica_%s problem=%r", "set_aside" if problem else "up", problem)
        self._problem = problem


def make_replica(url: str, primary: Connections, settings: PoolSettings, queries: Queries) -> Replica:
    """The replica at `url` of the primary; its sessions are read-only."""
    reading = replace(settings, read_only=True, min_size=0)
    connections = Connections(url, reading, queries["server_limits"].sql, standby_attribute(url), Guard(None))
    written = Watched(primary.connect, queries["wal_written"].sql)
    replayed = Watched(connections.connect, queries["wal_replayed"].sql)
    return Replica(connections, written, replayed, settings.replica_lag_seconds)
