"""Families: what each loads from its key alone, against the same figures counted row by row."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import numpy as np
import orjson
import pytest

from core import sample
from core.cache.entry import ABSENT
from core.cache.families import Families
from core.database.pool import Database, PoolSettings
from core.database.queries import Queries
from core.errors import UsageError
from core.platform.answers import Answers, answers_key
from core.platform.families import read_families
from core.platform.lead_facts import LeadFacts
from core.platform.leads import Leads, LeadSearch, lead_key
from core.platform.market_facts import MarketFacts
from core.platform.markets import MARKET_LIST_KEY, Markets, market_key
from core.platform.properties import Properties, PropertySearch, filters_key
from core.platform.scoring import score_lead
from core.platform.scoring_models import ScoringModels, scoring_model_key

HASH = "a1" * 32
ANSWER = """
INSERT INTO ai_responses (prompt_hash, prompt_name, model_version, response, input_tokens, output_tokens, source, created_at)
SELECT $1, 'lead', 'm', jsonb_build_object('n', n), 1, 1, 'claude', now() - n * interval '1 hour'
FROM generate_series(1, 9) AS n
"""


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A sample; one market is called `list`, has no lead and no listing."""
    connection = await asyncpg.connect(database_url)
    size = sample.SampleSize(leads=600, interactions=6_000, properties=600)
    await sample.load(connection, size=size, seed=5, now=datetime.now(UTC))
    await connection.execute("INSERT INTO markets (id, market_name, state) VALUES ('list', 'List', 'TX')")
    await connection.execute("UPDATE leads SET budget_range = NULL WHERE id % 7 = 0")
    yield connection
    await connection.close()


@pytest.fixture
async def families(database_url: str) -> AsyncIterator[Families]:
    """The families over this test's own database, which is empty unless `connection` has filled it."""
    database = Database(database_url, Queries(), PoolSettings())
    await database.open()
    nouns = Markets(database), Leads(database), Properties(database), ScoringModels(database), Answers(database)
    yield Families(read_families(*nouns))
    await database.close()


async def _load(families: Families, key: str) -> Any:
    family, rest = families.of(key)
    value = await family.load(rest)
    return value if value is ABSENT else orjson.loads(value)


@pytest.mark.usefixtures("connection")
async def test_every_key_loads_what_it_names(families: Families) -> None:
    """Lists, one lead, one market, and the market that is called like the list."""
    leads = await _load(families, LeadSearch(market="austin", min_score=0, limit=3).key)
    assert [lead["market_id"] for lead in leads["items"]] == ["austin"] * 3
    lead = await _load(families, lead_key(str(leads["items"][0]["id"])))
    assert lead["id"] == leads["items"][0]["id"]
    assert len((await _load(families, PropertySearch(limit=7).key))["items"]) == 7
    assert len((await _load(families, MARKET_LIST_KEY))["items"]) == 6
    assert (await _load(families, market_key("list")))["id"] == "list"
    assert (await _load(families, market_key("dallas")))["series"].keys() >= {"median_price", "sales"}


async def test_what_is_not_there_is_absent(families: Families) -> None:
    """An unknown lead, market or prompt is a known absence; an unknown market's list is an empty list."""
    for key in (
        lead_key("999999999"), lead_key("abc"), market_key("atlantis"), market_key("a b/c"), filters_key("atlantis"),
        scoring_model_key("atlantis"), answers_key(HASH),
    ):  # fmt: skip
        assert await _load(families, key) is ABSENT, key
    assert await _load(families, LeadSearch(market="atlantis").key) == {"items": []}


@pytest.mark.parametrize("key", ["leads:min_score=50", "property_search:q=pool", "ai_response_templates:abc", "houses:1"])
async def test_a_key_of_another_form_is_refused(families: Families, key: str) -> None:
    """Nothing is loaded for it."""
    with pytest.raises(UsageError):
        await _load(families, key)


async def test_an_answer_has_few_tags(families: Families) -> None:
    """Two at most, the market's own where there is one."""
    tags = {key: families.of(key)[0].tags(families.of(key)[1]) for key in (
        LeadSearch(market="austin").key, LeadSearch().key, lead_key("007"), PropertySearch(market="toledo").key,
        MARKET_LIST_KEY, market_key("list"), filters_key("austin"), scoring_model_key("austin"), answers_key(HASH),
    )}  # fmt: skip

    assert list(tags.values()) == [
        ("leads", "market:austin"), ("leads", "every_market"), ("lead", "lead:7"), ("properties", "market:toledo"),
        ("markets", "every_market"), ("markets", "market:list"), ("properties", "market:austin"), ("leads", "market:austin"),
        (),
    ]  # fmt: skip


