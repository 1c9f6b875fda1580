"""Preflight: what is wrong with a statement, who is in the way, what it costs; nothing is changed by asking."""

from __future__ import annotations

import pytest

from core.database.indexes.catalog import Indexes
from core.database.indexes.preflight import Preflight
from core.database.indexes.shipped import IndexSet
from core.database.queries import Queries
from core.errors import UsageError
from tests.database.indexes.conftest import NAME, Connect

# The six statements that a performance guide gives and PostgreSQL refuses: five by now() in the predicate, one by its columns.
BROKEN = (
    "i ON properties(market_id, status, property_type, price_min, price_max, bedrooms) WHERE status = 'active'",
    "i ON market_data(market_id, date_recorded DESC, data_type) WHERE date_recorded > NOW() - INTERVAL '90 days'",
    "i ON ai_responses(prompt_hash, model_version, created_at DESC) WHERE created_at > NOW() - INTERVAL '24 hours'",
    "i ON analytics_events(event_type, market_id, created_at DESC, user_id) WHERE created_at > NOW() - INTERVAL '30 days'",
    "i ON leads(market_id, status, created_at, score, budget_range) WHERE created_at > NOW() - INTERVAL '30 days'",
    "i ON lead_interactions(lead_id) WHERE created_at > NOW() - INTERVAL '90 days'",
)
PRICES = "CREATE INDEX CONCURRENTLY i ON properties (price DESC) WHERE status = 'active'"


@pytest.fixture
def indexes() -> Indexes:
    """The catalog of the shipped set."""
    return Indexes(Queries(), IndexSet())


def texts(found: Preflight, weight: str) -> str:
    """The reasons of one weight."""
    return "\n".join(reason.text for reason in found.reasons if reason.weight == weight)


@pytest.mark.parametrize("statement", BROKEN)
async def test_a_statement_that_postgresql_refuses_is_found(indexes: Indexes, platform_connection, statement: str) -> None:
    """NO, with the server's words and an advice; no table and no index is left behind."""
    found = await indexes.preflight(platform_connection, f"CREATE INDEX CONCURRENTLY {statement};")

    assert found.verdict == "NO"
    assert "IMMUTABLE" in texts(found, "NO") or "price_min" in texts(found, "NO")
    assert all(reason.next_step for reason in found.reasons if reason.weight == "NO")
    assert await platform_connection.fetchval("SELECT count(*) FROM pg_class WHERE relname = 'i'") == 0
    assert await platform_connection.fetchval("SELECT count(*) FROM pg_class WHERE relpersistence = 't'") == 0


async def test_every_index_of_the_set_may_be_built(indexes: Indexes, platform_connection) -> None:
    """GO on tables that nobody uses."""
    for notes in indexes.set:
        found = await indexes.preflight(platform_connection, notes.name, free_bytes=10**12)
        assert (found.verdict, found.index) == ("GO", notes.name), found.reasons


async def test_the_cost_is_near_the_truth(indexes: Indexes, platform_connection) -> None:
    """Size by the statistics, rows by the planner's word on the predicate; too little room is NO."""
    await platform_connection.execute(
        "INSERT INTO markets (id, market_name, state) VALUES ('x', 'X', 'TX');"
        "INSERT INTO properties (market_id, property_type, status, price, listing_date)"
        " SELECT 'x', 'condo', CASE WHEN n % 4 = 0 THEN 'active' ELSE 'sold' END, n, '2026-01-01'"
        " FROM generate_series(1, 20000) AS n;"
        "ANALYZE properties"
    )
    found = await indexes.preflight(platform_connection, PRICES, free_bytes=10**12)
    await platform_connection.execute(PRICES)
    truth = await platform_connection.fetchval("SELECT pg_relation_size('i')")

    assert found.cost is not None
    assert found.cost.size_bytes is not None
    assert found.cost.rows == 20_000
    assert 4_500 < found.cost.entries < 5_500
    assert 0.7 * truth < found.cost.size_bytes < 1.6 * truth
    tight = await indexes.preflight(platform_connection, PRICES.replace("i ON", "j ON"), free_bytes=1_000)
    assert tight.verdict == "NO"
    assert "are free" in texts(tight, "NO")
    assert "same index" in texts(tight, "NO")


async def test_who_is_in_the_way_is_named(indexes: Indexes, connect: Connect, platform_connection) -> None:
    """A session that alters the table makes it WAIT, by name; when it has ended it is GO."""
    other = await connect()
    await other.execute("SET application_name = 'night shift'; BEGIN; LOCK TABLE leads IN SHARE UPDATE EXCLUSIVE MODE")

    found = await indexes.preflight(platform_connection, NAME)
    assert found.verdict == "WAIT"
    assert "night shift" in texts(found, "WAIT")
    assert "ShareUpdateExclusiveLock" in texts(found, "WAIT")
    assert f"pg_terminate_backend({other.get_server_pid()})" in found.reasons[0].next_step

    await other.execute("ROLLBACK")
    assert (await indexes.preflight(platform_connection, NAME)).verdict == "GO"


