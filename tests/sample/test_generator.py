"""The generator: same rows for the same seed, and the shape of the data."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from core.errors import SampleDataError
from core.sample.places import SLUGS
from core.sample.size import SampleSize
from tests.sample.conftest import NOW

TABLES = ("leads", "lead_interactions", "properties")


def _table(generator, name, batch_rows=50_000):
    return pa.Table.from_batches(generator.batches(name, batch_rows)).combine_chunks()


@pytest.mark.parametrize("table", TABLES)
def test_same_seed_gives_the_same_rows(make_generator, table):
    """Two generators with one seed agree in every cell."""
    assert _table(make_generator(3000, 20_000, 1500), table).equals(_table(make_generator(3000, 20_000, 1500), table))


@pytest.mark.parametrize("table", TABLES)
def test_other_seed_gives_other_rows(make_generator, table):
    """A neighbouring seed shares no instant."""
    one, other = (set(_table(make_generator(900, 5000, 500, seed), table)["created_at"].to_pylist()) for seed in (7, 8))
    assert len(one & other) <= 1  # the newest interaction marks the end of the data


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("batch_rows", [1, 777, 8192, 100_000])
def test_batch_size_changes_no_row(make_generator, table, batch_rows):
    """Batches have the size asked for, and hold the same rows."""
    size = (300, 900, 200) if batch_rows == 1 else (9000, 40_000, 9000)
    batches = list(make_generator(*size).batches(table, batch_rows))
    assert {batch.num_rows for batch in batches[:-1]} <= {batch_rows}
    assert pa.Table.from_batches(batches).combine_chunks().equals(_table(make_generator(*size), table))


def test_counts_are_exact(default_tables):
    """As many rows as asked for."""
    assert [default_tables[name].num_rows for name in TABLES] == [20_000, 150_000, 10_000]


def test_every_row_is_marked_synthetic(default_tables):
    """Nothing drawn passes for observed."""
    for table in default_tables.values():
        assert pc.all(table["synthetic"]).as_py()


def test_eight_percent_are_never_contacted(default_tables):
    """They have no last interaction and none in the other table; all others have."""
    leads = default_tables["leads"]
    cold = set(leads.filter(pc.is_null(leads["last_interaction_at"]))["id"].to_pylist())
    contacted = set(default_tables["lead_interactions"]["lead_id"].to_pylist())
    assert len(cold) == 1600
    assert not cold & contacted
    assert len(cold | contacted) == 20_000


def test_activity_follows_a_power_law(default_tables):
    """The busiest hundredth of leads has 14 to 20 % of the interactions, the busiest lead below 1 %."""
    counts = default_tables["lead_interactions"].group_by("lead_id").aggregate([("lead_id", "count")])["lead_id_count"]
    busiest = np.sort(counts.to_numpy())[::-1]
    assert 0.14 < busiest[:200].sum() / 150_000 < 0.20
    assert busiest[0] < 1500
    assert np.median(busiest) < busiest.mean()


def test_last_interaction_is_the_newest_one(default_tables):
    """To the microsecond, for each lead that was contacted."""
    newest = default_tables["lead_interactions"].group_by("lead_id").aggregate([("created_at", "max")])
    joined = default_tables["leads"].select(["id", "last_interaction_at"]).join(newest, "id", "lead_id", "inner")
    assert joined.num_rows == 18_400
    assert pc.all(pc.equal(joined["last_interaction_at"], joined["created_at_max"])).as_py()


def test_interactions_come_after_their_lead(default_tables):
    """No lead is contacted before it has arrived."""
    oldest = default_tables["lead_interactions"].group_by("lead_id").aggregate([("created_at", "min")])
    joined = default_tables["leads"].select(["id", "created_at"]).join(oldest, "id", "lead_id", "inner")
    assert pc.all(pc.less_equal(joined["created_at"], joined["created_at_min"])).as_py()


@pytest.mark.parametrize("table", TABLES)
def test_instants_lie_in_the_last_year(default_tables, table):
    """Nothing is of the future, nothing older than the period."""
    for column in ("created_at", "updated_at"):
        if column in default_tables[table].column_names:
            values = default_tables[table][column]
            assert pc.max(values).as_py() <= NOW
            assert pc.min(values).as_py() >= NOW - timedelta(days=365)


def test_leads_arrive_in_the_order_of_their_ids(default_tables):
    """As in a table that was filled by inserts."""
    created = default_tables["leads"]["created_at"].to_numpy()
    assert (np.diff(created) >= np.timedelta64(0)).all()


def test_newest_interaction_is_of_now(default_tables):
    """It marks how far the data runs."""
    assert NOW - pc.max(default_tables["lead_interactions"]["created_at"]).as_py() < timedelta(milliseconds=1)


@pytest.mark.parametrize("table", ["leads", "properties"])
def test_last_30_days_have_rows_in_every_market(default_tables, table):
    """At least twenty in the smallest market."""
    rows = default_tables[table]
    recent = rows.filter(pc.greater(rows["created_at"], pa.scalar(NOW - timedelta(days=30))))
    counts = {item["values"]: item["counts"] for item in pc.value_counts(recent["market_id"]).to_pylist()}
    assert set(counts) == set(SLUGS)
    assert min(counts.values()) >= 20


def test_activity_is_recent(default_tables):
    """More interactions in the newest quarter of the year than in the oldest."""
    created = default_tables["lead_interactions"]["created_at"]
    newest = pc.sum(pc.greater(created, pa.scalar(NOW - timedelta(days=91)))).as_py()
    oldest = pc.sum(pc.less(created, pa.scalar(NOW - timedelta(days=274)))).as_py()
    assert newest > 4 * oldest > 0


def test_nights_are_quiet_and_nobody_calls(default_tables):
    """Local hours 0 to 5 have few interactions; answered calls lie in office hours or are first contacts."""
    rows = default_tables["lead_interactions"]
    hour = pc.hour(pc.subtract(rows["created_at"], pa.scalar(timedelta(hours=6)))).to_numpy()
    assert np.mean(hour < 6) < 0.08
    calls = hour[pc.equal(rows["interaction_type"], "call_answered").to_numpy()]
    assert np.mean((calls >= 8) & (calls < 19)) > 0.8


def test_score_rises_with_activity(default_tables):
    """Leads with more interactions score higher; leads never contacted stay cold."""
    counts = default_tables["lead_interactions"].group_by("lead_id").aggregate([("lead_id", "count")])
    joined = default_tables["leads"].select(["id", "score", "last_interaction_at"]).join(counts, "id", "lead_id")
    score, count = joined["score"].to_numpy(), joined["lead_id_count"].fill_null(0).to_numpy()
    assert score.min() >= 0
    assert score.max() <= 100
    assert score[count == 0].max() <= 25
    assert np.corrcoef(score[count > 0], np.log(count[count > 0]))[0, 1] > 0.5


@pytest.mark.parametrize("number", range(len(SLUGS)))
def test_prices_have_the_level_and_spread_of_the_real_data(default_tables, market_levels, number):
    """The median is near the market's; the logarithm spreads as Lucas County's does."""
    rows = default_tables["properties"]
    houses = pc.and_(pc.equal(rows["market_id"], SLUGS[number]), pc.not_equal(rows["property_type"], "land"))
    price = rows.filter(houses)["price"].to_numpy()
    real = np.log(market_levels.homes.relative_price)
    assert np.median(price) == pytest.approx(market_levels.median_price[number], rel=0.12)
    assert np.log(price).std() == pytest.approx(real.std(), rel=0.12)


def test_size_and_price_go_together(default_tables):
    """Whole houses are drawn, so living area and price correlate as in the real sales."""
    rows = default_tables["properties"]
    rows = rows.filter(pc.and_(pc.equal(rows["market_id"], "houston"), pc.is_valid(rows["square_feet"])))
    assert np.corrcoef(np.log(rows["square_feet"].to_numpy()), np.log(rows["price"].to_numpy()))[0, 1] > 0.5


def test_six_listings_in_ten_are_active(default_tables):
    """And each other status is there."""
    counts = {item["values"]: item["counts"] for item in pc.value_counts(default_tables["properties"]["status"]).to_pylist()}
    assert 5500 < counts["active"] < 6500
    assert set(counts) == {"active", "pending", "sold", "withdrawn"}


def test_json_columns_are_json(default_tables):
    """Preferences are objects with a known type, searches lists of texts with a day, details objects."""
    leads = default_tables["leads"].slice(0, 2000)
    for row in leads.to_pylist():
        wishes = json.loads(row["property_preferences"])
        assert wishes["property_type"] == row["property_type"]
        assert len(wishes["must_have"]) == 2
        for search in json.loads(row["search_history"]):
            assert set(search) == {"text", "on"}
            assert search["on"] >= row["created_at"].date().isoformat()
    for details in pc.unique(default_tables["lead_interactions"]["details"]).to_pylist():
        assert isinstance(json.loads(details), dict)


def test_budgets_are_bands(default_tables):
    """'300k-400k', '900k-1m' or '1m+'."""
    bands = pc.unique(default_tables["leads"]["budget_range"]).to_pylist()
    assert all(re.fullmatch(r"\d+k-\d+k|900k-1m|1m\+", band) for band in bands)
    assert {"200k-300k", "300k-400k", "1m+"} <= set(bands)


def test_nobody_can_be_reached(default_tables):
    """Mail goes to domains reserved for examples, numbers are those reserved for fiction."""
    leads = default_tables["leads"]
    domains = {mail.rsplit("@")[1] for mail in leads["email"].to_pylist()}
    assert domains == {"example.com", "example.org", "example.net", "mail.invalid"}
    assert all(re.fullmatch(r"\+1 \d{3} 555 01\d\d", phone) for phone in pc.unique(leads["phone"]).drop_null().to_pylist())


def test_forty_agents_share_the_leads_unevenly(default_tables):
    """The first agent has several times the leads of the last."""
    counts = {
        item["values"]: item["counts"] for item in pc.value_counts(default_tables["leads"]["assigned_agent_id"]).to_pylist()
    }
    assert len(counts) == 41
    assert counts["agent-01"] > 4 * counts["agent-40"]


def test_descriptions_say_the_facts_of_their_listing(default_tables):
    """Nearly all differ, each names its price, and those that name an area name the listing's."""
    rows = default_tables["properties"].to_pylist()
    assert len({row["description"] for row in rows}) > 9900
    for row in rows:
        assert f"${row['price']:,}" in row["description"]
        area = re.search(r"([\d,]+) square feet", row["description"].split(" The lot")[0])
        if area and row["property_type"] != "land":
            assert area[1] == f"{row['square_feet']:,}"


