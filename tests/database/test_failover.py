"""Failover: a standby is promoted under writes; the pool finds it by itself, and no write is lost or done twice."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from core.database.pool import Database
from core.embedded import EmbeddedPostgres
from core.errors import CoreError
from tests.database.conftest import Opened
from tests.database.standby import Standby
from tests.servers import execute, fetch_value
from tests.support import wait_until, wait_until_async

ADD = "INSERT INTO written VALUES ($1)"


class Writer:
    """Writes one number after another, each asked for once, whatever comes of it."""

    def __init__(self, database: Database) -> None:
        self._database, self._stopped = database, False
        self.confirmed: list[int] = []
        self.failed: list[int] = []

    async def run(self) -> None:
        """Write until stopped."""
        number = 0
        while not self._stopped:
            number += 1
            try:
                await self._database.execute(ADD, number)
                self.confirmed.append(number)
            except CoreError:
                self.failed.append(number)
            await asyncio.sleep(0)

    def stop(self) -> None:
        """End after the next write."""
        self._stopped = True


@pytest.fixture
def primary() -> Iterator[EmbeddedPostgres]:
    """A server of this test's own, since it is stopped."""
    with tempfile.TemporaryDirectory(prefix="primary-", ignore_cleanup_errors=True) as folder:
        server = EmbeddedPostgres(Path(folder))
        try:
            execute(server.ensure(), "CREATE TABLE written (number int)")
            yield server
        finally:
            server.release()


@pytest.fixture
def standby(primary: EmbeddedPostgres) -> Iterator[Standby]:
    """A standby of it."""
    with tempfile.TemporaryDirectory(prefix="standby-", ignore_cleanup_errors=True) as folder:
        server = Standby(Path(folder), primary.url)
        try:
            server.start()
            wait_until(lambda: _answers(server.url(primary.url)), 30)
            yield server
        finally:
            server.stop()


@pytest.mark.slow
@pytest.mark.parametrize("way", ["stopped", "fenced"])
async def test_a_promoted_standby_takes_the_writes(
    opened: Opened, primary: EmbeddedPostgres, standby: Standby, way: str
) -> None:
    """The old primary is gone, or still answers and takes no writes (25006), to which the pool has open connections."""
    old, new = primary.url, standby.url(primary.url)
    database = await opened(standby.both(old), min_size=1, max_size=3)
    writer = Writer(database)
    writing = asyncio.create_task(writer.run())
    await wait_until_async(lambda: len(writer.confirmed) > 50)

    if way == "stopped":
        await asyncio.to_thread(primary.release)  # It ends as on SIGINT: the standby has all of its log then.
    else:
        execute(old, "ALTER SYSTEM SET default_transaction_read_only = on")
        execute(old, "SELECT pg_reload_conf()")
    await wait_until_async(lambda: len(writer.failed) > 5)  # Nobody takes writes now, and each is told so.
    if way == "fenced":
        position = fetch_value(old, "SELECT pg_current_wal_lsn()::text")
        replayed = f"SELECT pg_last_wal_replay_lsn() >= '{position}'"
        await wait_until_async(lambda: fetch_value(new, replayed))
    before = len(writer.confirmed)
    execute(new, "SELECT pg_promote()")
    await wait_until_async(lambda: len(writer.confirmed) > before + 50, 30)
    writer.stop()
    await writing

    stored = await database.fetch_value("SELECT array_agg(number) FROM written")
    assert await database.fetch_value("SELECT pg_is_in_recovery()") is False
    assert len(stored) == len(set(stored)), "a number was written twice"
    assert set(writer.confirmed) <= set(stored), "a write that was confirmed is not there"
    assert len(set(stored) & set(writer.failed)) <= 1  # The one that was under way when its connection was lost.


@pytest.mark.slow
async def test_a_write_on_a_connection_of_before_goes_to_the_new_primary_once(
    opened: Opened, primary: EmbeddedPostgres, standby: Standby
) -> None:
    """Whoever writes after the failover notices nothing: refused with 25006 by the old one, done by the new one."""
    old, new = primary.url, standby.url(primary.url)
    database = await opened(standby.both(old), max_size=1)
    await database.execute(ADD, 1)
    position = fetch_value(old, "SELECT pg_current_wal_lsn()::text")
    await wait_until_async(lambda: fetch_value(new, f"SELECT pg_last_wal_replay_lsn() >= '{position}'"))
    execute(new, "SELECT pg_promote()")
    execute(old, "ALTER SYSTEM SET default_transaction_read_only = on")
    execute(old, "SELECT pg_reload_conf()")
    wait_until(lambda: fetch_value(old, "SHOW default_transaction_read_only") == "on")

    assert await database.execute(ADD, 2) == "INSERT 0 1"
    assert fetch_value(new, "SELECT array_agg(number ORDER BY number) FROM written") == [1, 2]
    assert fetch_value(old, "SELECT array_agg(number ORDER BY number) FROM written") == [1]
    (figures,) = database.query_stats()
    assert figures.errors == (("ReadOnlySQLTransactionError", 1),)


def _answers(url: str) -> bool:
    try:
        return bool(fetch_value(url, "SELECT pg_is_in_recovery()"))
    except (OSError, asyncpg.PostgresError):
        return False
