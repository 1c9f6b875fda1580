"""Fixtures of the whole suite: real servers once a run, a database for each test, a Redis database for each worker."""

from __future__ import annotations

import gc
import shutil
import signal
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from redis import Redis

from core import runtime, sample
from core.database import migrations
from core.embedded import EmbeddedPostgres, EmbeddedRedis
from core.services import Services, build_services
from core.settings import Settings
from tests.servers import Servers, execute
from tests.tcp_proxy import TcpProxy

# A run in the background of a shell ignores Ctrl-C, and so would every process that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

REDIS_DATABASES = 16


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest come first, so that no worker is left with one of them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is None)


def pytest_collection_finish() -> None:
    """What is imported by now stays: without it the collector walks a million objects again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that the services run on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test sees the URLs and keys of this machine, and none leaves services running that it did not ask for."""
    for item in fields(Settings):
        monkeypatch.setenv(item.name.upper(), "")  # An empty variable also hides the one in .env.
    yield
    if runtime._running is not None:
        runtime.close()
        pytest.fail("The test started the services of the environment; use runtime.use(...) or the fixtures.")


@pytest.fixture(scope="session")
def servers(testrun_uid: str) -> Iterator[Servers]:
    """The embedded servers of this run: the first worker starts them, the last one stops them and removes their data."""
    folder = Path(tempfile.gettempdir()) / f"console-tests-{testrun_uid[:12]}"
    folder.mkdir(mode=0o700, exist_ok=True)
    postgres, redis = EmbeddedPostgres(folder), EmbeddedRedis(folder)
    try:
        running = Servers(folder, postgres, redis, postgres.ensure(), redis.ensure())
        # Nothing here outlives a crash of the machine, and making a database waits for the disk many times; its log is kept
        # for the standby of test_replica.py, which would find it gone.
        for setting in ("fsync = off", "full_page_writes = off", "synchronous_commit = off", "wal_keep_size = '1GB'"):
            execute(running.postgres_url, f"ALTER SYSTEM SET {setting}")
        execute(running.postgres_url, "SELECT pg_reload_conf()")
        yield running
    finally:
        redis.release()
        if postgres.release():
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def template(servers: Servers) -> str:
    """The name of a database with both schemas and no rows, made once a run."""

    async def migrate(url: str) -> None:
        await migrations.upgrade("console", url)
        await migrations.upgrade("platform", url)

    return servers.template("template_platform", migrate)


@pytest.fixture(scope="session")
def template_with_rows(servers: Servers, template: str) -> str:
    """The name of a database with a small sample, made once a run."""
    size = sample.SampleSize(leads=400, interactions=4_000, properties=600)

    async def fill(url: str) -> None:
        rows = await asyncpg.connect(url)
        await sample.load(rows, size=size, seed=7, now=datetime.now(UTC))
        await rows.close()

    return servers.template("template_with_rows", fill, template)


@pytest.fixture
def platform_rows() -> None:
    """A small sample: every market, its figures, 400 leads, 4,000 interactions, 25,357 sales and 600 listings."""


@pytest.fixture
def database_url(request: pytest.FixtureRequest, servers: Servers, template: str) -> Iterator[str]:
    """A database of this test's own; with rows for a test that asks for `platform_rows`."""
    if "platform_rows" in request.fixturenames:
        template = request.getfixturevalue("template_with_rows")
    with servers.new_database(f"TEMPLATE {template}") as url:
        yield url


@pytest.fixture
def empty_database_url(servers: Servers) -> Iterator[str]:
    """A database of this test's own with nothing in it."""
    with servers.new_database() as url:
        yield url


@pytest.fixture
async def platform_connection(database_url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection to this test's own database."""
    connection = await asyncpg.connect(database_url)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
def redis_url(servers: Servers, worker_id: str) -> Iterator[str]:
    """An empty Redis database that no other worker uses."""
    number = int(worker_id.removeprefix("gw")) + 1 if worker_id.startswith("gw") else 0
    url = servers.redis_url.replace("db=0", f"db={number % REDIS_DATABASES}")
    with Redis.from_url(url) as client:
        client.flushdb()
        yield url


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    """Settings of a console that stands on this test's own database and Redis, and may change them."""
    return Settings(
        database_url=database_url,
        console_database_url=database_url,
        redis_url=redis_url,
        cache_prefix=f"test-{uuid.uuid4().hex[:12]}:",  # The bus is one for all databases of a Redis.
        mode="operate",
        data_dir=tmp_path / "data",
        health_interval_seconds=0.05,
        health_timeout_seconds=1.0,
    )


@pytest.fixture
async def services(settings: Settings) -> AsyncIterator[Services]:
    """Open services on the settings above."""
    async with build_services(settings) as opened:
        yield opened


@pytest.fixture
def tcp_proxy() -> Iterator[Callable[[Any], TcpProxy]]:
    """Makes proxies in front of a server; each is closed at the end of the test."""
    proxies: list[TcpProxy] = []

    def make(target: Any) -> TcpProxy:
        proxies.append(TcpProxy(target))
        return proxies[-1]

    yield make
    for proxy in proxies:
        proxy.close()
