"""The shipped queries give the rows of their naive forms, over two hundred parameter sets each."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from core import sample
from core.database.pool import Database, PoolSettings
from core.database.queries import Queries
from core.database.schema import DEFAULT_NOUNS, PROPERTY_TYPES
from core.platform.leads import OPEN_STATUSES, Leads, LeadSearch
from core.platform.markets import Markets
from core.platform.properties import Properties, PropertySearch
from tests.servers import Servers

SETS = 200
MARKETS = ("austin", "dallas", "houston", "san_antonio", "toledo", "atlantis")
WORDS = ("garage", "solar panels", "pool -garage", '"laundry is on the first floor"', "brick or stone", "nothinglikeit")
NAIVE = Queries(DEFAULT_NOUNS, Path(__file__).with_name("naive.sql"))


@pytest.fixture(scope="session")
def naive_template(servers: Servers, template: str) -> str:
    """The name of a database with a sample in which many leads share a score and a tenth was never contacted."""

    async def fill(url: str) -> None:
        connection = await asyncpg.connect(url)
        size = sample.SampleSize(leads=1_500, interactions=12_000, properties=1_500)
        await sample.load(connection, size=size, seed=11, now=datetime.now(UTC))
        await connection.execute("UPDATE leads SET score = 10 * (score / 10)")
        await connection.execute("UPDATE properties SET price = 5000 * ceil(price / 5000)")
        await connection.close()

    return servers.template("template_naive", fill, template)


@pytest.fixture
async def database(servers: Servers, naive_template: str) -> AsyncIterator[Database]:
    """That database, opened."""
    with servers.new_database(f"TEMPLATE {naive_template}") as url:
        database = Database(url, Queries(), PoolSettings())
        await database.open()
        yield database
        await database.close()


async def test_the_lead_list(database: Database) -> None:
    """The same leads in the same order with the same counts and engagement."""
    random_ = random.Random(1)
    leads, rows = Leads(database), 0
    for _ in range(SETS):
        market = random_.choice([None, *MARKETS])
        status = random_.choice([None, None, *OPEN_STATUSES])
        min_score, limit = random_.choice([0, 30, 50, 80, 100]), random_.choice([1, 7, 100, 500])
        statuses = [status] if status else list(OPEN_STATUSES)

        ours = await leads.list(LeadSearch(market=market, status=status, min_score=min_score, limit=limit))
        naive = await database.fetch_all(NAIVE["lead_list"].sql, statuses, min_score, limit, market)

        assert [_cut(row, naive) for row in ours] == [_rounded(dict(row)) for row in naive]
        rows += len(ours)
    assert rows > 3_000


async def test_the_property_search(database: Database) -> None:
    """The same listings in the same order, whichever filters are chosen."""
    random_ = random.Random(2)
    properties, rows = Properties(database), 0
    for _ in range(SETS):
        wanted = PropertySearch(
            market=random_.choice([None, *MARKETS]),
            min_price=random_.choice([None, 0.0, 150_000.0, 250_000.5]),
            max_price=random_.choice([None, 0.0, 400_000.0, 1e10]),
            property_type=random_.choice([None, None, *PROPERTY_TYPES]),
            min_bedrooms=random_.choice([None, None, 0, 3, 5]),
            q=random_.choice([None, None, None, *WORDS]),
            limit=random_.choice([1, 50, 200]),
        )

        ours = await properties.search(wanted)
        naive = await database.fetch_all(
            NAIVE["property_search"].sql, wanted.limit, wanted.market, wanted.min_price, wanted.max_price,
            wanted.property_type, wanted.min_bedrooms, wanted.q,
        )  # fmt: skip

        assert [(row["id"], row["price"]) for row in ours] == [(row["id"], row["price"]) for row in naive]
        rows += len(ours)
    assert rows > 500


async def test_the_market_summary(database: Database) -> None:
    """The same latest figures of the same kinds."""
    ours = await Markets(database).list()
    naive = await database.fetch_all(NAIVE["market_list"].sql)

    assert [(row["id"], row["latest"]) for row in ours] == [(row["id"], row["latest"]) for row in naive]


def _cut(row: Any, naive: Any) -> dict[str, Any]:
    """The columns that the naive form has too."""
    return _rounded({name: row[name] for name in dict(naive[0])})


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 12) if isinstance(value, float) else value for name, value in row.items()}
