"""Scoring models: what a rule needs of one market's own leads: their budgets, activity and share of hot ones."""

from __future__ import annotations

from urllib.parse import unquote

from asyncpg import Record

from core.cache.entry import ABSENT, Absent
from core.database.pool import Database
from core.platform.bodies import json_body
from core.platform.search import quoted


def scoring_model_key(market: str) -> str:
    """The cache key of one market's scoring model."""
    return f"lead_scoring_models:{quoted(market)}"


class ScoringModels:
    """Measures the leads of a market."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, market: str) -> Record | None:
        """One market's model; percentiles are the 25th, 50th, 75th and 90th; None when there is no such market."""
        return await self._database.fetch_one("lead_scoring_model", market)

    async def body(self, rest: str) -> bytes | Absent:
        """Loads `lead_scoring_models:<market>`."""
        found = await self.get(unquote(rest))
        return ABSENT if found is None else json_body(found)
