"""Changes of the data reach what other processes have cached: imports, generated rows, the first load of the sample data."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from core.importer import ImportRequest
from core.platform.changes import PlatformChanges
from core.platform.leads import LeadSearch, lead_key
from core.platform.markets import MARKET_LIST_KEY, market_key
from core.platform.properties import PropertySearch
from core.sample import SampleSize
from core.services import Services, build_services
from core.settings import Settings
from core.setup import Setup, Stores
from tests.cli.command import run
from tests.servers import execute, fetch_value
from tests.support import wait_until_async
from tests.tcp_proxy import TcpProxy

MARKETS = "INSERT INTO markets (id, market_name, state) VALUES ('austin', 'Austin', 'TX'), ('toledo', 'Toledo', 'OH')"
LISTINGS = "external_id,property_type,price,listing_date\np1,condo,250000,2026-05-01\np2,land,90000,2026-05-02\n"
LEADS = "external_id,name,status,score\nl1,Ada,hot,90\n"
AUSTIN, TOLEDO, ALL = (PropertySearch(market=market).key for market in ("austin", "toledo", None))


@pytest.fixture
def listings(tmp_path: Path) -> Path:
    """A file of two listings."""
    path = tmp_path / "listings.csv"
    path.write_text(LISTINGS)
    return path


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Services]:
    """Services that hear the other processes."""
    async with build_services(settings, console=False) as services:
        await services.data.wait_set_up(10)
        await wait_until_async(lambda: services.cache.stats().link.state == "found")
        yield services


@pytest.fixture
def markets(database_url: str) -> None:
    """Two markets and nothing else."""
    execute(database_url, MARKETS)


@pytest.fixture
async def reader(settings: Settings) -> AsyncIterator[Services]:
    """A process that reads."""
    async with opened(settings) as services:
        yield services


async def count(services: Services, key: str) -> int:
    """How many items the answer has."""
    return len(orjson.loads(await services.cache.fetch(key))["items"])


async def in_memory(services: Services, *keys: str) -> None:
    """Read until memory answers by itself."""
    for key in keys:
        while services.cache.peek(key) is None:
            await services.cache.fetch_read(key)


async def imported(services: Services, kind: str, path: Path, market: str | None = "austin", **more: Any) -> None:
    """Import a file to its end."""
    request = ImportRequest(kind=kind, path=path, market=market, **more)
    settings = services.settings
    started = await services.data.start_import(request, operator="test", typed=settings.target_name)
    operation = await services.operations.wait(started.operation.id)
    assert operation.state == "done", operation.error


@pytest.mark.usefixtures("markets")
async def test_an_import_reaches_another_process(reader: Services, settings: Settings, listings: Path) -> None:
    """The market's searches and those over all markets are read anew; another market stays warm."""
    await in_memory(reader, AUSTIN, TOLEDO, ALL)
    async with opened(settings) as importing:
        await imported(importing, "properties", listings)
        assert (await count(importing, AUSTIN), await count(importing, ALL)) == (2, 2)

    await wait_until_async(lambda: reader.cache.peek(AUSTIN) is None and reader.cache.peek(ALL) is None)
    assert (await count(reader, AUSTIN), await count(reader, ALL)) == (2, 2)
    assert reader.cache.peek(TOLEDO) is not None


@pytest.mark.usefixtures("markets")
async def test_imported_leads_are_found_where_there_were_none(reader: Services, database_url: str, tmp_path: Path) -> None:
    """The list of the market, and the id that was known to be absent."""
    path, key = tmp_path / "leads.csv", LeadSearch(market="austin").key
    path.write_text(LEADS)
    await in_memory(reader, key)
    next_id = fetch_value(database_url, "SELECT 1 + last_value - (NOT is_called)::int FROM leads_id_seq")
    assert await reader.cache.fetch(lead_key(str(next_id))) is None

    await imported(reader, "leads", path)

    assert await count(reader, key) == 1
    assert orjson.loads(await reader.cache.fetch(lead_key(str(next_id))))["name"] == "Ada"


