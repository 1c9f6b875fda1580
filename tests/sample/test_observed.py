"""The rows that the files give: markets, monthly figures and sales."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc
import pytest

from core.sample import observed
from core.sample.places import SLUGS


def _values(batch, market: str, data_type: str) -> dict[str, float]:
    rows = [row for row in batch.to_pylist() if (row["market_id"], row["data_type"]) == (market, data_type)]
    return {row["date_recorded"].isoformat(): row["value"] for row in rows}


def test_every_market_has_a_row_with_source_and_note(files):
    """Five markets, none of them synthetic, each with what a reader must know."""
    rows = observed.markets(files).to_pylist()
    assert tuple(row["id"] for row in rows) == SLUGS
    assert all(row["source"] and row["note"] and not row["synthetic"] for row in rows)


def test_average_price_is_volume_over_sales_of_the_last_year(files):
    """Houston's average of the twelve months up to July 2015."""
    rows = {row["id"]: row for row in observed.markets(files).to_pylist()}
    assert rows["houston"]["avg_price"] == pytest.approx(273_458.55, abs=0.01)
    assert rows["houston"]["data_to"].isoformat() == "2015-07-01"


def test_texas_values_are_those_of_the_file(files):
    """Austin's first month, one value for each data type."""
    batch = observed.market_data(files)
    first = {name: _values(batch, "austin", name)["2000-01-01"] for name in ("sales", "volume", "median_price", "listings")}
    assert first == {"sales": 1025.0, "volume": 173_053_635.0, "median_price": 133_700.0, "listings": 3084.0}


def test_missing_values_have_no_row(files):
    """Dallas in August 2005 has sales, but neither listings nor inventory."""
    batch = observed.market_data(files)
    assert "2005-08-01" in _values(batch, "dallas", "sales")
    for data_type in ("listings", "inventory_months"):
        assert "2005-08-01" not in _values(batch, "dallas", data_type)
    texas = pc.sum(pc.not_equal(batch["market_id"], "toledo")).as_py()
    assert texas == 4 * 187 * 5 - 10


def test_toledo_months_are_computed_from_the_sales(files):
    """Count, sum and median of one month, counted by hand; the unfinished October 1998 is left out."""
    batch, houses = observed.market_data(files), files.houses
    price = houses.price[houses.sale_date.astype("datetime64[M]") == np.datetime64("1997-06")]
    assert _values(batch, "toledo", "sales")["1997-06-01"] == len(price)
    assert _values(batch, "toledo", "volume")["1997-06-01"] == price.sum()
    assert _values(batch, "toledo", "median_price")["1997-06-01"] == np.median(price)
    assert max(_values(batch, "toledo", "sales")) == "1998-09-01"


def test_sales_are_sold_listings_without_invented_parts(files):
    """Real sales say so, carry their date and price, and have neither description nor neighborhood."""
    batch = observed.sales(files)
    assert batch.num_rows == 25_357
    assert pc.sum(batch["price"]).as_py() == 2_003_658_003
    assert pc.unique(batch["status"]).to_pylist() == ["sold"]
    assert pc.unique(batch["synthetic"]).to_pylist() == [False]
    assert str(pc.max(batch["listing_date"])) == "1998-10-05"
    assert not {"description", "neighborhood", "image_urls"} & set(batch.schema.names)


def test_sales_are_named_by_their_row_in_the_source(files):
    """The first row of the source is sale 1, wherever its date puts it."""
    rows = [row for row in observed.sales(files).to_pylist() if row["external_id"] == "lucas-1"]
    assert [(row["price"], row["address"]) for row in rows] == [(303_000, "Sale 1, Lucas County")]
