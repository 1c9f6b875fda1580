"""The five markets, and invented neighborhoods, streets and addresses in them.

Owns every place name. City names, area codes and the cities' coordinates are public facts; neighborhoods and streets are
made up, so an address leads to nobody's door.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from core.sample.files import Floats, Integers
from core.sample.texts import join, pick, take


@dataclass(frozen=True, slots=True)
class Market:
    """A market: its slug, its names and the middle of its city in degrees."""

    slug: str
    name: str
    state: str
    area_code: int
    latitude: float
    longitude: float
    source_city: str | None
    """Its name in the Texas series; None: its figures come from the sales of Lucas County."""
    neighborhood_stems: tuple[str, ...]


MARKETS = (
    Market(
        "austin", "Austin", "TX", 512, 30.267, -97.743, "Austin",
        ("Quillstone", "Bluefern", "Wrenfold", "Cedarquill", "Tallowmere", "Larkspire", "Emberlea", "Junipera"),
    ),
    Market(
        "dallas", "Dallas", "TX", 214, 32.777, -96.797, "Dallas",
        ("Harrowick", "Copperline", "Millwren", "Oakenmoor", "Stonefall", "Brightmere", "Pecanshade", "Northquay"),
    ),
    Market(
        "houston", "Houston", "TX", 713, 29.760, -95.370, "Houston",
        ("Bayouwick", "Magnolara", "Saltgrass", "Heronfield", "Cypressmoor", "Gulfarrow", "Tidewillow", "Ferrybank"),
    ),
    Market(
        "san_antonio", "San Antonio", "TX", 210, 29.425, -98.494, "San Antonio",
        ("Agavita", "Limefold", "Mesquara", "Palomera", "Sagecross", "Canterola", "Huisadera", "Roseadobe"),
    ),
    Market(
        "toledo", "Toledo", "OH", 419, 41.653, -83.537, None,
        ("Glasswright", "Maumead", "Lakeharbor", "Buckthorn", "Swanmarsh", "Irongate", "Elmquarter", "Ferryman"),
    ),
)  # fmt: skip
SLUGS = tuple(market.slug for market in MARKETS)
NEIGHBORHOOD_ENDINGS = ("Heights", "Crossing", "Park", "Hollow")
NEIGHBORHOODS_PER_MARKET = len(MARKETS[0].neighborhood_stems) * len(NEIGHBORHOOD_ENDINGS)
# Neighborhoods differ in price by this standard deviation of the logarithm; small beside the 0.68 between houses.
NEIGHBORHOOD_PRICE_SPREAD = 0.15
STREET_STEMS = (
    "Amberwick", "Birchloom", "Candlerow", "Dovetail", "Elderquill", "Fenwater", "Gingerleaf", "Hazelturn", "Inkberry",
    "Jasperfield", "Kestrelway", "Lanternhill", "Mossbridge", "Nettlecombe", "Orchardmere", "Pinwheel", "Quartzline",
    "Rushlight", "Silverthatch", "Thimbleberry", "Umbergrove", "Velvetoak", "Willowmark", "Yarrowstone", "Zephyrdale",
    "Applecask", "Barleymow", "Clovergate", "Driftpine", "Emberfall", "Foxglen", "Greywater", "Honeylocust", "Ivyspring",
    "Jackdaw", "Kingcup", "Larchmere", "Meadowturn", "Northwick", "Oatfield",
)  # fmt: skip
STREET_TYPES = ("Street", "Avenue", "Lane", "Drive", "Court", "Way", "Place", "Trail")
# About 15 km around the middle of the city, the reach of a metropolitan listing service's inner part.
CITY_SPREAD_DEGREES = 0.07


def neighborhoods() -> list[str]:
    """All invented neighborhoods: NEIGHBORHOODS_PER_MARKET of each market, in the order of MARKETS."""
    return [f"{stem} {ending}" for market in MARKETS for stem in market.neighborhood_stems for ending in NEIGHBORHOOD_ENDINGS]


def neighborhood_codes(rng: np.random.Generator, market: Integers) -> Integers:
    """An index into `neighborhoods()` for each market index; some are busier than others."""
    within = np.floor(NEIGHBORHOODS_PER_MARKET * rng.random(len(market)) ** 1.5).astype(np.int64)
    return market * NEIGHBORHOODS_PER_MARKET + within


def neighborhood_price_factors() -> Floats:
    """Price level of each neighborhood relative to its market, fixed for all seeds."""
    rng = np.random.default_rng(1998)
    factors: Floats = np.exp(rng.normal(0, NEIGHBORHOOD_PRICE_SPREAD, len(MARKETS) * NEIGHBORHOODS_PER_MARKET))
    return factors


def coordinates(rng: np.random.Generator, market: Integers, neighborhood: Integers) -> tuple[Floats, Floats]:
    """Latitude and longitude: neighborhoods lie around the middle of the city, homes around their neighborhood."""
    centre = np.array([[one.latitude, one.longitude] for one in MARKETS])[market]
    ring = np.random.default_rng(1993).normal(0, CITY_SPREAD_DEGREES, (len(MARKETS) * NEIGHBORHOODS_PER_MARKET, 2))
    place = centre + ring[neighborhood] + rng.normal(0, CITY_SPREAD_DEGREES / 12, (len(market), 2))
    return np.round(place[:, 0], 5), np.round(place[:, 1], 5)


def addresses(rng: np.random.Generator, market: Integers, has_unit: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> pa.Array:
    """Invented addresses such as '4312 Inkberry Lane, Austin, TX'; those with a unit have ' #12' after the street."""
    rows = len(market)
    number = pa.array(rng.integers(100, 9900, rows)).cast(pa.string())
    unit = join(" #", pa.array(rng.integers(1, 400, rows)).cast(pa.string()))
    unit = pa.compute.if_else(pa.array(has_unit), unit, "")
    city = take([f", {one.name}, {one.state}" for one in MARKETS], market)
    return join(number, " ", pick(rng, STREET_STEMS, rows), " ", pick(rng, STREET_TYPES, rows), unit, city)
