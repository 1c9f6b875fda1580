"""Operations while the console's store is away: the work goes on, its lock is taken again, and its outcome is not lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from core.errors import CoreError, DependencyError
from core.operations import Operations
from core.operations.records import GRACE_SECONDS
from tests.operations.conftest import Opener
from tests.operations.work import Held, at_once, request
from tests.servers import execute, fetch_value
from tests.support import wait_until, wait_until_async
from tests.tcp_proxy import TcpProxy

END_SESSIONS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE application_name = 'console operations' AND datname = current_database()
"""
LOCKS = """
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
STATE = "SELECT state FROM console.operations ORDER BY id LIMIT 1"


async def _value(url: str, statement: str) -> Any:
    return await asyncio.to_thread(fetch_value, url, statement)


async def _wait_value(url: str, statement: str, value: object) -> None:
    await asyncio.to_thread(wait_until, lambda: fetch_value(url, statement) == value)


@pytest.fixture
def proxy(database_url: str, tcp_proxy: Callable[[Any], TcpProxy]) -> TcpProxy:
    """Stands in front of PostgreSQL."""
    folder = unquote(parse_qs(urlsplit(database_url).query)["host"][0])
    return tcp_proxy(str(Path(folder) / ".s.PGSQL.5432"))


@pytest.fixture
async def behind_proxy(proxy: TcpProxy, open_operations: Opener, database_url: str) -> Operations:
    """Operations that reach the store through the proxy alone."""
    name = urlsplit(database_url).path
    return await open_operations(f"postgresql://platform@127.0.0.1:{proxy.port}{name}?sslmode=disable")


async def test_a_lost_session_is_made_anew(operations: Operations, database_url: str) -> None:
    """The server ends the session that held the lock: the job goes on and holds it again within seconds."""
    work = Held()
    started = await operations.start(request(), work)
    await work.started.wait()

    assert await _value(database_url, END_SESSIONS) == 1
    await _wait_value(database_url, LOCKS, 1)

    assert not work.ended.is_set()
    work.let_go.set()
    assert (await operations.wait(started.operation.id)).state == "done"
    await _wait_value(database_url, LOCKS, 0)


async def test_an_outcome_is_written_when_the_store_is_back(
    behind_proxy: Operations, proxy: TcpProxy, database_url: str
) -> None:
    """The work ends during the outage: whoever waits knows at once, the row follows, the lock goes."""
    work = Held({"rows": 12})
    started = await behind_proxy.start(request(), work)
    await work.started.wait()
    proxy.cut()
    work.let_go.set()

    operation = await behind_proxy.wait(started.operation.id)
    assert (operation.state, operation.result) == ("done", {"rows": 12})
    with pytest.raises(DependencyError):
        await behind_proxy.list()
    assert await _value(database_url, STATE) == "running"

    proxy.restore()
    await _wait_value(database_url, STATE, "done")
    await _wait_value(database_url, LOCKS, 0)
    assert await _value(database_url, "SELECT result ->> 'rows' FROM console.operations") == "12"


@pytest.mark.slow
async def test_the_owners_word_replaces_what_others_took_it_for(
    behind_proxy: Operations, proxy: TcpProxy, operations: Operations, database_url: str
) -> None:
    """Cut off for longer than the grace it is marked as interrupted; back again it runs, and its outcome is the last word."""
    work = Held()
    started = await behind_proxy.start(request(), work)
    await work.started.wait()
    proxy.cut()
    async with asyncio.timeout(GRACE_SECONDS + 5):
        while (await operations.get(started.operation.id)).state == "running":
            pass
    assert (await operations.get(started.operation.id)).state == "interrupted"

    proxy.restore()
    await _wait_value(database_url, STATE, "running")
    assert (await operations.get(started.operation.id)).error == ""
    work.let_go.set()
    await _wait_value(database_url, STATE, "done")


@pytest.mark.slow
async def test_a_job_that_lost_its_turn_is_ended(
    behind_proxy: Operations, proxy: TcpProxy, operations: Operations, database_url: str
) -> None:
    """Cut off for so long that another started under the key: two never go on side by side, and both outcomes are kept."""
    lost, other = Held(), Held()
    started = await behind_proxy.start(request(), lost)
    await lost.started.wait()
    proxy.cut()
    await _wait_value(database_url, LOCKS, 0)  # PostgreSQL needs a moment to see that the session is gone.
    taken = await operations.start(request(), other)
    assert taken.created

    proxy.restore()
    await wait_until_async(lost.ended.is_set)

    ended = await behind_proxy.wait(started.operation.id)
    assert ended.state == "interrupted"
    assert "another operation took its turn" in ended.error
    assert not other.ended.is_set()
    await wait_until_async(lambda: not behind_proxy._keeper.jobs())
    assert await _value(database_url, LOCKS) == 1
    other.let_go.set()
    assert (await operations.wait(taken.operation.id)).state == "done"


@pytest.mark.slow
async def test_a_store_that_hangs_holds_nobody_up(behind_proxy: Operations, proxy: TcpProxy, database_url: str) -> None:
    """Packets vanish: a start answers in bounded time, and our own old session does not keep the lock from us."""
    work = Held()
    await behind_proxy.start(request(), work)
    await work.started.wait()
    proxy.pause()

    async with asyncio.timeout(12):
        with pytest.raises(CoreError):
            await behind_proxy.start(request("import:leads"), at_once)
    assert not work.ended.is_set()

    proxy.restore()
    await _wait_value(database_url, LOCKS, 1)
    work.let_go.set()
    await _wait_value(database_url, STATE, "done")


@pytest.mark.slow
async def test_a_process_that_ends_during_an_outage_is_found_out(
    behind_proxy: Operations, proxy: TcpProxy, operations: Operations
) -> None:
    """It cannot leave a stamp: close() returns all the same, and the others see it as interrupted after the grace."""
    started = await behind_proxy.start(request(), Held())
    proxy.cut()

    async with asyncio.timeout(4):
        await behind_proxy.close()

    async with asyncio.timeout(GRACE_SECONDS + 5):
        while (operation := await operations.get(started.operation.id)).running:
            pass
    assert operation.state == "interrupted"


async def test_a_refused_row_keeps_no_other_job_waiting(operations: Operations, database_url: str) -> None:
    """One outcome that the store refuses is tried again; the other jobs' outcomes are written meanwhile."""
    execute(database_url, "ALTER TABLE console.operations ADD CONSTRAINT refused CHECK (key <> 'bad' OR state <> 'done')")
    bad = await operations.start(request("bad"), at_once)
    good = await operations.start(request("good"), at_once)

    await operations.wait(good.operation.id)
    await _wait_value(database_url, "SELECT state FROM console.operations WHERE key = 'good'", "done")
    execute(database_url, "ALTER TABLE console.operations DROP CONSTRAINT refused")

    await _wait_value(database_url, "SELECT state FROM console.operations WHERE key = 'bad'", "done")
    assert (await operations.get(bad.operation.id)).state == "done"
