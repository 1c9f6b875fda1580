"""The top-up: synthetic data goes on up to now, once, and nothing else is touched."""

from __future__ import annotations

from datetime import timedelta

import asyncpg
import pytest

from core.sample import SampleSize, load, top_up
from core.sample.copying import SAMPLE_LOCK
from core.sample.top_up import MOST_ROWS
from tests.sample.conftest import NOW


async def _newest(connection):
    return await connection.fetchval("SELECT max(created_at) FROM lead_interactions WHERE synthetic")


async def test_no_gap_adds_nothing(loaded):
    """Just after the load, and half an hour later."""
    for minutes in (0, 30):
        report = await top_up(loaded, now=NOW + timedelta(minutes=minutes))
        assert (report.state, report.rows) == ("up_to_date", 0)


async def test_gap_is_filled_up_to_now(loaded):
    """After five days there are rows of each table in the gap, none of the future, and the newest is of now."""
    now = NOW + timedelta(days=5)
    report = await top_up(loaded, now=now)
    assert report.state == "topped_up"
    assert abs(await _newest(loaded) - now) < timedelta(milliseconds=1)
    for table, rows in (
        ("leads", report.leads),
        ("lead_interactions", report.lead_interactions),
        ("properties", report.properties),
    ):
        span = await loaded.fetchrow(
            f"SELECT count(*) AS rows, max(created_at) AS last FROM {table} WHERE created_at > $1", NOW
        )
        assert span["rows"] == rows > 100
        assert span["last"] <= now


async def test_second_call_adds_nothing(loaded):
    """Equal calls one after the other give the rows of one."""
    now = NOW + timedelta(hours=9)
    assert (await top_up(loaded, now=now)).rows > 0
    assert (await top_up(loaded, now=now)).state == "up_to_date"


async def test_gap_of_a_year_is_bounded(loaded):
    """At most so many rows, most of them in the newest part of the gap."""
    now = NOW + timedelta(days=365)
    report = await top_up(loaded, now=now)
    assert (report.leads, report.lead_interactions) == (MOST_ROWS.leads, MOST_ROWS.interactions)
    recent = await loaded.fetchval("SELECT count(*) FROM lead_interactions WHERE created_at > $1", now - timedelta(days=30))
    assert recent > 5000


async def test_last_interactions_stay_true(loaded):
    """Of leads contacted again and of new ones, a part of which nobody has contacted yet."""
    await top_up(loaded, now=NOW + timedelta(days=20))
    wrong = await loaded.fetchval("""
        SELECT count(*) FROM leads AS l
        LEFT JOIN (
            SELECT lead_id, max(created_at) AS last, min(created_at) AS first FROM lead_interactions GROUP BY lead_id
        ) AS i ON i.lead_id = l.id
        WHERE l.last_interaction_at IS DISTINCT FROM i.last OR i.first < l.created_at
    """)
    assert wrong == 0
    assert await loaded.fetchval("SELECT count(*) FROM leads WHERE last_interaction_at IS NULL AND created_at > $1", NOW) > 0


async def test_old_listings_are_sold(loaded):
    """The share of active listings stays, although new ones come."""
    query = "SELECT avg((status = 'active')::int)::float FROM properties WHERE synthetic"
    before = await loaded.fetchval(query)
    await top_up(loaded, now=NOW + timedelta(days=10))
    assert await loaded.fetchval(query) == pytest.approx(before, abs=0.12)
    assert await loaded.fetchval("SELECT count(*) FROM properties WHERE status = 'sold' AND updated_at > $1", NOW) > 100


async def test_rows_that_are_not_synthetic_stay_as_they_are(loaded):
    """A real lead and the sales of Lucas County keep every column."""
    await loaded.execute("INSERT INTO leads (market_id, name, last_interaction_at) VALUES ('austin', 'Real', $1)", NOW)
    queries = (
        "SELECT md5(string_agg(l::text, ',' ORDER BY id)) FROM leads AS l WHERE NOT synthetic",
        "SELECT md5(string_agg(p::text, ',' ORDER BY id)) FROM properties AS p WHERE NOT synthetic",
    )
    before = [await loaded.fetchval(query) for query in queries]
    await top_up(loaded, now=NOW + timedelta(days=30))
    assert [await loaded.fetchval(query) for query in queries] == before
    assert (
        await loaded.fetchval("SELECT count(*) FROM lead_interactions JOIN leads AS l ON l.id = lead_id WHERE NOT l.synthetic")
        == 0
    )


async def test_platform_without_synthetic_rows_is_left_alone(platform_connection):
    """Nothing to continue, nothing added: also beside real leads."""
    await platform_connection.execute("INSERT INTO markets (id, market_name, state) VALUES ('austin', 'Austin', 'TX')")
    await platform_connection.execute("INSERT INTO leads (market_id) VALUES ('austin')")
    report = await top_up(platform_connection, now=NOW)
    assert (report.state, report.rows) == ("nothing_synthetic", 0)


async def test_second_process_leaves_it_to_the_first(loaded, database_url):
    """While another holds the lock the call returns at once."""
    other = await asyncpg.connect(database_url)
    try:
        await other.execute("SELECT pg_advisory_lock($1)", SAMPLE_LOCK)
        report = await top_up(loaded, now=NOW + timedelta(days=5))
    finally:
        await other.close()
    assert (report.state, report.rows) == ("busy", 0)


async def test_clock_that_went_back_adds_nothing(loaded):
    """Data of the future counts as up to date."""
    assert (await top_up(loaded, now=NOW - timedelta(days=3))).state == "up_to_date"


async def test_top_up_goes_on_without_a_contacted_lead(platform_connection):
    """All interactions go to new leads where the pool is empty."""
    await load(platform_connection, seed=1, now=NOW, size=SampleSize(5, 0, 0))
    now = NOW + timedelta(days=3)
    assert (await top_up(platform_connection, now=now)).state == "topped_up"
    assert (await top_up(platform_connection, now=now)).state == "up_to_date"
