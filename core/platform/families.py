"""Families: every read of the platform that is cached: its loader, its life and its tags.

Values are the bytes that a route sends. docs/decisions/0011-cached-reads.md has the table and its reasons.
"""

from __future__ import annotations

from urllib.parse import unquote

from core.cache.families import Family
from core.platform.answers import Answers
from core.platform.leads import Leads, LeadSearch
from core.platform.markets import LIST, Markets
from core.platform.properties import Properties, PropertySearch
from core.platform.scoring_models import ScoringModels
from core.platform.tags import LEAD, LEADS, MARKETS, PROPERTIES, lead_tag, market_tag

MARKET_SECONDS = 3600.0  # Figures come monthly, and an import removes them.
LEADS_SECONDS = 60.0  # Interactions move leads all the time; a list may be this old.
LEAD_SECONDS = 120.0  # An interaction removes its lead at once.
SEARCH_SECONDS = 300.0
FILTERS_SECONDS = 900.0
MODEL_SECONDS = 3600.0
ANSWERS_SECONDS = 3600.0


def read_families(
    markets: Markets, leads: Leads, properties: Properties, scoring_models: ScoringModels, answers: Answers
) -> tuple[Family, ...]:
    """The families of the platform's reads."""
    return (
        Family(
            name="market_data", title="Markets", load=markets.body, ttl_seconds=MARKET_SECONDS, priority="high",
            tags=_market_data_tags,
        ),
        Family(name="leads", title="Lead lists", load=leads.list_body, ttl_seconds=LEADS_SECONDS, tags=_leads_tags),
        Family(name="lead", title="Leads", load=leads.body, ttl_seconds=LEAD_SECONDS, tags=_lead_tags),
        Family(
            name="property_search", title="Property searches", load=properties.search_body, ttl_seconds=SEARCH_SECONDS,
            tags=_property_search_tags,
        ),
        Family(
            name="property_search_filters", title="Filters of the property search", load=properties.filters_body,
            ttl_seconds=FILTERS_SECONDS, priority="high", tags=lambda rest: (PROPERTIES, market_tag(unquote(rest))),
        ),
        Family(
            name="lead_scoring_models", title="Lead scoring models", load=scoring_models.body, ttl_seconds=MODEL_SECONDS,
            priority="high", tags=lambda rest: (LEADS, market_tag(unquote(rest))),
        ),
        Family(
            name="ai_response_templates", title="Earlier answers of the AI", load=answers.body, ttl_seconds=ANSWERS_SECONDS,
        ),
    )  # fmt: skip


def _market_data_tags(rest: str) -> tuple[str, ...]:
    return MARKETS, market_tag(None if rest == LIST else unquote(rest))


def _leads_tags(rest: str) -> tuple[str, ...]:
    return LEADS, market_tag(LeadSearch.parse(rest).market)


def _lead_tags(rest: str) -> tuple[str, ...]:
    return LEAD, lead_tag(unquote(rest))


def _property_search_tags(rest: str) -> tuple[str, ...]:
    return PROPERTIES, market_tag(PropertySearch.parse(rest).market)
