"""Retries: a read, a refused write and a transaction in conflict are asked again; a write whose fate is unknown never is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from core.database.pool import Database
from core.errors import DependencyDown, QueryError
from tests.database.conftest import Opened

ADD = "INSERT INTO markets (id, market_name, state) VALUES ($1, $1, 'TX')"
COUNT = "SELECT count(*) FROM markets"


async def _market(database: Database, name: str, rent: int) -> None:
    await database.execute("INSERT INTO markets (id, market_name, state, avg_price) VALUES ($1, $1, 'TX', $2)", name, rent)


@pytest.mark.parametrize("isolation", ["read_committed", "serializable"])
async def test_transactions_in_conflict_are_run_again(opened: Opened, database_url: str, isolation: Any) -> None:
    """Two at once add to the same two rows in opposite order: none is lost, whatever PostgreSQL rolled back."""
    database, runs = await opened(database_url, max_size=2), list[int]()
    await _market(database, "a", 1)
    await _market(database, "b", 1)

    def adding(names: tuple[str, ...]) -> Callable[[Any], Any]:
        async def work(connection: asyncpg.Connection[asyncpg.Record]) -> None:
            runs.append(1)
            await connection.execute("SET LOCAL deadlock_timeout = '20ms'")
            for name in names:
                price = await connection.fetchval("SELECT avg_price FROM markets WHERE id = $1", name)
                change = "avg_price + 1" if isolation == "read_committed" else f"{int(price) + 1}"
                await connection.execute(f"UPDATE markets SET avg_price = {change} WHERE id = $1", name)
                await asyncio.sleep(0)

        return work

    for _ in range(3):
        works = [adding(("a", "b") if number % 2 else ("b", "a")) for number in range(2)]
        await asyncio.gather(*(database.run_transaction(work, isolation=isolation) for work in works))

    assert await database.fetch_value("SELECT array_agg(avg_price::int) FROM markets") == [7, 7]
    assert len(runs) >= 6


async def test_a_conflict_that_stays_is_told(opened: Opened, database_url: str) -> None:
    """After five runs, with what to do."""
    database, runs = await opened(database_url), list[int]()

    async def work(connection: asyncpg.Connection[asyncpg.Record]) -> None:
        runs.append(1)
        await connection.execute("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$")

    with pytest.raises(QueryError, match="again") as caught:
        await database.run_transaction(work)

    assert len(runs) == 5
    assert "whole transaction again" in caught.value.next_step


async def test_any_other_error_ends_a_transaction_at_once(opened: Opened, database_url: str) -> None:
    """An error of the statement, and one of the caller's own, which stays as it is."""
    database, runs = await opened(database_url), list[int]()

    async def refused(connection: asyncpg.Connection[asyncpg.Record]) -> None:
        runs.append(1)
        await connection.execute("SELECT 1 / 0")

    async def mistaken(_: asyncpg.Connection[asyncpg.Record]) -> None:
        runs.append(1)
        raise KeyError("theirs")

    with pytest.raises(QueryError, match="division"):
        await database.run_transaction(refused)
    with pytest.raises(KeyError, match="theirs"):
        await database.run_transaction(mistaken)
    assert len(runs) == 2


async def _end_once_it_waits(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """End the pool's session as soon as its statement waits for our lock, then let the lock go."""
    waits = (
        "SELECT l.pid FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database"
        " WHERE NOT l.granted AND d.datname = current_database()"
    )
    async with asyncio.timeout(10):
        while (pid := await connection.fetchval(waits)) is None:
            await asyncio.sleep(0)
    await connection.execute("SELECT pg_terminate_backend($1)", pid)


async def test_a_read_whose_connection_is_lost_is_asked_again(
    opened: Opened, database_url: str, platform_connection: asyncpg.Connection[asyncpg.Record]
) -> None:
    """Whoever asks notices nothing."""
    database = await opened(database_url, max_size=1, application_name="lost")
    async with platform_connection.transaction():
        await platform_connection.execute("LOCK TABLE console.starts")
        asking = asyncio.create_task(database.fetch_value("starts_count"))
        await _end_once_it_waits(platform_connection)

    assert await asking == 0
    (figures,) = database.query_stats()
    assert (figures.calls, [count for _, count in figures.errors]) == (1, [1])


@pytest.mark.parametrize("write", ["INSERT INTO console.milestones (name) VALUES ('x')", "reach_milestone"])
async def test_a_write_whose_connection_is_lost_is_never_repeated(
    opened: Opened, database_url: str, platform_connection: asyncpg.Connection[asyncpg.Record], write: str
) -> None:
    """It may have been stored; the caller is told, and decides."""
    database = await opened(database_url, max_size=1, application_name="lost")
    async with platform_connection.transaction():
        await platform_connection.execute("LOCK TABLE console.milestones")
        asking = asyncio.create_task(database.execute(write, *(["x", ""] if write == "reach_milestone" else [])))
        await _end_once_it_waits(platform_connection)

    with pytest.raises(DependencyDown):
        await asking
    assert await database.fetch_value("SELECT count(*) FROM console.milestones") == 0


async def test_a_write_refused_after_a_failover_goes_to_the_new_primary(
    opened: Opened, database_url: str, platform_connection: asyncpg.Connection[asyncpg.Record]
) -> None:
    """25006 says that nothing was done: the pool connects anew and asks once more, inside of transactions as well."""
    database, name = await opened(database_url, max_size=2), await platform_connection.fetchval("SELECT current_database()")

    async def adding(connection: asyncpg.Connection[asyncpg.Record]) -> None:
        await connection.execute(ADD, "second")

    for write in (lambda: database.execute(ADD, "first"), lambda: database.run_transaction(adding)):
        await platform_connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        await database.close()
        await database.open()
        await database.fetch_value("SELECT 1")  # A session of the time when the server took no writes.
        await platform_connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        await write()

    assert await database.fetch_value(COUNT) == 2


async def test_a_server_that_stays_read_only_is_told(
    opened: Opened, database_url: str, platform_connection: asyncpg.Connection[asyncpg.Record]
) -> None:
    """After one more try, with what to do."""
    name = await platform_connection.fetchval("SELECT current_database()")
    await platform_connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    database = await opened(database_url)

    with pytest.raises(QueryError, match="read-only") as caught:
        await database.execute(ADD, "x")
    assert "target_session_attrs" in caught.value.next_step
    (figures,) = database.query_stats()
    assert figures.errors == (("ReadOnlySQLTransactionError", 2),)
