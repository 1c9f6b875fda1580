"""The mix of requests: what is asked was learned from the lists, popular things more often."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from core.errors import LoadError
from core.load.plan import Address
from core.load.scenarios import SHARES, Market, Request, learn, requests

HERE = Address("http", "127.0.0.1", 8501, "/base")
LISTINGS = [
    {"id": 1, "property_type": "condo", "neighborhood": "Oak & Vine", "price": 100.0},
    {"id": 2, "property_type": "condo", "neighborhood": None, "price": None},
    {"id": 3, "property_type": "townhouse", "neighborhood": "Elm", "price": 300.0},
]


async def _lists(path: str) -> Sequence[dict[str, Any]]:
    """A platform of two markets; the second has no leads and no listings."""
    if path == "/api/markets":
        return [{"id": "void", "name": "Void"}, {"id": "austin", "name": "Austin"}]
    if "market=void" in path:
        return []
    return LISTINGS if path.startswith("/api/properties") else [{"id": 7}, {"id": "b/9"}]


def _paths(made: Sequence[Request], route: str) -> list[str]:
    return [request.raw.split(b" ")[1].decode() for request in made if request.route == route]


async def test_ids_are_learned() -> None:
    """Leads in the order of the list, types and places by frequency, a price from the middle; the market with leads first."""
    austin, void = await learn(_lists)

    assert austin == Market("austin", ("7", "b/9"), ("condo", "townhouse"), ("Elm", "Oak & Vine"), 300)
    assert void == Market("void", (), (), (), 0)


async def test_requests_of_each_route() -> None:
    """Every route of the mix, its parameters quoted, under the prefix of the base URL; the shares are the route's."""
    made = requests(await learn(_lists), HERE, events=True)

    assert _paths(made, "GET /api/leads/{id}") == ["/base/api/leads/7", "/base/api/leads/b%2F9"]
    assert "/base/api/properties?market=austin&q=Oak+%26+Vine" in _paths(made, "GET /api/properties")
    assert "/base/api/leads?market=austin&status=hot" in _paths(made, "GET /api/leads")
    for route, share in SHARES.items():
        assert sum(request.weight for request in made if request.route == route) == pytest.approx(share)


async def test_popular_things_repeat() -> None:
    """The first lead is asked twice as often as the second."""
    made = [request for request in requests(await learn(_lists), HERE, events=False) if request.route == "GET /api/leads/{id}"]

    assert made[0].weight == pytest.approx(2 * made[1].weight)


async def test_same_platform_same_requests() -> None:
    """Nothing is drawn before the schedule."""
    assert requests(await learn(_lists), HERE, events=True) == requests(await learn(_lists), HERE, events=True)


async def test_events_only_when_asked_for() -> None:
    """A load writes nothing by itself."""
    made = requests(await learn(_lists), HERE, events=False)

    assert all(request.raw.startswith(b"GET ") for request in made)


async def test_a_route_without_anything_to_ask_is_left_out() -> None:
    """No leads: no guessed id."""
    made = requests([Market("void", (), (), (), 0)], HERE, events=False)

    assert _paths(made, "GET /api/leads/{id}") == []
    assert _paths(made, "GET /api/properties") == ["/base/api/properties?market=void"]


async def test_a_platform_without_markets_cannot_be_loaded() -> None:
    """The error says what to do."""

    async def nothing(_path: str) -> Sequence[dict[str, Any]]:
        return []

    with pytest.raises(LoadError, match="no markets"):
        await learn(nothing)


def test_a_body_has_its_length() -> None:
    """The POST is one complete HTTP request."""
    (post,) = [r for r in requests([Market("a", (), (), (), 0)], HERE, events=True) if r.raw.startswith(b"POST ")]
    head, _, body = post.raw.partition(b"\r\n\r\n")

    assert f"Content-Length: {len(body)}".encode() in head
    assert b"Host: 127.0.0.1:8501" in head
