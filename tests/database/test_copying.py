"""COPY ends with its connection: asyncpg alone would wait for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from core.database.copying import copy_from


async def endless() -> AsyncIterator[bytes]:
    """More than any buffer between client and server takes."""
    while True:
        yield b"x" * 60_000 + b"\n"


async def rows(count: int) -> AsyncIterator[bytes]:
    """A few rows."""
    for number in range(count):
        yield f"{number}\n".encode()


async def test_a_session_that_the_server_ends_ends_the_copy(platform_connection, database_url):
    """While the client waits to be allowed to write."""
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # asyncpg leaves a future whose error nobody fetched.
    other = await asyncpg.connect(database_url)
    await other.execute("CREATE TEMP TABLE rows (a text)")
    copying = asyncio.ensure_future(copy_from(other, "rows", endless(), columns=("a",), format="text"))
    query = "SELECT coalesce((SELECT bytes_processed > 10000000 FROM pg_stat_progress_copy WHERE pid = $1), false)"
    async with asyncio.timeout(20):
        while not await platform_connection.fetchval(query, other.get_server_pid()):
            await asyncio.sleep(0)
        await platform_connection.execute("SELECT pg_terminate_backend($1)", other.get_server_pid())
        with pytest.raises((ConnectionError, asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError)):
            await copying


async def test_a_cancelled_copy_leaves_the_connection_usable(platform_connection):
    """Nothing is in the table, and the next statement is answered."""
    await platform_connection.execute("CREATE TEMP TABLE rows (a text)")
    copying = asyncio.ensure_future(copy_from(platform_connection, "rows", endless(), columns=("a",), format="text"))
    await asyncio.wait({copying}, timeout=0.3)
    copying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await copying
    assert await platform_connection.fetchval("SELECT count(*) FROM rows") == 0


async def test_rows_arrive(platform_connection):
    """And errors of the server do as well."""
    await platform_connection.execute("CREATE TEMP TABLE rows (a int)")
    await copy_from(platform_connection, "rows", rows(10), columns=("a",), format="text")
    assert await platform_connection.fetchval("SELECT sum(a) FROM rows") == 45
    with pytest.raises(asyncpg.UndefinedColumnError):
        await copy_from(platform_connection, "rows", rows(1), columns=("b",), format="text")
