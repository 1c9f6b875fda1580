"""Scenarios: the mix of requests that the platform's users make, with parameters that the platform itself answered.

Owns the shares of the routes and the popularity of what is asked. Refuses to guess an id: markets, leads, types and places are
read from the lists before the load starts, and a route that has nothing to ask for is left out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from core.errors import LoadError
from core.load.plan import Address
from core.load.schedule import power_law

# No trace of such a platform is public, so the shares are ours: agents look at lists and open what stands on top.
SHARES = {
    "GET /api/markets": 0.10,
    "GET /api/markets/{slug}": 0.15,
    "GET /api/leads": 0.25,
    "GET /api/leads/{id}": 0.25,
    "GET /api/properties": 0.25,
    "POST /api/events": 0.05,
}
LEADS_LEARNED = 200  # A market; the most that a list gives is 500, and the power law asks for few of those behind.
LISTINGS_LEARNED = 50
Item = dict[str, Any]


class GetItems(Protocol):
    """Asks one list of the platform, outside of the measurement."""

    async def __call__(self, path: str) -> Sequence[Item]:
        """The items of the list; raises an error of core."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """One request that may be made: its route, the bytes to send, and how often in relation to the others."""

    route: str
    raw: bytes
    weight: float


@dataclass(frozen=True, slots=True)
class Market:
    """What one market's lists told: ids of leads, best first, and what its listings are."""

    slug: str
    leads: tuple[str, ...]
    types: tuple[str, ...]
    places: tuple[str, ...]
    middle_price: int


async def learn(get_items: GetItems) -> tuple[Market, ...]:
    """Read what there is to ask for, the most popular market first; raises LoadError when there is no market."""
    markets = await get_items("/api/markets")
    if not markets:
        raise LoadError("The platform has no markets, so there is nothing to ask for.", "Load the sample data, or import some.")
    learned = [await _learn_market(str(item.get("slug") or item["id"]), get_items) for item in markets]
    return tuple(sorted(learned, key=lambda market: -len(market.leads)))


async def _learn_market(slug: str, get_items: GetItems) -> Market:
    leads = await get_items(f"/api/leads?{urlencode({'market': slug, 'limit': LEADS_LEARNED})}")
    listings = await get_items(f"/api/properties?{urlencode({'market': slug, 'limit': LISTINGS_LEARNED})}")
    prices = sorted(float(item["price"]) for item in listings if item.get("price") is not None)
    return Market(
        slug=slug,
        leads=tuple(str(item["id"]) for item in leads),
        types=_common(item.get("property_type") for item in listings),
        places=_common(item.get("neighborhood") for item in listings),
        middle_price=int(prices[len(prices) // 2]) if prices else 0,
    )


def requests(markets: Sequence[Market], address: Address, *, events: bool) -> tuple[Request, ...]:
    """Every request of the mix with its weight; the weights of a route sum to its share."""
    popularity = dict(zip((market.slug for market in markets), power_law(len(markets)), strict=True))
    found: dict[str, list[tuple[str, str, float]]] = {
        "GET /api/markets": [("/api/markets", "", 1.0)],
        "GET /api/markets/{slug}": [(f"/api/markets/{quote(m.slug, safe='')}", "", popularity[m.slug]) for m in markets],
        "GET /api/leads": list(chain.from_iterable(_lead_lists(m, popularity[m.slug]) for m in markets)),
        "GET /api/leads/{id}": list(chain.from_iterable(_leads(m, popularity[m.slug]) for m in markets)),
        "GET /api/properties": list(chain.from_iterable(_searches(m, popularity[m.slug]) for m in markets)),
        "POST /api/events": [("/api/events", _event(m), popularity[m.slug]) for m in markets] if events else [],
    }
    made = []
    for route, asked in found.items():
        total = sum(weight for _, _, weight in asked)
        for path, body, weight in asked:
            raw = _raw(route.partition(" ")[0], address, path, body)
            made.append(Request(route, raw, SHARES[route] * weight / total))
    return tuple(made)


def _lead_lists(market: Market, weight: float) -> Iterator[tuple[str, str, float]]:
    filters: tuple[Item, ...] = ({}, {"min_score": 70}, {"status": "hot"}, {"min_score": 80, "limit": 20})
    for more, share in zip(filters, power_law(len(filters)), strict=True):
        yield f"/api/leads?{urlencode({'market': market.slug, **more})}", "", weight * share


def _leads(market: Market, weight: float) -> Iterator[tuple[str, str, float]]:
    for lead_id, share in zip(market.leads, power_law(len(market.leads)), strict=True):
        yield f"/api/leads/{quote(lead_id, safe='')}", "", weight * share


def _searches(market: Market, weight: float) -> Iterator[tuple[str, str, float]]:
    """With the market and a filter, with text, and now and then over all markets."""
    here = {"market": market.slug}
    asked: list[Item] = [here]
    asked += [{**here, "max_price": market.middle_price}] if market.middle_price else []
    asked += [{**here, "property_type": kind, "min_bedrooms": 3} for kind in market.types[:2]]
    asked += [{**here, "q": place} for place in market.places[:3]]
    asked += [{"property_type": kind, "min_price": market.middle_price} for kind in market.types[:1]]
    asked += [{"q": place} for place in market.places[:1]]
    for more, share in zip(asked, power_law(len(asked)), strict=True):
        yield f"/api/properties?{urlencode(more)}", "", weight * share


def _event(market: Market) -> str:
    event = {"event_type": "search", "market": market.slug, "user_id": "load", "properties": {"source": "core load"}}
    return json.dumps({"events": [event]})


def _raw(method: str, address: Address, path: str, body: str) -> bytes:
    """The bytes of one request; no Accept-Encoding, so that answers are read as they are."""
    head = f"{method} {address.prefix}{path} HTTP/1.1\r\nHost: {address.name}\r\nUser-Agent: core-load\r\n"
    content = body.encode()
    if content:
        head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    return f"{head}Accept: application/json\r\n\r\n".encode("ascii") + content


def plain_get(address: Address, path: str) -> bytes:
    """The bytes of a GET outside of the mix."""
    return _raw("GET", address, path, "")


def _common(words: Iterable[object]) -> tuple[str, ...]:
    """The words that occur, the most frequent first; equal ones in the order of the alphabet."""
    counts = Counter(str(word) for word in words if word)
    return tuple(word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])))
