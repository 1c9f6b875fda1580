"""Properties: the search over active listings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from asyncpg import Record

from core.database.pool import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertySearch:
    """What a listing must be; None asks for nothing. Prices in dollars; `q` as a web search writes it."""

    market: str | None = None
    min_price: float | None = None
    max_price: float | None = None
    property_type: str | None = None
    min_bedrooms: int | None = None
    q: str | None = None


class Properties:
    """Answers which listings fit."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def search(self, wanted: PropertySearch, limit: int = 50) -> Sequence[Record]:
        """Active listings that are all of what is wanted, dearest first."""
        filters = {name: value for name, value in asdict(wanted).items() if value is not None}
        return await self._database.fetch_all("property_search", limit, filters=filters)
