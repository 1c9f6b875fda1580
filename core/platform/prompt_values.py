"""Prompt values: what prompts say of listings and markets, each value as one line of JSON.

JSON is the fence: no quotation mark, line break or tag that somebody typed can end the value that it stands in.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import orjson

from core.platform.market_facts import MarketFacts

LISTING_VARIABLES = (
    "address", "neighborhood", "property_type", "price", "bedrooms", "bathrooms", "square_feet", "year_built", "description",
)  # fmt: skip
TEXT_MOST_CHARACTERS = 2_000  # Of one value: a seller's notes; the rest is left away, which is written at its end.
CUT = " [cut here]"


def listing_variables(listing: Mapping[str, Any]) -> Mapping[str, str]:
    """The variables of `property_description`; null where the listing does not say."""
    return MappingProxyType({name: fenced(listing.get(name)) for name in LISTING_VARIABLES})


def market_variables(market: MarketFacts) -> Mapping[str, str]:
    """The variables of `market_analysis`."""
    return MappingProxyType({"market": fenced(market.name), "figures": fenced(list(market.lines()))})


def fenced(value: Any) -> str:
    """A value as JSON on one line, `<` and `>` escaped, so that it can hold no tag either."""
    if isinstance(value, str) and len(value) > TEXT_MOST_CHARACTERS:
        value = value[:TEXT_MOST_CHARACTERS] + CUT
    text = orjson.dumps(_sound(value), default=_plain).decode()
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _sound(value: Any) -> Any:
    """Texts without halves of a surrogate pair, which JSON cannot hold; whole floats as whole numbers."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Decimal):
        value = float(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _plain(value: Any) -> str:
    return str(value)
