"""LargePlatform: a platform of a million leads in an embedded PostgreSQL of its own, kept from one run to the next.

BENCH_DATA_DIR is its folder (.data/bench), BENCH_LEADS how many leads it has (1,000,000); there are five times as many
interactions and half as many listings. Loading takes minutes; it is done anew when the size, the generator or the
tables changed, and when the newest row is so old that "the last 30 days" would be something else.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from core import sample
from core.database import migrations
from core.embedded import EmbeddedPostgres
from tests.servers import execute, fetch_value

ROOT = Path(__file__).parents[2]
DATABASE, COPY = "bench", "bench_copy"
LEADS = 1_000_000
SEED = 5
KEPT = timedelta(days=3)
# Measured with a million leads: the tables, the largest set of indexes, a copy of both, and the log of changes.
BYTES_A_LEAD = 6_000
STAMP = f"SELECT shobj_description(d.oid, 'pg_database') FROM pg_database AS d WHERE datname = '{DATABASE}'"
INDEXES = """
SELECT format('DROP INDEX %I', c.relname) AS statement
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE c.relnamespace = 'public'::regnamespace AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = i.indexrelid)
"""


@dataclass(frozen=True)
class LargePlatform:
    """Where it is, and whether it has its full size, for which the promises are made."""

    url: str
    server_url: str
    full: bool

    async def connect(self) -> asyncpg.Connection:
        """A connection that the caller closes."""
        return await asyncpg.connect(self.url)

    @asynccontextmanager
    async def connections(self, count: int = 1) -> AsyncIterator[list[asyncpg.Connection]]:
        """Connections, closed at the end."""
        async with AsyncExitStack() as stack:
            opened = [await self.connect() for _ in range(count)]
            for connection in opened:
                stack.push_async_callback(connection.close)
            yield opened

    async def drop_indexes(self) -> None:
        """Leave the keys alone."""
        async with self.connections() as (connection,):
            for row in await connection.fetch(INDEXES):
                await connection.execute(row["statement"])

    @contextmanager
    def copy(self) -> Iterator[LargePlatform]:
        """A copy without performance indexes to write into, gone at the end."""
        asyncio.run(self.drop_indexes())
        execute(self.server_url, f"DROP DATABASE IF EXISTS {COPY} WITH (FORCE)")
        # A run that was interrupted may have left a statement, for which the copy would not wait.
        execute(self.server_url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{DATABASE}'")
        execute(self.server_url, f"CREATE DATABASE {COPY} TEMPLATE {DATABASE} STRATEGY file_copy")
        try:
            yield replace(self, url=_named(self.server_url, COPY))
        finally:
            execute(self.server_url, f"DROP DATABASE {COPY} WITH (FORCE)")


@contextmanager
def large_platform() -> Iterator[LargePlatform]:
    """The platform, loaded where it is not there yet; its server stops at the end, its data stays."""
    size = _size()
    folder = Path(os.environ.get("BENCH_DATA_DIR") or ROOT / ".data" / "bench").absolute()
    for one in (folder.parent, folder):
        one.mkdir(mode=0o700, parents=True, exist_ok=True)
    server = EmbeddedPostgres(folder)
    try:
        server_url = server.ensure()
        url = _named(server_url, DATABASE)
        if not _is_kept(server_url, size):
            _check_room(folder, size)
            execute(server_url, f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
            execute(server_url, f"CREATE DATABASE {DATABASE}")
            print(f"\nloading {size.leads:,} leads, {size.interactions:,} interactions and {size.properties:,} listings")
            report = asyncio.run(_load(url, size))
            print(f"loaded in {report.copy_seconds:.0f} s into {folder}")
            execute(server_url, f"COMMENT ON DATABASE {DATABASE} IS '{_stamp(size)} {datetime.now(UTC).isoformat()}'")
        megabytes = fetch_value(server_url, f"SELECT pg_database_size('{DATABASE}') / 1e6")
        print(f"\n{size.leads:,} leads, {size.interactions:,} interactions, {size.properties:,} listings: {megabytes:,.0f} MB")
        yield LargePlatform(url, server_url, full=size.leads >= LEADS)
    finally:
        server.release()


def _size() -> sample.SampleSize:
    leads = int(os.environ.get("BENCH_LEADS") or LEADS)
    return sample.SampleSize(leads=leads, interactions=5 * leads, properties=leads // 2)


def _stamp(size: sample.SampleSize) -> str:
    """What the rows follow from, but the time."""
    digest = hashlib.sha256(f"{size} {SEED}".encode())
    for path in (*sorted((ROOT / "core" / "sample").glob("*.py")), ROOT / "alembic" / "platform" / "0001_tables.py"):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def _is_kept(server_url: str, size: sample.SampleSize) -> bool:
    said = fetch_value(
        server_url, f"SELECT shobj_description(d.oid, 'pg_database') FROM pg_database AS d WHERE datname = '{DATABASE}'"
    )
    stamp, _, moment = (said or "").partition(" ")
    return stamp == _stamp(size) and datetime.now(UTC) - datetime.fromisoformat(moment) < KEPT


def _check_room(folder: Path, size: sample.SampleSize) -> None:
    needed, free = BYTES_A_LEAD * size.leads, shutil.disk_usage(folder).free
    assert free > needed, (
        f"{folder} needs {needed / 1e9:.1f} GB, {free / 1e9:.1f} are free: set BENCH_DATA_DIR or fewer BENCH_LEADS"
    )


async def _load(url: str, size: sample.SampleSize) -> sample.SampleReport:
    await migrations.upgrade("platform", url)
    connection = await asyncpg.connect(url)
    try:
        report = await sample.load(connection, seed=SEED, now=datetime.now(UTC), size=size)
        await connection.execute("VACUUM (ANALYZE)")  # As autovacuum leaves a table that stands.
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()
    return report


def _named(server_url: str, database: str) -> str:
    return server_url.replace(urlsplit(server_url).path + "?", f"/{database}?")
