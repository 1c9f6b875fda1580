"""Connections: the asyncpg connections of one URL, handed out first come, first served.

Owns how a connection is made, checked, kept and given back. Not asyncpg's own pool, which is unfair, cannot be made before its
least number is open, and pays a proxy, a task and a reset for every question (docs/decisions/0010-pool.md).
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import asyncpg

from core.database import capacity, session
from core.database.admission import Admission
from core.database.failures import translated
from core.database.guard import Guard
from core.database.hosts import SessionAttribute, session_attribute
from core.database.session import PoolSettings, Session
from core.errors import CoreError, DependencyDown, DependencyError, PoolExhausted
from core.tasks import end_tasks

log = logging.getLogger(__name__)

CLOSE_TIMEOUT_SECONDS = 1.5
RELEASE_TIMEOUT_SECONDS = 2.0  # For the server to confirm a cancellation; the connection is dropped then.
ENLARGE = "Find what holds them on the page Database, or raise DATABASE_POOL_MAX where PostgreSQL has room."
CORRECT_OPERATOR_URL = "Start that server, or correct DATABASE_OPERATOR_URL: builds, preflight and EXPLAIN go there."
SET_OPERATOR_URL = "Set DATABASE_OPERATOR_URL to PostgreSQL itself."


class Connections:
    """A pool; `take` and `give` are its quick ways, `acquire` and `release` the ones that may wait."""

    def __init__(
        self, url: str, settings: PoolSettings, limits_sql: str, attribute: SessionAttribute | None, guard: Guard
    ) -> None:
        self.admission = Admission(settings.max_size)
        self.guard = guard
        self._url = url
        self._settings = settings
        self._limits_sql = limits_sql
        self._attribute = attribute
        self._is_open = False
        self._idle: list[Session] = []  # The one that was used last is the next one: the others may grow old.
        self._all: set[Session] = set()
        self._generation = 0
        self._keeper: asyncio.Task[None] | None = None
        self._cleaning: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Let connections be asked for; none is waited for."""
        if not self._is_open:
            self._is_open = True
            self._keeper = asyncio.create_task(self._keep(), name="database-connections")

    async def close(self) -> None:
        """Close every connection; those still busy are cut off after 1.5 s."""
        if not self._is_open:
            return
        self._is_open = False
        self._generation += 1
        await end_tasks([self._keeper] if self._keeper else [])
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
                await self.admission.drain()
                await asyncio.gather(*(connection.close() for connection in self._all), return_exceptions=True)
        except TimeoutError:
            log.info("connections_cut_off count=%s", len(self._all))
        await end_tasks(self._cleaning)
        for connection in self._all:
            connection.terminate()
        self._all.clear()
        self._idle.clear()
        self.admission.dismiss()
        self.admission = Admission(self._settings.max_size)

    def take(self) -> Session | None:
        """An idle connection, if nobody has to be waited for."""
        if self._is_open and self.admission.enter_at_once():
            if (connection := self._next_idle()) is not None:
                return connection
            self.admission.leave()
        return None

    def give(self, connection: Session) -> bool:
        """Take back a connection on which nothing runs and nothing was left; False: it is outdated and must be released."""
        if connection.generation != self._generation:
            return False
        connection.idle_since = time.monotonic()
        self._idle.append(connection)
        self.admission.leave()
        return True

    async def acquire(self, *, fresh: bool = False) -> Session:
        """A connection, to be given back; a new one if `fresh`; raises PoolExhausted or another DependencyError."""
        admission = self.admission
        self._check_open()
        if not admission.enter_at_once():
            await self._wait()
        try:
            if fresh and self._idle and len(self._all) >= self._settings.max_size:
                self._drop(self._idle.pop(0))
            return (None if fresh else self._next_idle()) or await self._add()
        except BaseException:
            admission.leave()
            raise

    async def tidy(self, connection: Session) -> None:
        """Give a connection back on which nothing runs, cleared of what may have been left in its session."""
        try:
            if connection.generation == self._generation:
                await connection.reset(timeout=RELEASE_TIMEOUT_SECONDS)
        except BaseException as error:
            await self.release(connection)
            if not isinstance(error, Exception):
                raise
        else:
            if not self.give(connection):
                await self.release(connection)

    async def release(self, connection: Session) -> None:
        """Give a connection back that may be in any state: what runs on it is ended, what was left is cleared.

        Goes on by itself when the caller is cancelled; a connection that cannot be cleaned is dropped.
        """
        if connection not in self._all:  # The pool was closed meanwhile.
            connection.terminate()
            return
        task = asyncio.create_task(self._clean(connection), name="database-connection-cleaning")
        self._cleaning.add(task)
        task.add_done_callback(self._cleaning.discard)
        await asyncio.shield(task)

    def expire(self) -> None:
        """Replace every connection: the server behind them is another one now."""
        self._generation += 1
        while self._idle:
            self._drop(self._idle.pop())

    async def connect(self) -> asyncpg.Connection[asyncpg.Record]:
        """A connection of its own, outside the pool, checked like one of the pool; the caller closes it."""
        return await self._connected(self._url, session.arguments(self._settings, self._attribute), checked=True)

    async def connect_direct(self, url: str | None, application_name: str | None) -> asyncpg.Connection[asyncpg.Record]:
        """A connection without any limit of time, to `url` if given, for long work; the caller closes it."""
        settings = self._settings
        if url is None and settings.pooler == "transaction":
            raise DependencyError("Builds, locks and imports need a connection past the pooler.", SET_OPERATOR_URL)
        attribute = self._attribute if url is None else session_attribute(url, read_only=settings.read_only)
        arguments = session.unlimited(settings, attribute, application_name or settings.application_name)
        try:
            with translated():
                return await self._connected(url or self._url, arguments, checked=False)
        except DependencyDown as error:
            if url is None:
                raise
            raise DependencyDown(f"At DATABASE_OPERATOR_URL: {error}", CORRECT_OPERATOR_URL) from error

    def size(self) -> tuple[int, int]:
        """Connections that are open, and those of them that nobody uses."""
        # Copied first: who asks may be another thread.
        return sum(not item.is_closed() for item in tuple(self._all)), sum(not item.is_closed() for item in tuple(self._idle))

    def _check_open(self) -> None:
        if not self._is_open:
            raise DependencyDown("The database is not open.", "Open the services first.")

    def _next_idle(self) -> Session | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.generation == self._generation and not connection.is_closed():
                return connection
            self._drop(connection)
        return None

    async def _add(self) -> Session:
        self._check_open()  # Who waited may find it closed.
        generation = self._generation
        with translated():
            connection = await self._connected(self._url, session.arguments(self._settings, self._attribute), checked=True)
        connection.generation = generation
        self._all.add(connection)
        return connection

    async def _connected(self, url: str, arguments: dict[str, Any], *, checked: bool) -> Session:
        connection: Session = await asyncpg.connect(url, connection_class=Session, **arguments)
        try:
            if checked and self._settings.pooler == "none":
                await capacity.check(connection, self._limits_sql, self._settings.max_size, self._settings.operator_reserve)
            await session.add_codecs(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _clean(self, connection: Session) -> None:
        try:
            if connection.is_closed() or connection.generation != self._generation:
                self._drop(connection)
            else:
                await connection.reset(timeout=RELEASE_TIMEOUT_SECONDS)
                connection.idle_since = time.monotonic()
                self._idle.append(connection)
        except BaseException as error:
            self._drop(connection)
            if not isinstance(error, Exception):
                raise
            log.debug("connection_dropped error=%r", error)
        finally:
            self.admission.leave()

    def _drop(self, connection: Session) -> None:
        self._all.discard(connection)
        connection.terminate()

    async def _wait(self) -> None:
        seconds, admission = self._settings.acquire_timeout_seconds, self.admission
        try:
            await admission.enter(seconds)
        except ConnectionAbortedError:
            raise DependencyDown("The database was closed.", "Open the services again.") from None
        except TimeoutError:
            raise PoolExhausted(
                f"No connection became free within {seconds:g} s: all {admission.size} of the pool are busy,"
                f" and {admission.waiting} more wait.",
                ENLARGE,
            ) from None

    async def _keep(self) -> None:
        failing = False
        while True:
            try:
                await self._keep_once()
                failing = False
            except CoreError as error:
                log.log(logging.DEBUG if failing else logging.WARNING, "pool_minimum_not_kept error=%r", str(error))
                failing = True
            except Exception:
                log.exception("database_connections_crashed")
            await asyncio.sleep(self._settings.keep_seconds)

    async def _keep_once(self) -> None:
        """Open what is missing of the least number, close what nobody needs."""
        settings = self._settings
        for connection in [item for item in self._idle if item.is_closed()]:
            self._idle.remove(connection)
            self._drop(connection)
        while len(self._all) < settings.min_size and self.admission.enter_at_once():
            try:
                self._idle.insert(0, await self._add())
            finally:
                self.admission.leave()
        oldest = time.monotonic() - settings.idle_seconds
        while len(self._all) > settings.min_size and self._idle and self._idle[0].idle_since < oldest:
            connection = self._idle.pop(0)
            self._all.discard(connection)
            await connection.close(timeout=CLOSE_TIMEOUT_SECONDS)
