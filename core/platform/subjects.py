"""Subjects: a lead and its market as they are judged, read through the cache.

Owns what is read for one judgement: the lead's own answer, and the few figures of its market. Both are kept until something
changes them, so that judging a lead again costs no query.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import unquote

import orjson

from core.cache.entry import ABSENT, Absent
from core.cache.families import Family
from core.cache.tiered import TieredCache
from core.platform.lead_facts import LeadFacts
from core.platform.leads import lead_key
from core.platform.market_facts import MarketFacts
from core.platform.markets import Markets
from core.platform.scoring_models import ScoringModels
from core.platform.search import quoted
from core.platform.tags import LEADS, MARKETS, market_tag

MARKET_FACTS_SECONDS = 3600.0  # Figures come monthly, and an import removes them; leads move their percentiles slowly.


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One lead to be judged; `lead` is its row as JSON with its interactions, empty for one that was only described.

    `age_seconds` is that of the row; `stale`: it is an old one, since a new one could not be read.
    """

    facts: LeadFacts
    market: MarketFacts | None
    lead: Mapping[str, Any]
    age_seconds: float = 0.0
    stale: bool = False

    @property
    def lead_id(self) -> str | None:
        """The id of a stored lead."""
        return None if "id" not in self.lead else str(self.lead["id"])


def market_facts_key(slug: str) -> str:
    """The cache key of one market's facts."""
    return f"market_facts:{quoted(slug)}"


class Subjects:
    """Finds leads and their markets."""

    def __init__(
        self, cache: TieredCache, markets: Markets, scoring_models: ScoringModels, *, now: Callable[[], datetime] = _utc_now
    ) -> None:
        self._cache = cache
        self._markets = markets
        self._scoring_models = scoring_models
        self._now = now

    def family(self) -> Family:
        """The read that is cached here."""
        return Family(
            name="market_facts", title="Facts of markets", load=self._load_market, ttl_seconds=MARKET_FACTS_SECONDS,
            priority="high", tags=lambda rest: (MARKETS, LEADS, market_tag(unquote(rest))),
        )  # fmt: skip

    async def stored(self, lead_id: str) -> Subject | None:
        """A lead of the platform by its id; None when there is none."""
        read = await self._cache.fetch_read(lead_key(lead_id))
        if read.value is None or read.value is ABSENT:
            return None
        lead = orjson.loads(read.value)
        facts = LeadFacts.from_lead(lead, lead["interactions"], now=self._now())
        market = await self.market(facts.market)
        return Subject(facts=facts, market=market, lead=lead, age_seconds=read.age_seconds, stale=read.outcome == "stale")

    async def described(self, facts: LeadFacts) -> Subject:
        """A lead of which only these facts are given; a market that is not known is left out and said to be ignored."""
        market = await self.market(facts.market)
        if facts.market is not None and market is None:
            facts = replace(facts, market=None, ignored=(*facts.ignored, f"market {facts.market[:60]!r}, which is not known"))
        return Subject(facts=facts, market=market, lead={})

    async def market(self, slug: str | None) -> MarketFacts | None:
        """The facts of one market; None where there is no such market."""
        if not slug:
            return None
        found: Mapping[str, Any] | None = await self._cache.fetch(market_facts_key(slug))
        return _market_facts(found) if found is not None else None

    async def _load_market(self, rest: str) -> Mapping[str, Any] | Absent:
        slug = unquote(rest)
        detail = await self._markets.get(slug)
        if detail is None:
            return ABSENT
        model = await self._scoring_models.get(slug)
        facts = asdict(MarketFacts.of(detail, None if model is None else dict(model)))
        return {name: _json_value(value) for name, value in facts.items()}


def _json_value(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def _market_facts(found: Mapping[str, Any]) -> MarketFacts:
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
    month = given.pop("month")
    return MarketFacts(month=date.fromisoformat(month) if month else None, **given)
