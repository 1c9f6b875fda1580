"""Writers: connections that insert and update interactions on a schedule, whatever else happens to the table."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg

WRITES_PER_SECOND = 2_000
BATCH = 20  # Rows of one message, that the driver leaves time for the server; a batch is one transaction.
INSERT = "INSERT INTO lead_interactions (lead_id, interaction_type) VALUES ($1, 'page_view')"
UPDATE = "UPDATE lead_interactions SET details = '{\"seen\": true}' WHERE id = $1"


class Writers:
    """Half of what they write is new, half is a change of one of `rows` rows; of `leads` leads.

    `slowest`: the longest that one batch took.
    """

    def __init__(self, connections: Sequence[asyncpg.Connection], *, leads: int, rows: int) -> None:
        self._connections, self._leads, self._rows = connections, leads, rows
        self._stopped = asyncio.Event()
        self.slowest = 0.0
        self.count = 0

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """They write while the block runs; an error of theirs is raised at its end."""
        began = asyncio.gather(*(self._write(number) for number in range(len(self._connections))))
        try:
            yield
        finally:
            self._stopped.set()
            await began

    def forget(self) -> float:
        """The longest that one batch took until now; from here on it is measured anew."""
        slowest, self.slowest = self.slowest, 0.0
        return slowest

    async def _write(self, place: int) -> None:
        # Due times are drawn ahead, so that a stall is not forgotten by writing later.
        connection, chance = self._connections[place], random.Random(place)
        insert, update = await connection.prepare(INSERT), await connection.prepare(UPDATE)
        began, number = time.monotonic(), 0
        stopped = asyncio.ensure_future(self._stopped.wait())
        while not stopped.done():
            due = began + number * BATCH * len(self._connections) / WRITES_PER_SECOND
            await asyncio.wait([stopped], timeout=max(0.0, due - time.monotonic()))
            statement, most = (insert, self._leads) if number % 2 else (update, self._rows)
            asked = time.monotonic()
            # In order, or two batches that change the same rows would wait for each other.
            await statement.executemany(sorted((chance.randint(1, most),) for _ in range(BATCH)))
            self.slowest = max(self.slowest, time.monotonic() - asked)
            self.count += BATCH
            number += 1