@pytest.mark.usefixtures("markets")
async def test_a_market_that_is_made_is_found(reader: Services, listings: Path) -> None:
    """It was known to be absent, and was missing from the list of all."""
    await in_memory(reader, MARKET_LIST_KEY)
    assert await reader.cache.fetch(market_key("waco")) is None

    await imported(reader, "properties", listings, None, create_market="Waco, TX")

    assert orjson.loads(await reader.cache.fetch(market_key("waco")))["name"] == "Waco"
    assert await count(reader, MARKET_LIST_KEY) == 3


@pytest.mark.usefixtures("markets")
async def test_a_check_changes_nothing(reader: Services, listings: Path) -> None:
    """What a dry run rolls back leaves every answer where it is."""
    await in_memory(reader, AUSTIN)

    await imported(reader, "properties", listings, dry_run=True)

    assert reader.cache.peek(AUSTIN) is not None


async def test_rows_generated_by_the_command_are_seen(reader: Services, settings: Settings) -> None:
    """The command is a process of its own, and its change goes through Redis."""
    key = LeadSearch(min_score=0).key
    await in_memory(reader, key, ALL)
    size = ("--leads", "50", "--interactions", "100", "--properties", "30")

    done = run(settings, "generate", *size, "--target", settings.target_name)

    assert done.code == 0, done.err
    await wait_until_async(lambda: reader.cache.peek(key) is None and reader.cache.peek(ALL) is None)
    assert await count(reader, key) > 0
    assert await count(reader, ALL) > 0


@pytest.mark.usefixtures("markets")
async def test_a_change_goes_through_while_redis_is_away(
    reader: Services, settings: Settings, redis_url: str, listings: Path, tcp_proxy: Callable[[Any], TcpProxy]
) -> None:
    """The import is done, its own process sees it at once, and the others when Redis is back."""
    proxy = tcp_proxy(urlsplit(redis_url).path)
    cut_off = replace(settings, redis_url=f"redis://127.0.0.1:{proxy.port}/{redis_url.rpartition('db=')[2]}")
    await in_memory(reader, AUSTIN)
    async with opened(cut_off) as importing:
        await in_memory(importing, AUSTIN)
        proxy.cut()
        await imported(importing, "properties", listings)
        assert await count(importing, AUSTIN) == 2
        proxy.restore()

        await wait_until_async(lambda: reader.cache.peek(AUSTIN) is None)
        assert await count(reader, AUSTIN) == 2


async def test_generated_rows_of_a_cancelled_run_are_seen(reader: Services) -> None:
    """Leads are committed before listings: what is there is answered, whatever became of the rest."""
    key = LeadSearch(min_score=0).key
    await in_memory(reader, key)
    started = await reader.data.start_generate(
        SampleSize(leads=50, interactions=100, properties=400_000), 1, operator="test", typed=reader.settings.target_name
    )
    await wait_until_async(lambda: any(item.what == "properties" for item in reader.operations.running_here()))
    await reader.operations.cancel(started.operation.id, "test")

    assert (await reader.operations.wait(started.operation.id)).state == "cancelled"
    assert await count(reader, key) > 0


async def test_the_first_load_is_seen(settings: Settings, database_url: str) -> None:
    """Who asked before the sample data was there was told that there is nothing; a start that adds nothing removes nothing."""
    small = replace(settings, sample_leads=100, sample_interactions=300, sample_properties=100)
    async with opened(settings) as services:
        await in_memory(services, MARKET_LIST_KEY)
        assert await count(services, MARKET_LIST_KEY) == 0
        stores = Stores(services.database, database_url, services.console_store, database_url, "postgresql")
        for found in (0, 5):
            assert await count(services, MARKET_LIST_KEY) == found
            await in_memory(services, MARKET_LIST_KEY)
            changed = PlatformChanges(services.cache).everything
            setup = Setup(replace(small, database_url=None), stores, services.health, records_start=False, changed=changed)
            await setup.open()
            await wait_until_async(setup.finished.is_set)
            await setup.close()
            assert (services.cache.peek(MARKET_LIST_KEY) is None) == (found == 0)
