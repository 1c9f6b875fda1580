"""The largest index of the set, built and cancelled beside 2,000 writes a second; and a plain CREATE INDEX beside the same."""

from __future__ import annotations

import asyncio
import os
import time

import asyncpg
import pytest
import uvloop

from core.database.indexes.run import IndexRun
from core.database.indexes.shipped import IndexSet
from core.database.indexes.statement import IndexStatement
from core.database.queries import Queries
from tests.bench.large_platform import LargePlatform
from tests.database.indexes.conftest import left_of, until_waiting
from tests.database.indexes.writers import Writers
from tests.support import wait_until_async

NAME = "lead_interactions_lead_created_idx"
WRITERS = 4
PHASES = ("building index: scanning%", "building index: loading%", "index validation: scanning table%")
ALONE_SECONDS = 5.0
MOST_SECONDS = 1.0


@pytest.mark.timeout(3600)
def test_the_largest_index_beside_writers(platform: LargePlatform) -> None:
    """No write waits for a second, a cancel takes less and leaves nothing; a plain build stops all writes while it runs."""
    with platform.copy() as copy:
        uvloop.run(_with_connections(copy))


async def _with_connections(copy: LargePlatform) -> None:
    async with copy.connections(1 + WRITERS) as (connection, *others):
        leads, rows = await connection.fetchrow("SELECT (SELECT max(id) FROM leads), (SELECT max(id) FROM lead_interactions)")
        await _beside_writers(IndexRun(copy.connect, Queries()), connection, Writers(others, leads=leads, rows=rows))


async def _beside_writers(run: IndexRun, connection: asyncpg.Connection, writers: Writers) -> None:
    began = time.monotonic()
    async with writers.writing():
        await wait_until_async(lambda: time.monotonic() > began + ALONE_SECONDS)
        print(f"\nwriters alone: {writers.count / ALONE_SECONDS:,.0f} rows/s, slowest batch {writers.forget() * 1e3:.0f} ms")
        cancels = [await _cancel(run, connection, phase) for phase in PHASES]
        cancelled = writers.forget()
        outcome = await run.up(IndexSet()[NAME], lambda *_: None)
        built = writers.forget()
        valid = await left_of(connection, NAME)
        await run.down(IndexSet()[NAME], lambda *_: None)
        dropped, rate = writers.forget(), writers.count / (time.monotonic() - began)
        plain = await _build_plainly(connection)
        stood = writers.forget()
    print(f"cancels {', '.join(f'{one * 1e3:.0f}' for one in cancels)} ms, slowest batch {cancelled * 1e3:.0f} ms")
    print(f"built in {outcome.seconds:.1f} s, {outcome.size_bytes / 1e6:.0f} MB: slowest batch {built * 1e3:.0f} ms")
    print(f"dropped: slowest batch {dropped * 1e3:.0f} ms; until here {rate:,.0f} rows/s")
    print(f"plain CREATE INDEX in {plain:.1f} s: slowest batch {stood * 1e3:.0f} ms; load average {os.getloadavg()[0]:.1f}")
    assert valid is True
    assert max(cancels) < MOST_SECONDS
    assert max(cancelled, built, dropped) < MOST_SECONDS
    assert stood > plain / 2
    assert await left_of(connection, NAME) is None


async def _cancel(run: IndexRun, connection: asyncpg.Connection, phase: str) -> float:
    """Seconds until a build that was cancelled in this phase is gone with all that it left."""
    build = asyncio.create_task(run.up(IndexSet()[NAME], lambda *_: None))
    await until_waiting(connection, phase)
    began = time.monotonic()
    build.cancel()
    with pytest.raises(asyncio.CancelledError):
        await build
    seconds = time.monotonic() - began
    assert await left_of(connection, NAME) is None
    return seconds


async def _build_plainly(connection: asyncpg.Connection) -> float:
    """Seconds of the same index without CONCURRENTLY; it is dropped again."""
    notes, began = IndexSet()[NAME], time.monotonic()
    await connection.execute(IndexStatement.parse(notes.create_statement).on(notes.table, NAME))
    seconds = time.monotonic() - began
    await connection.execute(notes.take_back)
    return seconds
