"""Database: answers, errors of the tree, outages, and what it leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest

from core.database.failures import translated
from core.database.pool import Database, PoolSettings
from core.database.queries import Queries
from core.errors import CoreError, DependencyDown, DependencyError, DependencyTimeout, PoolExhausted, QueryError, SchemaError
from tests.servers import behind, socket_of
from tests.tcp_proxy import TcpProxy

FAST = PoolSettings(
    max_size=2,
    acquire_timeout_seconds=0.2,
    connect_timeout_seconds=1.0,
    command_timeout_seconds=0.3,
    application_name="pool test",
)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database on this test's own schema."""
    database = Database(database_url, Queries(), FAST)
    await database.open()
    yield database
    await database.close()


async def test_the_four_ways_to_ask(database: Database) -> None:
    """Rows, one row, one value and a command tag come back as documented."""
    rows = await database.fetch_all("SELECT n, n * 2 AS double FROM generate_series(1, $1::int) AS n", 3)

    assert [tuple(row) for row in rows] == [(1, 2), (2, 4), (3, 6)]
    assert (await database.fetch_one("SELECT 1 AS a")) == (1,)
    assert await database.fetch_one("SELECT 1 WHERE false") is None
    assert await database.fetch_value("SELECT 7") == 7
    assert await database.execute("INSERT INTO markets (id, market_name, state) VALUES ('x', 'X', 'TX')") == "INSERT 0 1"


async def test_json_columns_are_values_not_text(database: Database) -> None:
    """A jsonb column goes in and out as Python values."""
    assert await database.fetch_value("SELECT $1::jsonb", {"a": [1, None, "ü"]}) == {"a": [1, None, "ü"]}


async def test_a_transaction_rolls_back_as_a_whole(database: Database) -> None:
    """An error inside the block undoes what came before it."""

    async def insert_and_fail() -> None:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO markets (id, market_name, state) VALUES ('y', 'Y', 'TX')")
            await connection.execute("SELECT 1 / 0")

    with pytest.raises(QueryError):
        await insert_and_fail()

    assert await database.fetch_value("SELECT count(*) FROM markets") == 0


async def test_a_refused_statement_keeps_postgresqls_words(database: Database) -> None:
    """QueryError carries the server's message, with the driver's error as its cause."""
    with pytest.raises(QueryError, match="division by zero") as caught:
        await database.fetch_all("SELECT 1 / 0")

    assert isinstance(caught.value.__cause__, asyncpg.DivisionByZeroError)


@pytest.mark.parametrize("statement", ["SELECT * FROM no_such_table", "SELECT no_such_column FROM leads", "SELECT 1 FROM x.y"])
async def test_a_schema_that_lacks_something_is_told_apart(database: Database, statement: str) -> None:
    """A watched database with other tables is no fault of the statement: the next step names the map of nouns."""
    with pytest.raises(SchemaError, match=r"no_such|x\.y") as caught:
        await database.fetch_all(statement)

    assert "map of nouns" in caught.value.next_step


async def test_a_slow_statement_is_cut_off_and_cancelled_on_the_server(database: Database) -> None:
    """Past the command timeout the caller gets DependencyTimeout, and PostgreSQL stops working on it."""
    with pytest.raises(DependencyTimeout):
        await database.fetch_all("SELECT pg_sleep(30)")

    running = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep(30)'"
    )
    assert await database.fetch_value(running) == 0


async def test_a_full_pool_is_a_timeout_and_no_outage(database: Database) -> None:
    """When all connections are busy a caller waits no longer than the acquire timeout, and the ping still answers."""
    async with database.transaction(), database.transaction():
        assert (await database.ping()).version.startswith("18")
        with pytest.raises(PoolExhausted, match=r"within 0\.2 s: all 2 of the pool are busy") as caught:
            await database.fetch_value("SELECT 1")
        assert "DATABASE_POOL_MAX" in caught.value.next_step


async def test_a_watched_database_cannot_be_written(database_url: str) -> None:
    """A read-only pool has PostgreSQL itself refuse a change."""
    database = Database(database_url, Queries(), PoolSettings(read_only=True))
    await database.open()
    try:
        with pytest.raises(QueryError, match="read-only"):
            await database.execute("DELETE FROM leads")
    finally:
        await database.close()


