"""Loading into a real PostgreSQL: all or nothing, the true counts, and further rows on demand."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from core.errors import SampleDataError
from core.sample import DEFAULT, SampleSize, generate, load
from core.sample.copying import SAMPLE_LOCK
from tests.sample.conftest import NOW, SMALL

TABLES = ("markets", "market_data", "leads", "lead_interactions", "properties")


async def _counts(connection) -> dict[str, int]:
    return {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES}


def _stop_at(table: str):
    """A progress that breaks the work as soon as it reaches the table."""

    def progress(what: str, done: int, total: int) -> None:
        if what == table and done:
            raise RuntimeError(table)

    return progress


async def test_load_fills_every_table(platform_connection):
    """The report names the rows that are there: real ones and drawn ones."""
    report = await load(platform_connection, seed=1, now=NOW, size=SMALL)
    counts = await _counts(platform_connection)
    assert counts == {"markets": 5, "market_data": 3937, "leads": 600, "lead_interactions": 4000, "properties": 25_657}
    assert {table: getattr(report, table) for table in TABLES} == counts
    assert report.rows == sum(counts.values())


async def test_load_marks_drawn_rows_and_only_those(loaded):
    """Markets, their figures and the sales of Lucas County are observed."""
    drawn = {table: await loaded.fetchval(f"SELECT count(*) FROM {table} WHERE synthetic") for table in TABLES}
    assert drawn == {"markets": 0, "market_data": 0, "leads": 600, "lead_interactions": 4000, "properties": 300}


@pytest.mark.slow
async def test_the_default_size_is_loaded_and_analysed(platform_connection):
    """What a first start loads: every row that was asked for, and statistics of all of them."""
    report = await load(platform_connection, seed=1, now=NOW)

    assert (report.leads, report.lead_interactions) == (DEFAULT.leads, DEFAULT.interactions)
    analysed = "SELECT reltuples::bigint FROM pg_class WHERE oid = 'leads'::regclass"
    assert await platform_connection.fetchval(analysed) == DEFAULT.leads


async def test_same_seed_loads_the_same_rows(loaded):
    """Also after the first rows are gone: only the ids go on."""
    query = "SELECT md5(string_agg(l::text, ',' ORDER BY created_at)) FROM (SELECT name, score, created_at FROM leads) AS l"
    first = await loaded.fetchval(query)
    await loaded.execute("TRUNCATE markets CASCADE")
    await load(loaded, seed=1, now=NOW, size=SMALL)
    assert await loaded.fetchval(query) == first


async def test_broken_load_leaves_nothing(platform_connection):
    """Wherever it stops, the database is as empty as before, and the next load fills it."""
    for table in TABLES:
        with pytest.raises(RuntimeError, match=table):
            await load(platform_connection, seed=1, now=NOW, size=SMALL, progress=_stop_at(table))
        assert set((await _counts(platform_connection)).values()) == {0}
    report = await load(platform_connection, seed=1, now=NOW, size=SMALL)
    assert report.leads == 600


async def test_cancelled_load_leaves_nothing(platform_connection):
    """A console that is stopped in the middle rolls back, and the connection can be used again."""

    def progress(what: str, done: int, total: int) -> None:
        if what == "lead_interactions" and done:
            loading.cancel()

    loading = asyncio.ensure_future(load(platform_connection, seed=1, now=NOW, size=SMALL, progress=progress))
    with pytest.raises(asyncio.CancelledError):
        await loading
    assert set((await _counts(platform_connection)).values()) == {0}


async def test_load_leaves_a_filled_platform_alone(platform_connection):
    """One market is enough to make it somebody's."""
    await platform_connection.execute("INSERT INTO markets (id, market_name, state) VALUES ('austin', 'Austin', 'TX')")
    report = await load(platform_connection, seed=1, now=NOW, size=SMALL)
    assert report.rows == 0
    assert await _counts(platform_connection) == {**dict.fromkeys(TABLES, 0), "markets": 1}


async def test_load_gathers_statistics(loaded):
    """The planner knows the sizes before the first query."""
    rows = await loaded.fetch("SELECT relname, reltuples FROM pg_class WHERE relname = ANY($1)", TABLES)
    assert {row["relname"]: row["reltuples"] for row in rows} == await _counts(loaded)


