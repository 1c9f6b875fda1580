"""Rows of `properties`: synthetic listings, each shaped like a real house of Lucas County at the price level of its market."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.database.schema import PROPERTY_STATUSES
from core.sample import places
from core.sample.calendars import DAY_SECONDS
from core.sample.columns import dates, flags, instants, optional
from core.sample.descriptions import ListingFacts, descriptions
from core.sample.distributions import Homes
from core.sample.files import Floats, Integers
from core.sample.texts import choose, join, numbers, take

# The order is that of core.sample.descriptions.NOUNS.
TYPES = ("single_family", "condo", "townhouse", "multi_family", "apartment", "land")
SINGLE, CONDO, TOWNHOUSE, MULTI, APARTMENT, LAND = range(len(TYPES))
# Share of each type by the house that the listing is shaped like: below 1,250 square feet, up to three bedrooms, and more.
TYPE_TABLE = np.array(
    [
        [0.56, 0.22, 0.11, 0.00, 0.10, 0.01],
        [0.76, 0.07, 0.13, 0.02, 0.00, 0.02],
        [0.84, 0.00, 0.03, 0.11, 0.00, 0.02],
    ]
)
SMALL_SQUARE_FEET = 1250
# A parcel without a house goes for about this part of the price with it.
LAND_PRICE_PART = 0.3
# Prices of equal houses differ a little, which also breaks the ties that drawing rows again would make.
PRICE_NOISE = 0.04
# Of listings of the last year about 60 % are active: a new one surely, an old one seldom; time until an offer in days.
DAYS_TO_OFFER = 230.0
PENDING_DAYS = 40.0
WITHDRAWN_SHARE = 0.18
IMAGE_COUNTS = (2, 4, 7)


@dataclass(frozen=True, slots=True, eq=False)
class ListingSeeds:
    """What is known of listings before their row is drawn: number, market, its median price in dollars, and arrival."""

    number: Integers
    market: Integers
    median_price: Floats
    arrived: Floats


def listing_rows(rng: np.random.Generator, homes: Homes, seeds: ListingSeeds, end: float) -> pa.RecordBatch:
    """Rows of `properties`, as of `end`."""
    rows = len(seeds.number)
    facts = _facts(rng, homes, seeds)
    status, changed = _statuses(rng, seeds.arrived, end)
    latitude, longitude = places.coordinates(rng, seeds.market, facts.neighborhood)
    has_unit = np.isin(facts.kind, (CONDO, APARTMENT))
    return pa.record_batch(
        {
            "market_id": take(places.SLUGS, seeds.market),
            "address": places.addresses(rng, seeds.market, has_unit),
            "neighborhood": take(places.neighborhoods(), facts.neighborhood),
            "description": descriptions(rng, facts),
            "image_urls": _images(rng, seeds),
            "property_type": take(TYPES, facts.kind),
            "status": take(PROPERTY_STATUSES, status),
            "price": facts.price,
            "bedrooms": optional(facts.bedrooms, facts.is_land),
            "bathrooms": optional(facts.bathrooms, facts.is_land),
            "square_feet": optional(facts.living_area, facts.is_land),
            "lot_square_feet": optional(facts.lot_area, ~facts.has_lot),
            "year_built": optional(facts.year_built, facts.is_land),
            "latitude": latitude,
            "longitude": longitude,
            "listing_date": dates(seeds.arrived),
            "synthetic": flags(True, rows),
            "created_at": instants(seeds.arrived),
            "updated_at": instants(changed),
        }
    )


def _facts(rng: np.random.Generator, homes: Homes, seeds: ListingSeeds) -> ListingFacts:
    house = rng.integers(0, len(homes), len(seeds.number))
    bedrooms, area = homes.bedrooms[house], homes.living_area[house]
    row = np.where(area < SMALL_SQUARE_FEET, 0, np.where(bedrooms <= 3, 1, 2))
    bounds = np.cumsum(TYPE_TABLE, axis=1)[row]
    kind = np.minimum((rng.random((len(house), 1)) >= bounds).sum(axis=1), LAND)
    hood = places.neighborhood_codes(rng, seeds.market)
    is_land = kind == LAND
    price = seeds.median_price * homes.relative_price[house] * places.neighborhood_price_factors()[hood]
    price *= np.exp(rng.normal(0, PRICE_NOISE, len(house))) * np.where(is_land, LAND_PRICE_PART, 1.0)
    year = seeds.arrived.astype("datetime64[s]").astype("datetime64[Y]").astype(np.int64) + 1970
    return ListingFacts(
        kind=kind,
        market=seeds.market,
        neighborhood=hood,
        price=_asked(rng, price),
        bedrooms=bedrooms,
        bathrooms=homes.bathrooms[house],
        living_area=area,
        lot_area=homes.lot_area[house],
        year_built=year - homes.age_years[house],
        stories=homes.stories[house],
        wall=homes.wall[house],
        garage=homes.garage[house],
        is_land=is_land,
        has_lot=~np.isin(kind, (CONDO, APARTMENT)),
    )


def _asked(rng: np.random.Generator, price: Floats) -> Integers:
    """Asking prices: half just below a full thousand, the others at full 500 dollars."""
    below = np.round(price / 1000) * 1000 - 100
    full = np.round(price / 500) * 500
    return np.maximum(np.where(rng.random(len(price)) < 0.5, below, full), 900).astype(np.int64)


def _statuses(rng: np.random.Generator, arrived: Floats, end: float) -> tuple[Integers, Floats]:
    """Index into PROPERTY_STATUSES, and when the listing was last changed: at its offer, else when it was listed."""
    offer = arrived + rng.exponential(DAYS_TO_OFFER * DAY_SECONDS, len(arrived))
    closed = offer + rng.exponential(PENDING_DAYS * DAY_SECONDS, len(arrived))
    withdrawn = rng.random(len(arrived)) < WITHDRAWN_SHARE
    names = {name: PROPERTY_STATUSES.index(name) for name in PROPERTY_STATUSES}
    ended: npt.NDArray[np.int64] = np.where(withdrawn, names["withdrawn"], names["sold"])
    pending = np.where(withdrawn, names["withdrawn"], names["pending"])
    status = np.where(offer > end, names["active"], np.where(closed > end, pending, ended))
    changed = np.where(offer > end, arrived, np.where(closed > end, offer, np.where(withdrawn, offer, closed)))
    return status, changed


def _images(rng: np.random.Generator, seeds: ListingSeeds) -> pa.Array:
    """Arrays in PostgreSQL's notation of relative paths such as /listings/austin/17/1.jpg; no pictures ship."""
    base = join("/listings/", take(places.SLUGS, seeds.market), "/", numbers(seeds.number), "/")
    lists, so_far = [], None
    for number in range(1, max(IMAGE_COUNTS) + 1):
        path = join(base, f"{number}.jpg")
        so_far = path if so_far is None else join(so_far, ",", path)
        if number in IMAGE_COUNTS:
            lists.append(join("{", so_far, "}"))
    return choose(rng, lists, len(seeds.number))