def test_descriptions_keep_to_fair_housing(default_tables):
    """No word about who should live there, faith, schools, safety or descent."""
    forbidden = re.compile(
        r"famil|child|kid|school|church|temple|mosque|christian|safe|crime|single person|bachelor|couple|retire|senior|adult"
        r"|exclusive|integrated|master bedroom|walking distance|ethnic|race|gender|handicap|able-bodied",
        re.IGNORECASE,
    )
    found = [text for text in default_tables["properties"]["description"].to_pylist() if forbidden.search(text)]
    assert not found


def test_land_has_no_rooms(default_tables):
    """A parcel has neither bedrooms nor living area nor a year."""
    rows = default_tables["properties"]
    land = rows.filter(pc.equal(rows["property_type"], "land"))
    assert land.num_rows > 50
    for column in ("bedrooms", "bathrooms", "square_feet", "year_built"):
        assert land[column].null_count == land.num_rows


@pytest.mark.parametrize("size", [(1, 1, 1), (10, 0, 0), (50, 20, 0), (0, 0, 5)])
def test_small_sizes_work(make_generator, size):
    """Fewer interactions than leads, or none, are drawn exactly."""
    generator = make_generator(*size)
    for table, rows in zip(TABLES, size, strict=True):
        assert sum(batch.num_rows for batch in generator.batches(table)) == rows


@pytest.mark.parametrize("size", [(0, 5, 0), (-1, 0, 0)])
def test_impossible_sizes_are_refused(size):
    """Interactions without leads, and negative counts."""
    with pytest.raises(SampleDataError):
        SampleSize(*size)
