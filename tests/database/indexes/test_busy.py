"""Index builds in real time, beside writers."""

from __future__ import annotations

import asyncio
import time

import pytest

from core.database.indexes.run import IndexRun
from core.database.indexes.session import Patience
from core.database.indexes.shipped import IndexSet
from core.database.queries import Queries
from tests.database.indexes.conftest import Connect, Told, left_of, until_waiting
from tests.database.indexes.writers import WRITES_PER_SECOND, Writers

NAME = "lead_interactions_lead_created_idx"
ROWS = 1_500_000
FILL = (
    "INSERT INTO markets (id, market_name, state) VALUES ('x', 'X', 'TX');"
    "INSERT INTO leads (market_id, score) SELECT 'x', n % 100 FROM generate_series(1, 20000) AS n;"
    "INSERT INTO lead_interactions (lead_id, interaction_type, created_at)"
    " SELECT 1 + n % 20000, 'email_open', now() - n * interval '10 seconds' FROM generate_series(1, {rows}) AS n"
)


@pytest.mark.slow
async def test_writers_go_on_while_an_index_is_built_and_cancelled(
    connect: Connect, index_set: IndexSet, platform_connection
) -> None:
    """No write waits for a second, the cancel takes less, nothing is left of it, and the next build is valid."""
    await platform_connection.execute(FILL.format(rows=ROWS))
    writers, began = Writers([await connect() for _ in range(4)], leads=20_000, rows=ROWS), time.monotonic()
    run, notes = IndexRun(connect, Queries(), patience=Patience()), index_set[NAME]

    async with writers.writing():
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
