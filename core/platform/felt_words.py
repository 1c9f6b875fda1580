"""FeltWords: how a person names what is asked for, and how many of it: "1 in 12 lead lists"."""

from __future__ import annotations

from fractions import Fraction

# A test holds this against the routes of core.api, and against the queries of queries.sql that read the platform's tables.
ROUTES = {
    "/api/analysis": "analyses of described leads",
    "/api/events": "event batches",
    "/api/leads": "lead lists",
    "/api/leads/{id}": "lead pages",
    "/api/leads/{id}/analysis": "lead analyses",
    "/api/marks": "marks",
    "/api/markets": "market lists",
    "/api/markets/{slug}": "market pages",
    "/api/openapi.json": "descriptions of the API",
    "/api/properties": "property searches",
    "/api/properties/{id}/description": "property descriptions",
}
QUERIES = {
    "lead": "queries of one lead",
    "lead_find": "lead searches",
    "lead_interactions": "queries of a lead's interactions",
    "lead_list": "lead list queries",
    "lead_scoring_model": "scoring model queries",
    "leads_to_prepare": "queries of leads to prepare",
    "market_list": "market list queries",
    "market_names": "queries of market names",
    "market_notes": "queries of market notes",
    "market_prices": "market price queries",
    "market_series": "market series queries",
    "newest_rows": "looks for the newest rows",
    "property": "queries of one property",
    "property_search": "property search queries",
    "property_search_filters": "queries of search filters",
    "recent_counts": "counts of recent rows",
    "warm_popular_markets": "warm run queries of markets",
    "warm_property_searches": "warm run queries of searches",
    "warm_top_leads": "warm run queries of leads",
}
# By rule, where the labels do not say what was asked for.
KINDS = {
    "api_errors": "requests",
    "api_p95": "requests",
    "cache_hit_rate": "cache reads",
    "cache_read_p95": "cache reads",
    "claude_failures": "asks of Claude",
    "claude_hit_rate": "asks of Claude",
    "claude_mean": "asks of Claude",
    "database_p95": "database queries",
}
# What is wrong with them.
FAULTS = {
    "api_errors": "fail",
    "cache_hit_rate": "not in the cache",
    "claude_failures": "fail",
    "claude_hit_rate": "not in the cache",
}
SLOW = "slow"
_SPOKEN = [Fraction(*pair) for pair in ((9, 10), (4, 5), (3, 4), (2, 3), (1, 2), (2, 5), (1, 3))]
ALL_FROM = 0.95
FEW_BELOW = 0.3


def named(rule: str, label: str) -> str:
    """What the samples of a series are, in the plural; a label that no table has is said as it is."""
    if rule.startswith("api"):
        return ROUTES.get(label, f"requests of {label}" if label else KINDS[rule])
    if rule.startswith("database"):
        return QUERIES.get(label, f"{label.replace('_', ' ')} queries" if label else KINDS[rule])
    return KINDS.get(rule, "samples")


def part_of(felt: int, samples: int, what: str) -> str:
    """A share of a number of things: "1 in 12 lead lists", "half of the lead lists", "all lead lists"."""
    share = felt / samples
    if share >= ALL_FROM:
        return f"all {what}"
    if share < FEW_BELOW:
        return f"1 in {round(samples / felt):,} {what}"
    nearest = min(_SPOKEN, key=lambda fraction: abs(float(fraction) - share))
    if nearest == Fraction(1, 2):
        return f"half of the {what}"
    return f"{nearest.numerator} in {nearest.denominator} {what}"
