"""Tags: the words under which cached answers are removed together.

Each answer has two: its noun, and its market, its lead or `every_market`. So a change of one market leaves the others warm.
"""

from __future__ import annotations

from uuid import UUID

MARKETS = "markets"
LEADS = "leads"
LEAD = "lead"
PROPERTIES = "properties"
EVERY_MARKET = "every_market"  # Of answers that are not of one market.


def market_tag(market: str | None) -> str:
    """The tag of what depends on one market; None: on any of them."""
    return EVERY_MARKET if market is None else f"market:{market}"


def lead_tag(lead_id: str) -> str:
    """The tag of one lead; the same for every way to write its number or UUID, which PostgreSQL takes for the same."""
    if lead_id.isascii() and lead_id.removeprefix("-").isdigit():
        return f"lead:{int(lead_id[:100])}"
    try:
        return f"lead:{UUID(lead_id)}"
    except ValueError:
        return f"lead:{lead_id}"
