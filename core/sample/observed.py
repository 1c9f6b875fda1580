"""What the two files say, as rows: the markets, their monthly figures, and the sales of Lucas County as listings.

Owns everything that is not synthetic. Refuses to fill gaps: a value that the source lacks has no row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.database.schema import MARKET_DATA_TYPES
from core.sample.files import Floats, Integers, SampleFiles, TexasMonths
from core.sample.places import MARKETS, Market
from core.sample.texts import join, numbers

TEXAS_SOURCE = "txhousing (ggplot2), Texas A&M real estate center"
HOUSES_SOURCE = "house (spData), sales of Lucas County, Ohio"
TEXAS_NOTE = (
    "Monthly figures 2000-01 to 2015-07; ten values are missing in the source. Synthetic listings have the dates of the last "
    "year and the price level of the last months of the series."
)
HOUSES_NOTE = (
    "25,357 real sales of 1993-98, shown as sold listings, in dollars of that time. The monthly figures are computed from them "
    "and end with September 1998, the last whole month. Synthetic listings have the dates of the last year and the price level "
    "of 1998."
)
# The source ends on 5 October 1998, so October is not a whole month.
HOUSES_END = np.datetime64("1998-10")
MONTHS_OF_PRICE = 12


@dataclass(frozen=True, slots=True, eq=False)
class Months:
    """The monthly figures of one market; NaN where there is none."""

    month: npt.NDArray[np.datetime64]
    figures: dict[str, Floats]

    def median_price(self) -> float:
        """Median of the last twelve monthly medians, in dollars."""
        return float(np.nanmedian(self.figures["median_price"][-MONTHS_OF_PRICE:]))

    def average_price(self) -> float:
        """Dollars spent over homes sold in the last twelve months."""
        volume, sales = (self.figures[name][-MONTHS_OF_PRICE:] for name in ("volume", "sales"))
        return float(np.nansum(volume) / np.nansum(sales))

    def yearly_sales(self) -> float:
        """Homes sold in the last twelve months."""
        return float(np.nansum(self.figures["sales"][-MONTHS_OF_PRICE:]))


def months_of(market: Market, files: SampleFiles) -> Months:
    """The figures of a market, from the Texas series or computed from the sales of Lucas County."""
    if market.source_city is None:
        return _months_of_sales(files)
    texas: TexasMonths = files.texas
    rows = texas.city == market.source_city
    return Months(texas.month[rows], {name: values[rows] for name, values in texas.figures.items()})


def markets(files: SampleFiles) -> pa.RecordBatch:
    """One row of `markets` for each market."""
    figures = [months_of(market, files) for market in MARKETS]
    observed = [market.source_city is None for market in MARKETS]
    return pa.record_batch(
        {
            "id": [market.slug for market in MARKETS],
            "market_name": [market.name for market in MARKETS],
            "state": [market.state for market in MARKETS],
            "avg_price": [round(months.average_price(), 2) for months in figures],
            "data_from": _days([months.month[0] for months in figures]),
            "data_to": _days([months.month[-1] for months in figures]),
            "source": [HOUSES_SOURCE if houses else TEXAS_SOURCE for houses in observed],
            "note": [HOUSES_NOTE if houses else TEXAS_NOTE for houses in observed],
            "synthetic": [False] * len(MARKETS),
        }
    )


def market_data(files: SampleFiles) -> pa.RecordBatch:
    """One row of `market_data` for each market, data type and month that has a value, by market and month."""
    return pa.Table.from_batches([_market_data(market, files) for market in MARKETS]).combine_chunks().to_batches()[0]


def sales(files: SampleFiles) -> pa.RecordBatch:
    """The sales of Lucas County as rows of `properties`, by date; without description, because the source has none."""
    houses = files.houses
    order = np.argsort(houses.sale_date, kind="stable")
    number = numbers(order + 1)
    rows = len(houses)
    sold = pa.array(houses.sale_date[order], pa.date32())
    at = sold.cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))
    return pa.record_batch(
        {
            "market_id": pa.array(["toledo"] * rows),
            "external_id": join("lucas-", number),
            "address": join("Sale ", number, ", Lucas County"),
            "property_type": pa.array(["single_family"] * rows),
            "status": pa.array(["sold"] * rows),
            "price": houses.price[order],
            "bedrooms": houses.bedrooms[order],
            "bathrooms": houses.bathrooms[order],
            "square_feet": houses.living_area[order],
            "lot_square_feet": houses.lot_area[order],
            "year_built": houses.year_built[order],
            "latitude": houses.latitude[order],
            "longitude": houses.longitude[order],
            "listing_date": sold,
            "synthetic": pa.array([False] * rows),
            "created_at": at,
            "updated_at": at,
        }
    )


def _months_of_sales(files: SampleFiles) -> Months:
    houses = files.houses
    month = houses.sale_date.astype("datetime64[M]")
    whole = month < HOUSES_END
    months, group = np.unique(month[whole], return_inverse=True)
    price = houses.price[whole].astype(np.float64)
    medians = [float(np.median(price[group == one])) for one in range(len(months))]
    figures = {
        "sales": np.bincount(group).astype(np.float64),
        "volume": np.bincount(group, weights=price),
        "median_price": np.array(medians),
    }
    return Months(months, figures)


def _market_data(market: Market, files: SampleFiles) -> pa.RecordBatch:
    months = months_of(market, files)
    types = [name for name in MARKET_DATA_TYPES if name in months.figures]
    values = np.stack([months.figures[name] for name in types], axis=1)
    row, column = np.nonzero(~np.isnan(values))
    kind: Integers = column
    return pa.record_batch(
        {
            "market_id": pa.array([market.slug] * len(row)),
            "data_type": pa.array(types).take(pa.array(kind)),
            "date_recorded": _days(months.month[row]),
            "value": values[row, column],
            "source": pa.array([HOUSES_SOURCE if market.source_city is None else TEXAS_SOURCE] * len(row)),
            "synthetic": pa.array([False] * len(row)),
        }
    )


def _days(months: Sequence[np.datetime64] | npt.NDArray[np.datetime64]) -> pa.Array:
    """The first day of each month."""
    return pa.array(np.array(months).astype("datetime64[D]"), pa.date32())
