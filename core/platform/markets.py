"""Markets: the markets with their latest figures, and one market's series."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import unquote

from asyncpg import Record

from core.cache.entry import ABSENT, Absent
from core.database.pool import Database
from core.platform.bodies import json_body
from core.platform.search import quoted

LIST = "list"
MARKET_LIST_KEY = f"market_data:{LIST}"


@dataclass(frozen=True, slots=True)
class MarketDetail:
    """One market and its monthly figures by kind: sales, volume, median_price, listings, inventory_months."""

    market: Record
    series: Mapping[str, Sequence[tuple[date, float]]]


def market_key(slug: str) -> str:
    """The cache key of one market; one that is called `list` is written otherwise than the list of all."""
    return f"market_data:{'%6Cist' if slug == LIST else quoted(slug)}"


class Markets:
    """Answers what the markets' figures are."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self) -> Sequence[Record]:
        """Every market with its latest figure of each kind."""
        return await self._database.fetch_all("market_list", filters={})

    async def get(self, slug: str) -> MarketDetail | None:
        """One market with all its figures; None when there is no such market."""
        found = await self._database.fetch_all("market_list", filters={"market": slug})
        if not found:
            return None
        rows = await self._database.fetch_all("market_series", slug)
        groups = itertools.groupby(rows, key=lambda row: str(row["data_type"]))
        return MarketDetail(found[0], {kind: [(row["date"], row["value"]) for row in group] for kind, group in groups})

    async def body(self, rest: str) -> bytes | Absent:
        """Loads `market_data:list` and `market_data:<slug>`."""
        if rest == LIST:
            return json_body({"items": await self.list()})
        found = await self.get(unquote(rest))
        if found is None:
            return ABSENT
        series = {kind: [{"date": day, "value": value} for day, value in points] for kind, points in found.series.items()}
        return json_body({**dict(found.market), "series": series})
