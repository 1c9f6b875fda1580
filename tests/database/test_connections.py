"""Connections: what a pooled connection is like when the next caller gets it, and how many there are."""

from __future__ import annotations

import asyncio
import random

import asyncpg
import pytest

from core.database.pool import Database
from core.errors import CoreError, DependencyDown, DependencyTimeout
from tests.database.conftest import Opened
from tests.support import wait_until_async

SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'connections'"
PIDS = SESSIONS.replace("count(*)", "pid")
ACTIVE = f"{SESSIONS} AND state = 'active'"


async def _pid(database: Database) -> int:
    return int(await database.fetch_value("SELECT pg_backend_pid()"))


async def test_a_cancelled_question_frees_the_server(opened: Opened, database_url: str, platform_connection) -> None:
    """PostgreSQL stops the statement, and the connection goes back clean to be used again."""
    database = await opened(database_url, max_size=1, application_name="connections")
    pid = await _pid(database)
    asking = asyncio.create_task(database.fetch_value("SELECT pg_sleep(60)"))
    async with asyncio.timeout(10):
        while not await platform_connection.fetchval(ACTIVE):
            await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    async with asyncio.timeout(10):
        while await platform_connection.fetchval(ACTIVE):
            await asyncio.sleep(0)
    assert (database.stats().size, database.stats().idle) == (1, 1)
    assert await _pid(database) == pid


async def test_a_cancelled_transaction_is_rolled_back(opened: Opened, database_url: str, platform_connection) -> None:
    """While a statement of it runs."""
    database = await opened(database_url, max_size=1, application_name="connections")

    async def work() -> None:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO markets (id, market_name, state) VALUES ('x', 'X', 'TX')")
            await connection.execute("SELECT pg_sleep(60)")

    working = asyncio.create_task(work())
    async with asyncio.timeout(10):
        while not await platform_connection.fetchval(f"{ACTIVE} AND query LIKE '%pg_sleep%'"):
            await asyncio.sleep(0)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working

    async with asyncio.timeout(10):
        while await platform_connection.fetchval(ACTIVE):
            await asyncio.sleep(0)
    assert await database.fetch_value("SELECT count(*) FROM markets") == 0


async def test_cancellations_at_any_moment_leave_the_pool_whole(opened: Opened, database_url: str) -> None:
    """Three hundred questions, most cancelled: every connection answers afterwards, and none is lost."""
    database, chance = await opened(database_url, max_size=4), random.Random(7)
    asking = [asyncio.create_task(database.fetch_value("SELECT pg_sleep(0.001) IS NULL")) for _ in range(300)]
    for task in asking:
        if chance.random() < 0.8:
            asyncio.get_running_loop().call_later(chance.uniform(0, 0.1), task.cancel)
    results = await asyncio.gather(*asking, return_exceptions=True)

    assert {type(item) for item in results} <= {bool, asyncio.CancelledError}
    assert await asyncio.gather(*(database.fetch_value("SELECT 7") for _ in range(20))) == [7] * 20
    stats = database.stats()
    assert (stats.size, stats.waiting) == (stats.idle, 0)
    assert stats.size <= 4


async def test_the_next_caller_finds_a_clean_session(opened: Opened, database_url: str) -> None:
    """Settings, session locks and open transactions of one question do not reach the next."""
    database = await opened(database_url, max_size=1)
    await database.execute("SET search_path = nowhere")
    await database.fetch_value("SELECT pg_advisory_lock(7)")
    await database.execute("START TRANSACTION")

    assert await database.fetch_value("SHOW search_path") != "nowhere"
    assert await database.fetch_value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7") == 0
    assert await database.fetch_value("SELECT now()") != await database.fetch_value("SELECT now()")
    assert database.stats().size == 1


async def test_the_least_number_is_kept_open(opened: Opened, database_url: str, platform_connection) -> None:
    """Without a question being asked, and again after the server ended them."""
    database = await opened(database_url, min_size=3, max_size=5, keep_seconds=0.05, application_name="connections")
    await wait_until_async(lambda: database.stats().idle == 3)

    ended = SESSIONS.replace("count(*)", "pg_terminate_backend(pid)")
    old = {row["pid"] for row in await platform_connection.fetch(PIDS)}
    assert len(await platform_connection.fetch(ended)) == 3
    async with asyncio.timeout(10):
        while len({row["pid"] for row in await platform_connection.fetch(PIDS)} - old) < 3:
            await asyncio.sleep(0)
    await wait_until_async(lambda: database.stats().idle == 3)