async def test_nobody_listening_is_down_not_an_error_of_open(database_url: str) -> None:
    """Open succeeds; each question says that the server is down."""
    database = Database("postgresql://x@127.0.0.1:9/x", Queries(), FAST)
    await database.open()
    try:
        with pytest.raises(DependencyDown):
            await database.fetch_value("SELECT 1")
        with pytest.raises(DependencyDown):
            await database.ping()
    finally:
        await database.close()


async def test_a_connection_cut_in_use_is_down_and_then_up_again(
    database_url: str, tcp_proxy: Callable[[Any], TcpProxy]
) -> None:
    """After the network is back the same pool answers, without being opened again."""
    proxy = tcp_proxy(socket_of(database_url))
    database = Database(behind(proxy, database_url), Queries(), FAST)
    await database.open()
    try:
        assert await database.fetch_value("SELECT 1") == 1
        proxy.cut()
        with pytest.raises(DependencyDown):
            await database.fetch_value("SELECT 1")
        proxy.restore()
        assert await database.fetch_value("SELECT 1") == 1
    finally:
        await database.close()


async def test_a_silent_network_ends_in_a_timeout(database_url: str, tcp_proxy: Callable[[Any], TcpProxy]) -> None:
    """A server that takes bytes and gives none makes nobody wait for ever, neither a question nor close."""
    proxy = tcp_proxy(socket_of(database_url))
    database = Database(behind(proxy, database_url), Queries(), FAST)
    await database.open()
    try:
        assert await database.fetch_value("SELECT 1") == 1
        proxy.pause()
        async with asyncio.timeout(5):
            with pytest.raises((DependencyTimeout, DependencyDown)):
                await database.fetch_value("SELECT 1")
    finally:
        async with asyncio.timeout(5):
            await database.close()


async def test_the_ping_makes_a_new_connection_now_and_then(database: Database) -> None:
    """A postmaster that takes no new connection is noticed although the old one still answers."""
    pids = set()
    for _ in range(8):
        await database.ping()
        pids.add(database._probe._connection.get_server_pid())

    assert len(pids) >= 2


@pytest.mark.parametrize(
    ("error", "kind", "advice"),
    [
        (asyncpg.DiskFullError("no space"), DependencyError, "Free space"),
        (asyncpg.TooManyConnectionsError("sorry"), DependencyDown, "max_connections"),
        (asyncpg.OutOfMemoryError("oom"), DependencyError, "memory"),
        (asyncpg.AdminShutdownError("bye"), DependencyDown, DependencyDown.default_next_step),
        (ConnectionRefusedError(), DependencyDown, DependencyDown.default_next_step),
        (TimeoutError(), DependencyTimeout, DependencyTimeout.default_next_step),
        (asyncpg.QueryCanceledError("canceling statement due to statement timeout"), DependencyTimeout, "plan"),
        (asyncpg.QueryCanceledError("canceling statement due to user request"), QueryError, QueryError.default_next_step),
        (asyncpg.DeadlockDetectedError("deadlock"), QueryError, "whole transaction again"),
        (asyncpg.ReadOnlySQLTransactionError("read-only"), QueryError, "target_session_attrs"),
        (asyncpg.TargetServerAttributeNotMatched("none"), DependencyDown, "target_session_attrs"),
        (asyncpg.ProtocolViolationError("unsupported startup parameter: x"), DependencyError, "DATABASE_POOLER"),
        (asyncpg.DuplicatePreparedStatementError("exists"), QueryError, "DATABASE_POOLER"),
        (asyncpg.InterfaceError("misuse"), QueryError, QueryError.default_next_step),
    ],
)
def test_each_failure_says_what_to_do_about_it(error: Exception, kind: type[CoreError], advice: str) -> None:
    """A full disk is not an unreachable server: the driver's errors become those of the tree, with the cause kept."""
    with pytest.raises(CoreError) as caught, translated():
        raise error

    assert (type(caught.value), advice in caught.value.next_step, caught.value.__cause__) == (kind, True, error)
