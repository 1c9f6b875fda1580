"""Index builds in real time: beside writers, and after the process that started one was killed."""

from __future__ import annotations

import asyncio
import time

import asyncpg
import pytest

from core.database.indexes.run import IndexRun
from core.database.indexes.session import Patience
from core.database.indexes.shipped import IndexSet
from core.database.queries import Queries
from core.settings import Settings
from tests.cli.command import ended, started
from tests.database.indexes.conftest import Connect, Told, building, left_of, stamps, until_waiting

NAME = "lead_interactions_lead_created_idx"
WRITES_PER_SECOND = 2_000
FILL = (
    "INSERT INTO markets (id, market_name, state) VALUES ('x', 'X', 'TX');"
    "INSERT INTO leads (market_id, score) SELECT 'x', n % 100 FROM generate_series(1, 20000) AS n;"
    "INSERT INTO lead_interactions (lead_id, interaction_type, created_at)"
    " SELECT 1 + n % 20000, 'email_open', now() - n * interval '10 seconds' FROM generate_series(1, {rows}) AS n"
)
WRITE = "INSERT INTO lead_interactions (lead_id, interaction_type) VALUES ($1, 'page_view')"


class Writers:
    """Four connections that write on a schedule; `slowest` is the longest that one write took."""

    def __init__(self, connections: list[asyncpg.Connection]) -> None:
        self._connections = connections
        self._stopped = asyncio.Event()
        self.slowest = 0.0
        self.count = 0

    async def run(self) -> None:
        """Write until stopped."""
        await asyncio.gather(*(self._write(connection) for connection in self._connections))

    def stop(self) -> None:
        """End after the next write."""
        self._stopped.set()

    async def _write(self, connection: asyncpg.Connection) -> None:
        # Due times are drawn ahead, so that a stall is not forgotten by writing later; many writes are one message.
        statement, batch = await connection.prepare(WRITE), 20
        began, number = time.monotonic(), 0
        stopped = asyncio.ensure_future(self._stopped.wait())
        while not stopped.done():
            due = began + number * batch * len(self._connections) / WRITES_PER_SECOND
            await asyncio.wait([stopped], timeout=max(0.0, due - time.monotonic()))
            asked = time.monotonic()
            await statement.executemany([(1 + (number + row) % 20_000,) for row in range(batch)])
            self.slowest = max(self.slowest, time.monotonic() - asked)
            self.count += batch
            number += 1


@pytest.mark.slow
async def test_writers_go_on_while_an_index_is_built_and_cancelled(
    connect: Connect, index_set: IndexSet, platform_connection
) -> None:
    """No write waits for a second, the cancel takes less, nothing is left of it, and the next build is valid."""
    await platform_connection.execute(FILL.format(rows=1_500_000))
    writers = Writers([await connect() for _ in range(4)])
    writing, began = asyncio.create_task(writers.run()), time.monotonic()
    run, notes = IndexRun(connect, Queries(), patience=Patience()), index_set[NAME]

    first = asyncio.create_task(run.up(notes, Told()))
    await until_waiting(platform_connection, "building%")
    cancelled_at = time.monotonic()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    cancel_seconds = time.monotonic() - cancelled_at
    left = await left_of(platform_connection, NAME)

    assert (await run.up(notes, Told())).action == "built"
    seconds = time.monotonic() - began
    writers.stop()
    await writing
    assert left is None
    assert writers.count > WRITES_PER_SECOND * seconds / 2
    assert (cancel_seconds < 1, writers.slowest < 1) == (True, True), (cancel_seconds, writers.slowest, writers.count)
    assert await left_of(platform_connection, NAME) is True
    counted = "SELECT count(*) FROM lead_interactions WHERE lead_id = 7 AND created_at > '2000-01-01'"
    await platform_connection.execute("SET enable_seqscan = off")
    by_index = await platform_connection.fetchval(counted)
    await platform_connection.execute(
        "SET enable_seqscan = on; SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off"
    )
    assert by_index == await platform_connection.fetchval(counted)


@pytest.mark.slow
async def test_a_killed_command_leaves_a_build_that_the_next_one_adopts(settings: Settings, platform_connection) -> None:
    """After kill -9 in the middle the server builds on; the next command waits for it, and the end is valid and on record."""
    await platform_connection.execute(FILL.format(rows=2_000_000))
    arguments = ("migrate", "up", NAME, "--target", settings.target_name)
    with started(settings, arguments) as process:
        await until_waiting(platform_connection, "building%")
        process.kill()
        await asyncio.to_thread(ended, process)
    running = await building(platform_connection)

    with started(settings, arguments) as again:
        done = await asyncio.to_thread(ended, again)
    assert done.code == 0, done.err
    assert running is not None
    assert "adopted" in done.out
    assert await left_of(platform_connection, NAME) is True
    assert await stamps(platform_connection) == {"1003"}
