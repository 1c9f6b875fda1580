"""Fixtures of the API's tests: a platform with rows, and a client of the routes over running services."""

from __future__ import annotations

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
from tests.servers import on_connection
from tests.support import wait_until


@pytest.fixture
def platform_rows(database_url: str) -> None:
    """A small sample: every market, its figures, 400 leads, 4,000 interactions, 25,357 sales and 600 listings."""

    async def load(connection: asyncpg.Connection[asyncpg.Record]) -> None:
        size = sample.SampleSize(leads=400, interactions=4_000, properties=600)
        await sample.load(connection, size=size, seed=7, now=datetime.now(UTC))

    on_connection(database_url, load)


@pytest.fixture
def api(settings: Settings) -> Iterator[TestClient]:
    """A client of the routes over services that are ready."""
    with runtime.use(build_services(settings)) as running:
        wait_until(lambda: running.services.overview.verdict().state == "fine")
        yield TestClient(Starlette(routes=build_routes(runtime.get)))
