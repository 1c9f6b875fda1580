"""LockSession: the one connection of this process whose session holds the locks of its running operations.

Owns that connection and its renewal. Refuses the blocking form of a lock: it would hold a snapshot open and wait for ever.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

import asyncpg

from core.database.failures import translated
from core.database.pool import Database
from core.database.queries import Queries
from core.errors import DependencyDown

log = logging.getLogger(__name__)

# A machine that lost its power holds its locks until the server notices: after 11 s, in place of the kernel's two hours.
SET_UP = """
SET application_name = 'console operations';
SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3
"""
STATEMENT_TIMEOUT_SECONDS = 4.0


class LockSession:
    """Connects when it is asked to; a new connection holds no lock, and first ends what is left of the one before."""

    def __init__(self, store: Database, queries: Queries) -> None:
        self._store = store
        self._queries = queries
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._held: set[str] = set()
        self._identity: tuple[int, datetime] | None = None

    @property
    def connection(self) -> asyncpg.Connection[asyncpg.Record]:
        """The living connection; DependencyDown when it has gone since it was asked for."""
        if self._connection is None or self._connection.is_closed():
            raise DependencyDown("The connection to the console's store broke.")
        return self._connection

    async def ensure(self) -> None:
        """Connect, unless a connection lives; raises DependencyError."""
        if self._connection is not None and not self._connection.is_closed():
            return
        self.drop()
        connection = await self._store.connect()
        try:
            with translated():
                await self._take_over(connection)
        except BaseException:
            connection.terminate()
            raise
        self._connection = connection

    def drop(self) -> None:
        """Let go of the connection and with it of every lock; waits for nothing."""
        connection, self._connection = self._connection, None
        self._held.clear()
        if connection is not None:
            connection.terminate()

    def holds(self, key: str) -> bool:
        """Whether the lock of this key is held, as far as the connection is known to live."""
        return key in self._held and self._connection is not None and not self._connection.is_closed()

    async def take(self, key: str) -> bool:
        """Take the lock of a key; False when another session has it."""
        taken = bool(await self.fetch("operation_lock", key))
        if taken:
            self._held.add(key)
        return taken

    async def give_back(self, key: str) -> None:
        """Release the lock of a key."""
        if key in self._held:
            self._held.discard(key)
            await self.fetch("operation_unlock", key)

    async def fetch(self, name: str, *args: object) -> Any:
        """The first row of a named query on this connection; its first column alone when it has no other."""
        connection = self.connection
        with translated():
            row = await connection.fetchrow(self._queries[name].sql, *args, timeout=STATEMENT_TIMEOUT_SECONDS)
        return row[0] if row is not None and len(row) == 1 else row

    async def _take_over(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        """Set the connection up; a backend that never noticed the end of its client would keep our own locks from us."""
        await connection.execute(SET_UP, timeout=STATEMENT_TIMEOUT_SECONDS)
        if self._identity is not None:
            ended = await connection.fetchval(
                self._queries["end_backend"].sql, *self._identity, timeout=STATEMENT_TIMEOUT_SECONDS
            )
            if ended:
                log.warning("operations_old_session_ended pid=%s", self._identity[0])
        row = await connection.fetchrow(self._queries["own_backend"].sql, timeout=STATEMENT_TIMEOUT_SECONDS)
        self._identity = (row["pid"], row["backend_start"]) if row else None
