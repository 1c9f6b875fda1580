"""Properties: the search over active listings, and what there is to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar
from urllib.parse import unquote

from asyncpg import Record

from core.cache.entry import ABSENT, Absent
from core.database.pool import Database
from core.database.schema import PROPERTY_TYPES
from core.platform.bodies import json_body
from core.platform.search import SLUG_MOST_CHARACTERS, WORDS_MOST_CHARACTERS, Search, check, check_text, quoted

MOST_PROPERTIES = 200
MOST_BEDROOMS = 100
MOST_PRICE = 1e10  # numeric(12, 2) of the schema


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertySearch(Search):
    """What a listing must be; None asks for nothing. Prices in dollars; `q` as a web search writes it."""

    family: ClassVar[str] = "property_search"
    market: str | None = None
    min_price: float | None = None
    max_price: float | None = None
    property_type: str | None = None
    min_bedrooms: int | None = None
    q: str | None = None
    limit: int = 50

    def __post_init__(self) -> None:
        check_text("market", self.market, SLUG_MOST_CHARACTERS)
        check_text("q", self.q, WORDS_MOST_CHARACTERS)
        for name, price in (("min_price", self.min_price), ("max_price", self.max_price)):
            check(name, price is None or 0 <= price <= MOST_PRICE, f"is between 0 and {MOST_PRICE:,.0f}")
        check("property_type", self.property_type in (None, *PROPERTY_TYPES), f"is one of {', '.join(PROPERTY_TYPES)}")
        check("min_bedrooms", self.min_bedrooms is None or 0 <= self.min_bedrooms <= MOST_BEDROOMS, "is between 0 and 100")
        check("limit", 1 <= self.limit <= MOST_PROPERTIES, f"is between 1 and {MOST_PROPERTIES}")


def filters_key(market: str) -> str:
    """The cache key of what one market's search form offers."""
    return f"property_search_filters:{quoted(market)}"


class Properties:
    """Answers which listings fit."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def search(self, wanted: PropertySearch) -> Sequence[Record]:
        """Active listings that are all of what is wanted, dearest first."""
        filters = {name: value for name, value in asdict(wanted).items() if value is not None and name != "limit"}
        return await self._database.fetch_all("property_search", wanted.limit, filters=filters)

    async def filters(self, market: str) -> Record | None:
        """One market's active listings by type and bedrooms, and their prices; None when there is no such market."""
        return await self._database.fetch_one("property_search_filters", market)

    async def search_body(self, rest: str) -> bytes:
        """Loads `property_search:<search>`; raises UsageError for another form of the search."""
        return json_body({"items": await self.search(PropertySearch.parse(rest))})

    async def filters_body(self, rest: str) -> bytes | Absent:
        """Loads `property_search_filters:<market>`."""
        found = await self.filters(unquote(rest))
        return ABSENT if found is None else json_body(found)