async def test_a_table_that_is_locked_is_not_waited_for(indexes: Indexes, connect: Connect, platform_connection) -> None:
    """The copy gives up soon, says so, and the holder is named."""
    other = await connect()
    await other.execute("SET application_name = 'rewrite'; BEGIN; LOCK TABLE leads IN ACCESS EXCLUSIVE MODE")

    found = await indexes.preflight(platform_connection, NAME)

    assert found.verdict == "WAIT"
    assert "rewrite" in texts(found, "WAIT")
    assert "could not be tried" in texts(found, "GO")
    assert "no longer locked" in found.reasons[-1].next_step


async def test_one_build_at_a_time(indexes: Indexes, connect: Connect, platform_connection) -> None:
    """Another build's turn makes it WAIT and names its session."""
    other = await connect()
    await other.execute("SET application_name = 'console index somebody'")
    await other.fetchval(Queries()["index_turn"].sql)

    found = await indexes.preflight(platform_connection, NAME)

    assert found.verdict == "WAIT"
    assert "console index somebody" in texts(found, "WAIT")


async def test_a_session_that_only_reads_says_so(indexes: Indexes, connect: Connect) -> None:
    """Neither tried nor possible; what can be known is still told."""
    reader = await connect()
    await reader.execute("SET default_transaction_read_only = on")

    found = await indexes.preflight(reader, NAME)

    assert found.verdict == "NO"
    assert "only reads" in texts(found, "NO")
    assert "could not be tried" in texts(found, "GO")


async def test_a_role_without_rights_is_told(indexes: Indexes, connect: Connect, platform_connection) -> None:
    """Who owns nothing and may make no temporary table gets NO for the first and a note for the second."""
    role = await connect()
    name = await platform_connection.fetchval("SELECT current_database()")
    await platform_connection.execute(f"REVOKE TEMP ON DATABASE {name} FROM public")
    await role.execute("SET ROLE pg_read_all_data")

    found = await indexes.preflight(role, NAME)

    assert "Only the owner" in texts(found, "NO")
    assert "could not be tried" in texts(found, "GO")


@pytest.mark.parametrize(
    ("statement", "verdict", "text"),
    [
        ("CREATE INDEX i ON leads (score)", "NO", "Without CONCURRENTLY"),
        ("CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON leads (score)", "GO", "IF NOT EXISTS"),
        ("CREATE INDEX CONCURRENTLY ON leads (score)", "GO", "no name"),
        ("CREATE UNIQUE INDEX CONCURRENTLY i ON public.leads (market_id, external_id)", "NO", "the same index"),
        ("CREATE INDEX CONCURRENTLY i ON leads (market_id)", "GO", "already begins"),
        ("CREATE INDEX CONCURRENTLY leads_pkey ON leads (score)", "NO", "leads_pkey already"),
        ("CREATE INDEX CONCURRENTLY i ON leads (score) WHERE created_at > '2026-01-01 00:00+00'", "GO", "fixed date"),
        ("CREATE INDEX CONCURRENTLY i ON nowhere (score)", "NO", "nowhere"),
        ("CREATE INDEX CONCURRENTLY i ON leads (score); DROP TABLE leads", "NO", "refuses"),
        ("CREATE INDEX CONCURRENTLY i ON parted (a)", "NO", "partitioned"),
        ("CREATE INDEX CONCURRENTLY i ON seen (score)", "NO", "not a table"),
    ],
)
async def test_what_a_statement_says_of_itself(
    indexes: Indexes, platform_connection, statement: str, verdict: str, text: str
) -> None:
    """Each weakness is a reason of its own weight."""
    await platform_connection.execute(
        "CREATE TABLE parted (a int) PARTITION BY LIST (a); CREATE VIEW seen AS SELECT score FROM leads"
    )
    found = await indexes.preflight(platform_connection, statement)

    assert found.verdict == verdict
    assert text in texts(found, verdict)
    assert await platform_connection.fetchval("SELECT to_regclass('leads') IS NOT NULL")


async def test_heap_only_updates_that_would_be_lost_are_told(indexes: Indexes, connect: Connect, platform_connection) -> None:
    """An index on a column that no index reads costs the cheap updates of that column."""
    await platform_connection.execute(
        "INSERT INTO markets (id, market_name, state) VALUES ('x', 'X', 'TX'); INSERT INTO leads (market_id) VALUES ('x')"
    )
    for score in range(5):
        await platform_connection.execute("UPDATE leads SET score = $1", score)
    await platform_connection.fetchval("SELECT pg_stat_force_next_flush()")

    found = await indexes.preflight(await connect(), NAME)

    assert found.cost is not None
    assert set(found.cost.hot_lost) == {"score", "status"}
    assert "heap-only" in texts(found, "GO")


@pytest.mark.parametrize("text", ["DROP TABLE leads", "CREATE INDEX", "SELECT 1 ", "CREATE INDEX i ON leads"])
async def test_anything_else_is_no_index(indexes: Indexes, platform_connection, text: str) -> None:
    """Only a CREATE INDEX is judged."""
    with pytest.raises(UsageError):
        await indexes.preflight(platform_connection, text)
