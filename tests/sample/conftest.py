"""The shipped files and the figures drawn from them, read once a run; and a platform that they were loaded into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import asyncpg
import pyarrow as pa
import pytest

from core.sample import load
from core.sample.files import SampleFiles, read_files
from core.sample.generator import PERIOD_SECONDS, Generator, Levels, levels
from core.sample.size import SampleSize
from tests.servers import Servers

NOW = datetime(2026, 3, 4, 15, 30, 12, 345678, tzinfo=UTC)
SMALL = SampleSize(leads=600, interactions=4000, properties=300)


@pytest.fixture(scope="session")
def loaded_template(servers: Servers, template: str) -> str:
    """The name of a database whose synthetic data runs up to NOW."""

    async def fill(url: str) -> None:
        connection = await asyncpg.connect(url)
        await load(connection, seed=1, now=NOW, size=SMALL)
        await connection.close()

    return servers.template("template_sample", fill, template)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, servers: Servers, template: str) -> Iterator[str]:
    """A database of this test's own: no rows, or the sample for a test that asks for `loaded`."""
    if "loaded" in request.fixturenames:
        template = request.getfixturevalue("loaded_template")
    with servers.new_database(f"TEMPLATE {template}") as url:
        yield url


@pytest.fixture
def loaded(platform_connection: asyncpg.Connection) -> asyncpg.Connection:
    """A connection to a platform whose synthetic data runs up to NOW."""
    return platform_connection


@pytest.fixture(scope="session")
def files() -> SampleFiles:
    return read_files()


@pytest.fixture(scope="session")
def market_levels(files: SampleFiles) -> Levels:
    return levels(files)


@pytest.fixture
def make_generator(market_levels: Levels) -> Callable[..., Generator]:
    """Makes a generator of the year up to NOW."""

    def make(leads: int, interactions: int, properties: int, seed: int = 7) -> Generator:
        end = NOW.timestamp()
        size = SampleSize(leads, interactions, properties)
        return Generator(market_levels, size, seed=seed, start=end - PERIOD_SECONDS, end=end)

    return make


@pytest.fixture(scope="session")
def default_tables(market_levels: Levels) -> dict[str, pa.Table]:
    """All rows of the default size."""
    end = NOW.timestamp()
    generator = Generator(market_levels, SampleSize(20_000, 150_000, 10_000), seed=7, start=end - PERIOD_SECONDS, end=end)
    return {table: pa.Table.from_batches(generator.batches(table)) for table in ("leads", "lead_interactions", "properties")}