async def test_the_search_form_offers_what_there_is(families: Families, connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Types and bedrooms with their listings, and the prices from and to; a market without listings offers nothing."""
    rows = await connection.fetch("SELECT * FROM properties WHERE market_id = 'houston' AND status = 'active'")
    offered = await _load(families, filters_key("houston"))

    assert offered["types"] == Counter(row["property_type"] for row in rows)
    assert offered["bedrooms"] == Counter(str(row["bedrooms"]) for row in rows if row["bedrooms"] is not None)
    prices = [float(row["price"]) for row in rows]
    assert (offered["listings"], offered["min_price"], offered["max_price"]) == (len(rows), min(prices), max(prices))
    empty = await _load(families, filters_key("list"))
    assert (empty["listings"], empty["min_price"], empty["types"], empty["bedrooms"]) == (0, None, {}, {})


async def test_a_scoring_model_is_of_the_markets_own_leads(
    families: Families, connection: asyncpg.Connection[asyncpg.Record]
) -> None:
    """Percentiles of budgets and of interactions in 30 days, their mean, and the share of hot ones among the open ones."""
    rows = await connection.fetch(
        "SELECT l.*, (SELECT count(*) FROM lead_interactions AS i WHERE i.lead_id = l.id AND i.created_at > now() - interval "
        "'30 days') AS interactions FROM leads AS l WHERE market_id = 'houston'"
    )
    model = await _load(families, scoring_model_key("houston"))

    budgets = [_budget(row["budget_range"]) for row in rows if row["budget_range"]]
    assert model["budget_percentiles"] == pytest.approx(list(np.percentile(budgets, (25, 50, 75, 90))))
    interactions = [row["interactions"] for row in rows]
    assert sum(interactions) > 0
    assert model["interaction_percentiles"] == pytest.approx(list(np.percentile(interactions, (25, 50, 75, 90))))
    assert model["mean_interactions"] == pytest.approx(np.mean(interactions))
    open_ones = [row["status"] for row in rows if row["status"] in ("active", "nurturing", "hot")]
    assert model["share_hot"] == pytest.approx(open_ones.count("hot") / len(open_ones))
    empty = await _load(families, scoring_model_key("list"))
    assert (empty["leads"], empty["budget_percentiles"], empty["share_hot"]) == (0, None, None)


async def test_the_facts_of_stored_leads(database_url: str, connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Rows of the driver and their JSON give the same facts, which are those of the tables; a market lacks no figure."""
    database = Database(database_url, Queries(), PoolSettings())
    await database.open()
    detail, leads = await Markets(database).get("austin"), Leads(database)
    assert detail is not None
    market = MarketFacts.of(detail, await ScoringModels(database).get("austin"))
    rows = await connection.fetch(
        "SELECT l.id, count(i.id) FILTER (WHERE i.created_at > now() - interval '30 days') AS interactions FROM leads AS l "
        "LEFT JOIN lead_interactions AS i ON i.lead_id = l.id WHERE l.market_id = 'austin' GROUP BY l.id ORDER BY l.id LIMIT 30"
    )
    now = datetime.now(UTC)
    for row in rows:
        found, body = await leads.get(str(row["id"])), await leads.body(str(row["id"]))
        assert found is not None
        assert isinstance(body, bytes)
        facts, lead = LeadFacts.from_lead(found.lead, found.interactions, now=now), orjson.loads(body)
        assert LeadFacts.from_lead(lead, lead["interactions"], now=now) == facts
        assert (facts.interactions, facts.never_contacted) == (row["interactions"], lead["last_interaction_at"] is None)
        assert facts.budget == (_budget(lead["budget_range"]) if lead["budget_range"] else None)
        unknown = {part.name for part in score_lead(facts, market).parts if part.value is None}
        compared = facts.budget is not None and facts.property_type != "land"
        assert unknown <= {"response_time"} | (set() if compared else {"location"})
    await database.close()


async def test_the_newest_answers_to_a_prompt(families: Families, connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Five of nine, the newest first."""
    await connection.execute(ANSWER, HASH)

    found = await _load(families, answers_key(HASH))

    assert [item["response"] for item in found["items"]] == [{"n": number} for number in range(1, 6)]


def _budget(text: str) -> float:
    """The highest number of `300k-400k` or `1m+` in dollars."""
    return max(float(number) * {"k": 1e3, "m": 1e6}[unit] for number, unit in re.findall(r"([\d.]+)([km])", text))
