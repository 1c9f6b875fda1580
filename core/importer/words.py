"""Words: what other systems call our statuses and types.

Owns the alias tables; every word of the schema stands for itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from core.database.schema import INTERACTION_TYPES, LEAD_STATUSES, MARKET_DATA_TYPES, PROPERTY_STATUSES, PROPERTY_TYPES

_ALIASES = {
    LEAD_STATUSES: {
        "new": "open created fresh",
        "active": "contacted working in_progress engaged",
        "nurturing": "nurture warm follow_up",
        "qualified": "sql mql",
        "won": "closed_won converted customer sold",
        "lost": "closed_lost dead closed disqualified",
        "unsubscribed": "unsubscribe unsub opted_out do_not_contact",
    },
    INTERACTION_TYPES: {
        "email_open": "email_opened open opened",
        "link_click": "click clicked email_click",
        "form_submit": "form form_submitted form_submission",
        "call_answered": "call phone_call call_connected",
        "email_sent": "email sent",
        "call_missed": "missed_call no_answer voicemail",
        "page_view": "pageview view visit page_visit",
        "showing_booked": "showing tour viewing tour_booked appointment",
    },
    PROPERTY_TYPES: {
        "single_family": "single_family_home single_family_residence single_family_residential sfh sfr house detached home",
        "condo": "condominium",
        "townhouse": "townhome town_house row_house",
        "multi_family": "multifamily duplex triplex fourplex",
        "apartment": "apt flat unit",
        "land": "lot vacant_land lots_land",
    },
    PROPERTY_STATUSES: {
        "active": "for_sale new available listed coming_soon",
        "pending": "under_contract contingent in_escrow",
        "sold": "closed",
        "withdrawn": "expired canceled cancelled off_market removed",
    },
    MARKET_DATA_TYPES: {
        "sales": "homes_sold closed_sales",
        "volume": "dollar_volume sales_volume",
        "median_price": "median median_sale_price",
        "listings": "active_listings",
        "inventory_months": "inventory months_of_inventory months_of_supply",
    },
}


def plain(text: str) -> str:
    """A name or word with only small letters, digits and single underscores."""
    return re.sub(r"[\W_]+", "_", text.strip().lower()).strip("_")


def aliases(words: tuple[str, ...]) -> Mapping[str, str]:
    """Every spelling, as `plain` makes it, and the word of the schema that it stands for."""
    known = {alias: word for word, others in _ALIASES.get(words, {}).items() for alias in others.split()}
    return MappingProxyType(known | {word: word for word in words})