async def test_progress_counts_up_to_each_total(platform_connection):
    """For each table from 0 to its total, never backwards."""
    seen: dict[str, list[tuple[int, int]]] = {}
    await load(
        platform_connection,
        seed=1,
        now=NOW,
        size=SampleSize(17_000, 400, 300),
        progress=lambda what, done, total: seen.setdefault(what, []).append((done, total)),
    )
    assert tuple(seen) == TABLES
    for steps in seen.values():
        assert steps[0][0] == 0
        assert steps[-1][0] == steps[-1][1]
        assert steps == sorted(steps)
    assert len(seen["leads"]) > 2


async def test_last_interaction_is_the_newest_in_the_database(loaded):
    """What COPY stored agrees to the microsecond."""
    wrong = await loaded.fetchval("""
        SELECT count(*) FROM leads AS l
        WHERE last_interaction_at IS DISTINCT FROM (SELECT max(created_at) FROM lead_interactions WHERE lead_id = l.id)
    """)
    assert wrong == 0


async def test_ids_go_on_after_the_load(loaded):
    """A lead, an interaction and a listing that the platform itself adds clash with nothing."""
    lead = await loaded.fetchval("INSERT INTO leads (market_id) VALUES ('austin') RETURNING id")
    assert lead == 601
    await loaded.execute("INSERT INTO lead_interactions (lead_id, interaction_type) VALUES ($1, 'page_view')", lead)
    await loaded.execute(
        "INSERT INTO properties (market_id, property_type, price, listing_date) VALUES ('austin', 'condo', 1, '2026-01-01')"
    )


async def test_generate_adds_to_what_is_there(loaded):
    """Every row counts, and the rows of the first load stay."""
    before = await _counts(loaded)
    report = await generate(loaded, size=SampleSize(50, 200, 20), seed=2, now=NOW + timedelta(hours=1))
    after = await _counts(loaded)
    assert {table: after[table] - before[table] for table in TABLES} == {
        "markets": 0, "market_data": 0, "leads": 50, "lead_interactions": 200, "properties": 20,
    }  # fmt: skip
    assert report.rows == 270


async def test_generate_in_an_empty_platform_brings_the_markets(platform_connection):
    """The drawn rows need them; the sales of Lucas County stay with `load`."""
    await generate(platform_connection, size=SampleSize(10, 30, 5), seed=2, now=NOW)
    assert await _counts(platform_connection) == {
        "markets": 5, "market_data": 3937, "leads": 10, "lead_interactions": 30, "properties": 5,
    }  # fmt: skip


async def test_broken_generation_keeps_whole_tables_only(loaded):
    """Stopped at the listings: leads and their interactions are complete, listings as before."""
    before = await _counts(loaded)
    with pytest.raises(RuntimeError, match="properties"):
        await generate(loaded, size=SampleSize(50, 200, 20), seed=2, now=NOW, progress=_stop_at("properties"))
    assert await _counts(loaded) == before | {"leads": 650, "lead_interactions": 4200}


async def test_broken_interactions_take_their_leads_with_them(loaded):
    """Leads whose last contact is nowhere would be wrong."""
    before = await _counts(loaded)
    with pytest.raises(RuntimeError, match="lead_interactions"):
        await generate(loaded, size=SampleSize(50, 200, 20), seed=2, now=NOW, progress=_stop_at("lead_interactions"))
    assert await _counts(loaded) == before


async def test_second_process_is_told_to_wait(platform_connection, database_url):
    """Who comes while another adds rows gets an error with the next step, and nothing is added."""
    other = await asyncpg.connect(database_url)
    try:
        await other.execute("SELECT pg_advisory_lock($1)", SAMPLE_LOCK)
        with pytest.raises(SampleDataError, match="Another process") as raised:
            await load(platform_connection, seed=1, now=NOW, size=SMALL)
        assert "Wait" in raised.value.next_step
    finally:
        await other.close()
    assert (await _counts(platform_connection))["markets"] == 0


async def test_refusal_of_postgresql_is_a_sample_data_error(platform_connection):
    """A table that refuses the rows is named, and the cause is kept."""
    await platform_connection.execute("ALTER TABLE leads ADD CONSTRAINT nobody CHECK (false)")
    with pytest.raises(SampleDataError, match="leads") as raised:
        await load(platform_connection, seed=1, now=NOW, size=SMALL)
    assert isinstance(raised.value.__cause__, asyncpg.CheckViolationError)
