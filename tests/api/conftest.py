"""Fixtures of the API's tests: a platform with rows, and a client of the routes over running services."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import asyncpg
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from core import runtime, sample
from core.api import build_routes
from core.services import build_services
from core.settings import Settings
from tests.conftest import TEMPLATE_LOCK
from tests.servers import Servers
from tests.support import wait_until

TEMPLATE_WITH_ROWS = "template_with_rows"


@pytest.fixture(scope="session")
def template_with_rows(servers: Servers, template: str) -> str:
    """The name of a database with a small sample, made once a run."""
    asyncio.run(_make_template_with_rows(servers, template))
    return TEMPLATE_WITH_ROWS


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


async def _make_template_with_rows(servers: Servers, template: str) -> None:
    connection = await asyncpg.connect(servers.postgres_url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", TEMPLATE_LOCK)
        if await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", TEMPLATE_WITH_ROWS):
            return
        await connection.execute(f"CREATE DATABASE {TEMPLATE_WITH_ROWS}_new TEMPLATE {template}")
        rows = await asyncpg.connect(servers.database_url(f"{TEMPLATE_WITH_ROWS}_new"))
        size = sample.SampleSize(leads=400, interactions=4_000, properties=600)
        await sample.load(rows, size=size, seed=7, now=datetime.now(UTC))
        await rows.close()
        await connection.execute(f"ALTER DATABASE {TEMPLATE_WITH_ROWS}_new RENAME TO {TEMPLATE_WITH_ROWS}")
    finally:
        await connection.close()


@pytest.fixture
def api(settings: Settings) -> Iterator[TestClient]:
    """A client of the routes over services that are ready."""
    with runtime.use(build_services(settings)) as running:
        wait_until(lambda: running.services.overview.verdict().state == "fine")
        yield TestClient(Starlette(routes=build_routes(runtime.get)))
