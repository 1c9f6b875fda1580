"""The performance guide's lead list and property search, and those of its index statements that PostgreSQL takes: the peer.

Its list is of one market, of the three open statuses and of scores from 50; here each is what the search at hand says, in the
guide's own form. Six more of its twelve statements are refused (docs/decisions/0013-indexes.md).
"""

from __future__ import annotations

from core.platform.leads import OPEN_STATUSES, LeadSearch
from core.platform.properties import PropertySearch

INDEXES = {
    "idx_leads_scoring_composite": "leads (market_id, status, score DESC, created_at DESC, budget_range)"
    " WHERE status IN ('active', 'nurturing', 'hot')",
    "idx_lead_interactions_ai_analysis": "lead_interactions (lead_id, interaction_type, created_at DESC)"
    " WHERE interaction_type IN ('email_open', 'link_click', 'form_submit', 'call_answered')",
    "idx_hot_leads_priority": "leads (score DESC, last_interaction_at DESC) WHERE status = 'hot' AND score >= 80",
    "idx_premium_properties_search": "properties (price DESC, market_id, property_type)"
    " WHERE price >= 500000 AND status = 'active'",
    "idx_properties_market_id_performance": "properties (market_id) WHERE status = 'active'",
    "idx_properties_fulltext_search": "properties USING gin (to_tsvector('english',"
    " coalesce(description, '') || ' ' || coalesce(address, '') || ' ' || coalesce(neighborhood, '')))",
}

LEAD_LIST = """
SELECT l.id, l.score, l.budget_range, l.property_preferences, l.last_interaction_at, l.created_at,
    count(li.id) AS interaction_count,
    avg(CASE WHEN li.interaction_type = 'email_open' THEN 1 ELSE 0 END) AS email_engagement
FROM leads l
LEFT JOIN lead_interactions li ON l.id = li.lead_id AND li.created_at > now() - interval '30 days'
WHERE {market} l.status IN ({statuses}) AND l.score >= {min_score}
GROUP BY l.id, l.score, l.budget_range, l.property_preferences, l.last_interaction_at, l.created_at
ORDER BY l.score DESC, l.last_interaction_at DESC
LIMIT $1
"""
PROPERTY_SEARCH = """
SELECT p.id, p.address, p.price, p.bedrooms, p.bathrooms, p.property_type, p.square_feet, p.market_id, p.description,
    p.image_urls, p.listing_date, m.market_name, m.avg_price AS market_avg_price
FROM properties p
JOIN markets m ON p.market_id = m.id
WHERE p.status = 'active'{conditions}
ORDER BY p.price DESC
LIMIT ${last}
"""
CONDITIONS = {
    "market": "p.market_id = ", "min_price": "p.price >= ", "max_price": "p.price <= ",
    "property_type": "p.property_type = ", "min_bedrooms": "p.bedrooms >= ",
}  # fmt: skip


def lead_list(wanted: LeadSearch) -> tuple[str, list[object]]:
    """The guide's statement and its arguments."""
    statuses = [wanted.status] if wanted.status else OPEN_STATUSES
    market, args = ("l.market_id = $2 AND", [wanted.market]) if wanted.market else ("", [])
    text = LEAD_LIST.format(market=market, statuses=", ".join(f"'{status}'" for status in statuses), min_score=wanted.min_score)
    return text, [wanted.limit, *args]


def property_search(wanted: PropertySearch) -> tuple[str, list[object]]:
    """The guide's statement, put together as it does, and its arguments."""
    asked = {name: getattr(wanted, name) for name in CONDITIONS if getattr(wanted, name)}
    conditions = "".join(f" AND {CONDITIONS[name]}${place}" for place, name in enumerate(asked, start=1))
    text = PROPERTY_SEARCH.format(conditions=conditions, last=len(asked) + 1)
    return text, [*asked.values(), wanted.limit]
