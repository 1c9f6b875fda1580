"""Fixtures of the index tests: runs on this test's own database, and sessions that stand in their way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from core.database.indexes.run import IndexRun
from core.database.indexes.session import Patience
from core.database.indexes.shipped import IndexSet
from core.database.queries import Queries

IMPATIENT = Patience(lock_timeout_seconds=0.2, attempts=2, pause_seconds=0.05, poll_seconds=0.02)
PATIENT = Patience(lock_timeout_seconds=20, attempts=2, pause_seconds=0.05, poll_seconds=0.02)
NAME = "leads_score_idx"

Connect = Callable[[], Awaitable[asyncpg.Connection]]


class Told:
    """A Progress that keeps what it was told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, int]] = []

    def __call__(self, what: str, done: int, total: int) -> None:
        assert 0 <= done <= total == 1_000
        self.lines.append((what, done))

    def says(self, text: str) -> bool:
        """Whether a line had this text."""
        return any(text in what for what, _ in self.lines)


@pytest.fixture
def index_set() -> IndexSet:
    """The shipped set."""
    return IndexSet()


@pytest.fixture
async def connect(database_url: str) -> AsyncIterator[Connect]:
    """Makes connections to this test's database; all are closed at its end."""
    connections: list[asyncpg.Connection] = []

    async def one() -> asyncpg.Connection:
        connections.append(await asyncpg.connect(database_url))
        return connections[-1]

    yield one
    for connection in connections:
        connection.terminate()


@pytest.fixture
def run(connect: Connect) -> IndexRun:
    """Runs that wait for locks as long as a test does."""
    return IndexRun(connect, Queries(), name="console index one", patience=PATIENT)


@pytest.fixture
async def old_snapshot(connect: Connect) -> asyncpg.Connection:
    """A transaction whose snapshot a build waits for, although it never touched the table."""
    other = await connect()
    await other.execute("SET application_name = 'nightly report'; BEGIN ISOLATION LEVEL REPEATABLE READ")
    await other.fetchval("SELECT count(*) FROM markets")
    return other


async def building(connection: asyncpg.Connection, phase: str = "%") -> int | None:
    """The process id of the build in this test's database that is in such a phase: the view is of the whole server."""
    query = "SELECT pid FROM pg_stat_progress_create_index WHERE datname = current_database() AND phase LIKE $1"
    return await connection.fetchval(query, phase)


async def until_waiting(connection: asyncpg.Connection, phase: str = "waiting for old snapshots") -> int:
    """Return the process id of the build when it has come to the phase."""
    async with asyncio.timeout(60):
        while (pid := await building(connection, phase)) is None:
            await asyncio.sleep(0)
    return pid


async def left_of(connection: asyncpg.Connection, name: str = NAME) -> bool | None:
    """Whether the index is valid; None: there is none."""
    return await connection.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)", name)


async def stamps(connection: asyncpg.Connection) -> set[str]:
    """Alembic's record."""
    return {row["version_num"] for row in await connection.fetch("SELECT version_num FROM platform_schema_version")}
