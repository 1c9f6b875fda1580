"""Replica: reads that may be late go to a standby within its bound of lag, everything else to the primary."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from core.database.pool import Database
from core.errors import QueryError
from tests.database.conftest import Opened
from tests.database.standby import Standby
from tests.servers import Servers
from tests.support import wait_until_async

pytestmark = pytest.mark.xdist_group("standby")  # One for all of them.

ON_STANDBY = "SELECT pg_is_in_recovery()"
ADD = "INSERT INTO markets (id, market_name, state) VALUES ($1, $1, 'TX')"


@pytest.fixture(scope="module")
def standby(servers: Servers) -> Iterator[Standby]:
    """A standby of the tests' server."""
    with tempfile.TemporaryDirectory(prefix="standby-", ignore_cleanup_errors=True) as folder:
        standby = Standby(Path(folder), servers.postgres_url)
        try:
            standby.start()
            yield standby
        finally:
            standby.stop()


@pytest.fixture
async def replay(standby: Standby, database_url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection to the standby once it has this test's database; it replays again afterwards."""
    async with asyncio.timeout(30):
        while True:
            try:
                connection = await asyncpg.connect(standby.url(database_url))
                break
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0)
    yield connection
    await connection.execute("SELECT pg_wal_replay_resume()")
    await connection.close()


async def _usable(database: Database) -> None:
    await wait_until_async(lambda: (replica := database.stats().replica) is not None and replica.used)


@pytest.mark.usefixtures("replay")
async def test_only_what_may_be_late_is_asked_there(opened: Opened, standby: Standby, database_url: str) -> None:
    """By the word of the caller, or of the query."""
    database = await opened(database_url, {"replica_url": standby.url(database_url)})
    await _usable(database)

    assert await database.fetch_value(ON_STANDBY, stale_ok=True) is True
    assert await database.fetch_value(ON_STANDBY) is False
    stats = database.stats().replica
    assert stats is not None
    assert (stats.answers, stats.problem) == (1, "")
    assert stats.lag_seconds is not None
    await database.fetch_all("market_prices")
    replica = database.stats().replica
    assert replica is not None
    assert replica.answers == 2
    await database.execute(ADD, "x")


async def test_a_standby_that_is_late_is_not_asked(
    opened: Opened, standby: Standby, database_url: str, replay: asyncpg.Connection[asyncpg.Record]
) -> None:
    """Its answer would be older than the bound; when it has caught up it is asked again."""
    database = await opened(database_url, {"replica_url": standby.url(database_url)}, replica_lag_seconds=0.4)
    await _usable(database)
    await replay.execute("SELECT pg_wal_replay_pause()")
    await database.execute(ADD, "x")
    await wait_until_async(lambda: (replica := database.stats().replica) is not None and not replica.used)

    replica = database.stats().replica
    assert replica is not None
    assert "more than 0.4 s behind" in replica.problem
    assert await database.fetch_value("SELECT count(*) FROM markets", stale_ok=True) == 1
    await replay.execute("SELECT pg_wal_replay_resume()")
    await _usable(database)
    assert await database.fetch_value("SELECT count(*) FROM markets", stale_ok=True) == 1


@pytest.mark.usefixtures("replay")
async def test_the_primary_answers_when_the_replica_cannot(opened: Opened, database_url: str) -> None:
    """Nobody there, and a server that is no standby at all."""
    for url, problem in (("postgresql://x@127.0.0.1:9/x", "cannot be reached"), (database_url, "no standby")):
        database = await opened(database_url, {"replica_url": url})
        assert await database.fetch_value(ON_STANDBY, stale_ok=True) is False
        await wait_until_async(lambda: problem in getattr(database.stats().replica, "problem", ""))  # noqa: B023


async def test_a_replica_that_is_lost_in_use_is_set_aside(
    opened: Opened, standby: Standby, database_url: str, replay: asyncpg.Connection[asyncpg.Record]
) -> None:
    """The caller gets the primary's answer."""
    database = await opened(database_url, {"replica_url": standby.url(database_url)}, application_name="to be lost")
    await _usable(database)
    asking = asyncio.create_task(database.fetch_value("SELECT pg_sleep(0.4) IS NULL OR pg_is_in_recovery()", stale_ok=True))
    ending = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'to be lost' AND query LIKE 'SELECT pg_sleep%'"
    )
    async with asyncio.timeout(10):
        while not await replay.fetchval(ending):
            await asyncio.sleep(0)

    assert await asking is False
    await _usable(database)


async def test_of_several_hosts_the_one_that_takes_writes_is_chosen(
    opened: Opened, standby: Standby, database_url: str, replay: asyncpg.Connection[asyncpg.Record]
) -> None:
    """Although the standby is named first; with read-only sessions too. A pool that takes any host says what is wrong."""
    both = standby.both(database_url)
    writing, watching = await opened(both), await opened(both, read_only=True)
    assert await writing.execute(ADD, "x") == "INSERT 0 1"
    assert await watching.fetch_value(ON_STANDBY) is False

    careless = await opened(f"{both}&target_session_attrs=any")
    with pytest.raises(QueryError, match="read-only") as caught:
        await careless.execute(ADD, "y")
    assert "target_session_attrs" in caught.value.next_step
    assert await replay.fetchval("SELECT pg_is_in_recovery()")