async def test_connections_that_nobody_uses_are_closed(opened: Opened, database_url: str) -> None:
    """Down to the least number."""
    database = await opened(database_url, min_size=1, max_size=4, idle_seconds=0.2, keep_seconds=0.05)
    await asyncio.gather(*(database.fetch_value("SELECT pg_sleep(0.05)") for _ in range(4)))
    assert database.stats().size == 4

    await wait_until_async(lambda: database.stats().size == 1)
    assert await database.fetch_value("SELECT 1") == 1


async def test_a_statement_has_a_limit_on_the_server_too(opened: Opened, database_url: str) -> None:
    """PostgreSQL ends it by itself, so the limit holds for a client that has gone."""
    database = await opened(database_url, command_timeout_seconds=0.2)

    assert await database.fetch_value("SHOW statement_timeout") == "200ms"
    with pytest.raises(DependencyTimeout, match="statement timeout"):
        await database.fetch_value("SELECT pg_sleep(30)")


async def test_a_direct_connection_has_no_limit_and_its_own_name(opened: Opened, database_url: str) -> None:
    """It goes to the operator's URL, and settings and locks stay on it."""
    database = await opened("postgresql://nobody@127.0.0.1:9/x", {"operator_url": database_url}, command_timeout_seconds=0.2)
    connection = await database.connect(application_name="index build")
    try:
        assert await connection.fetchval("SHOW statement_timeout") == "0"
        assert await connection.fetchval("SHOW application_name") == "index build"
        assert await connection.fetchval("SELECT pg_sleep(0.5) IS NOT NULL")
    finally:
        await connection.close()


async def test_an_operator_url_that_leads_nowhere_is_named(opened: Opened, database_url: str) -> None:
    """The pool works meanwhile, so whoever reads the error must learn which of the two URLs it is about."""
    database = await opened(database_url, {"operator_url": "postgresql://nobody@127.0.0.1:9/x"})
    with pytest.raises(DependencyDown, match="At DATABASE_OPERATOR_URL") as caught:
        await database.connect()
    assert "DATABASE_OPERATOR_URL" in caught.value.next_step


async def test_close_ends_what_waits_and_what_runs(opened: Opened, database_url: str, platform_connection) -> None:
    """Who waits is told so, no session is left behind, and the database may be opened again."""
    database = await opened(
        database_url, max_size=1, acquire_timeout_seconds=30.0, command_timeout_seconds=2.0, application_name="connections"
    )
    running = asyncio.create_task(database.fetch_value("SELECT pg_sleep(60)"))
    waiting = asyncio.create_task(database.fetch_value("SELECT 1"))
    await wait_until_async(lambda: database.stats().waiting == 1)
    await database.close()

    cut_off, sent_away = await asyncio.gather(running, waiting, return_exceptions=True)
    assert (type(cut_off), type(sent_away)) == (DependencyDown, DependencyDown)
    async with asyncio.timeout(10):
        while await platform_connection.fetchval(SESSIONS):
            await asyncio.sleep(0)
    with pytest.raises(DependencyDown, match="not open"):
        await database.fetch_value("SELECT 1")
    await database.open()
    assert await database.fetch_value("SELECT 1") == 1
    assert database.stats().size == 1


async def test_a_burst_opens_no_more_than_the_pool_may(opened: Opened, database_url: str) -> None:
    """Fifty callers at once get their answers over three connections."""
    database = await opened(database_url, max_size=3)
    pids = await asyncio.gather(*(_pid(database) for _ in range(50)))

    assert len(set(pids)) <= 3
    assert database.stats().size == len(set(pids))


async def test_a_failed_connect_gives_its_place_back(opened: Opened) -> None:
    """A server that is down for a while does not use the pool up."""
    database = await opened("postgresql://x@127.0.0.1:9/x", max_size=2, acquire_timeout_seconds=5.0)
    results = await asyncio.gather(*(database.fetch_value("SELECT 1") for _ in range(10)), return_exceptions=True)

    assert {type(item) for item in results} == {DependencyDown}
    assert all(isinstance(item, CoreError) and isinstance(item.__cause__, OSError | asyncpg.PostgresError) for item in results)
