"""Servers: the embedded servers of one test run, as fixtures hand them over."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg

from core.embedded import EmbeddedPostgres, EmbeddedRedis
from tests.tcp_proxy import TcpProxy

TEMPLATE_LOCK = 7_301


@dataclass(frozen=True)
class Servers:
    """Both servers and their URLs; tests share them, so a test that breaks one starts its own instead."""

    folder: Path
    postgres: EmbeddedPostgres
    redis: EmbeddedRedis
    postgres_url: str
    redis_url: str

    def database_url(self, name: str) -> str:
        """The URL of another database of the same server."""
        return self.postgres_url.replace("@/platform?", f"@/{name}?")

    def template(self, name: str, fill: Callable[[str], Awaitable[object]], source: str = "template1") -> str:
        """The name of a database to copy: whoever asks first in a run makes it of another one and fills it by its URL."""
        on_connection(self.postgres_url, lambda connection: self._make_template(connection, name, fill, source))
        return name

    async def _make_template(self, connection: Any, name: str, fill: Callable[[str], Awaitable[object]], source: str) -> None:
        await connection.execute("SELECT pg_advisory_lock($1)", TEMPLATE_LOCK)
        if await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            return
        await connection.execute(f"CREATE DATABASE {name}_new TEMPLATE {source}")
        await fill(self.database_url(f"{name}_new"))
        await connection.execute(f"ALTER DATABASE {name}_new RENAME TO {name}")

    @contextmanager
    def new_database(self, options: str = "") -> Iterator[str]:
        """The URL of a database that is gone at the end."""
        name = f"test_{uuid.uuid4().hex[:16]}"
        # Without fsync a copy of the files costs an eighth of a copy through the log, which is the default.
        execute(self.postgres_url, f"CREATE DATABASE {name} STRATEGY file_copy {options}")
        try:
            yield self.database_url(name)
        finally:
            execute(self.postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


def socket_of(url: str) -> str:
    """The path of the Unix socket behind a PostgreSQL URL."""
    return str(Path(parse_qs(urlsplit(url).query)["host"][0]) / ".s.PGSQL.5432")


def behind(proxy: TcpProxy, url: str) -> str:
    """The same database, reached through a proxy."""
    return f"postgresql://platform@127.0.0.1:{proxy.port}{urlsplit(url).path}?sslmode=disable"


def execute(url: str, statements: str) -> None:
    """Run statements on a connection of their own."""
    on_connection(url, lambda connection: connection.execute(statements))


def fetch_value(url: str, statement: str) -> Any:
    """One value, asked on a connection of its own."""
    return on_connection(url, lambda connection: connection.fetchval(statement))


def on_connection(url: str, work: Callable[[Any], Awaitable[Any]]) -> Any:
    """Do some work on a connection of its own, on a thread: the test's own thread may have a running loop."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, _on_connection(url, work)).result()


async def _on_connection(url: str, work: Callable[[Any], Awaitable[Any]]) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await work(connection)
    finally:
        await connection.close()
