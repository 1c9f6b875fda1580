"""Probe: one connection outside the pool that answers pings, so that a full pool does not look like an outage.

Owns its renewal: it is made anew after a failure and every few pings, since a paused postmaster still serves the old ones.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import asyncpg

from core.ports import Ping

MAX_PINGS = 3  # Then a new connection.

Connect = Callable[[], Awaitable["asyncpg.Connection[asyncpg.Record]"]]


class Probe:
    """Asks the server whether it answers; raises what the driver raises."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._pings = 0

    async def ping(self) -> Ping:
        """One round trip, timed."""
        if self._connection is None or self._connection.is_closed() or self._pings >= MAX_PINGS:
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
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # terminate, not close: a polite close waits for a server that may be paused.
            connection.terminate()
