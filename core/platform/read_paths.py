"""Read paths: which cache key a path of the API reads, for plans and access logs.

Owns the same defaults and bounds as the routes. Refuses what is no cached read.
"""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from core.errors import UsageError
from core.platform.leads import LeadSearch, lead_key
from core.platform.markets import MARKET_LIST_KEY, market_key
from core.platform.properties import PropertySearch
from core.platform.search import Search

_ONE = re.compile(r"/api/(markets|leads)/([^/]+)")
_LISTS: dict[str, type[Search]] = {"/api/leads": LeadSearch, "/api/properties": PropertySearch}


def key_of_path(path: str) -> str:
    """The key that a GET of this path and query reads; raises UsageError when it reads none."""
    parts = urlsplit(path)
    if parts.path == "/api/markets":
        return MARKET_LIST_KEY
    if search := _LISTS.get(parts.path):
        return _search_of(search, parts.query).key
    if one := _ONE.fullmatch(parts.path):
        name = unquote(one[2])
        return market_key(name) if one[1] == "markets" else lead_key(name)
    raise UsageError(f"{path[:80]!r} is no path whose answer is cached.", "Paths: /api/markets, /api/leads, /api/properties.")


def _search_of(search: type[Search], query: str) -> Search:
    """The search that a query string asks for; unknown parameters and empty ones are left out."""
    types = {item.name: str(item.type) for item in fields(search)}
    given: dict[str, Any] = {}
    try:
        for name, text in parse_qsl(query, errors="strict"):
            if name in types:
                given[name] = float(text) if "float" in types[name] else int(text) if "int" in types[name] else text
        return search(**given)
    except ValueError as error:
        raise UsageError(f"{query[:80]!r} has a parameter that cannot be read.", "Correct the path.") from error
