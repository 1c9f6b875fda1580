"""PgBouncer in transaction mode, a real one: run where `pgbouncer` is on PATH."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from core.errors import DependencyError, DependencyTimeout, QueryError
from tests.database.conftest import Opened
from tests.servers import socket_of
from tests.support import wait_until
from tests.tcp_proxy import TcpProxy

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed (apt-get install pgbouncer)")

SETTINGS = """
[databases]
* = host=127.0.0.1 port={port} user=platform
[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = {folder}
auth_type = any
pool_mode = transaction
default_pool_size = 2
server_tls_sslmode = disable
"""


@pytest.fixture
def pooler_url(database_url: str, tcp_proxy: Callable[[Any], TcpProxy]) -> Iterator[str]:
    """This test's database behind PgBouncer with two server connections."""
    proxy = tcp_proxy(socket_of(database_url))  # Its own user cannot enter the folder of the server's socket.
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as name:
        folder = Path(name)
        (folder / "pgbouncer.ini").write_text(SETTINGS.format(port=proxy.port, folder=folder))
        nobody = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        if nobody is not None:  # It refuses to run as root.
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        with subprocess.Popen(
            [PGBOUNCER or "", "-q", folder / "pgbouncer.ini"],
            user=nobody.pw_uid if nobody else None,
            stderr=subprocess.DEVNULL,
        ) as process:
            wait_until((folder / ".s.PGSQL.6432").exists)
            yield f"postgresql://platform@{urlsplit(database_url).path}?host={folder}&port=6432"
            process.terminate()


async def test_many_callers_share_two_sessions(opened: Opened, pooler_url: str) -> None:
    """Statements with arguments, jsonb and transactions of several statements come out right."""
    database = await opened(pooler_url, pooler="transaction", max_size=8)

    async def transfer(connection: asyncpg.Connection[asyncpg.Record]) -> int:
        first = await connection.fetchval("SELECT pg_backend_pid()")
        return int(first == await connection.fetchval("SELECT pg_backend_pid()"))

    answers = await asyncio.gather(*(database.fetch_value("SELECT $1::int * 2", number) for number in range(60)))
    assert answers == [number * 2 for number in range(60)]
    assert sum(await asyncio.gather(*(database.run_transaction(transfer) for _ in range(20)))) == 20
    assert await database.fetch_value("SELECT $1::jsonb", {"a": [1]}) == {"a": [1]}
    assert await database.fetch_all("lead_list", ["hot"], 0, 5, filters={"market": "x"}) == []


async def test_limits_hold_without_settings_of_the_session(opened: Opened, pooler_url: str) -> None:
    """The server ends a slow statement, and a watched database cannot be written."""
    database = await opened(pooler_url, pooler="transaction", command_timeout_seconds=0.2, read_only=True)

    with pytest.raises(DependencyTimeout, match="statement timeout"):
        await database.fetch_value("SELECT pg_sleep(30)")
    with pytest.raises(QueryError, match="read-only"):
        await database.execute("DELETE FROM leads")
    assert await database.fetch_value("SELECT 1") == 1


async def test_long_work_needs_the_operators_url(opened: Opened, pooler_url: str, database_url: str) -> None:
    """Locks and settings of a session would be left to strangers."""
    database = await opened(pooler_url, pooler="transaction")
    with pytest.raises(DependencyError, match="past the pooler") as caught:
        await database.connect()
    assert "DATABASE_OPERATOR_URL" in caught.value.next_step

    direct = await opened(pooler_url, {"operator_url": database_url}, pooler="transaction")
    connection = await direct.connect()
    assert await connection.fetchval("SELECT pg_try_advisory_lock(1)")
    await connection.close()


async def test_a_pooler_that_is_not_named_is_found(opened: Opened, pooler_url: str) -> None:
    """The next step names the setting."""
    database = await opened(pooler_url)

    with pytest.raises(DependencyError) as caught:
        await database.fetch_value("SELECT 1")
    assert "DATABASE_POOLER=transaction" in caught.value.next_step
