"""Search: one key for each search, and back; nothing but that key is taken."""

from __future__ import annotations

import random

import pytest

from core.database.schema import PROPERTY_TYPES
from core.errors import UsageError
from core.platform.leads import OPEN_STATUSES, LeadSearch
from core.platform.properties import MOST_PRICE, PropertySearch
from core.platform.search import Search

TEXTS = ("", "austin", "None", "none", "null", "a=b&c=d", "100%", "%61", "ü 🏠", "a+b", " ", "x" * 60, "list", "market=1", "\n")
PRICES = (0, 0.0, 0.5, 300_000, 300_000.0, 1e-9, 123_456.789, 0.1 + 0.2, MOST_PRICE)


def _lead_search(draw: random.Random) -> LeadSearch:
    return LeadSearch(
        market=draw.choice((None, *TEXTS)),
        status=draw.choice((None, *OPEN_STATUSES)),
        min_score=draw.randint(0, 100),
        limit=draw.randint(1, 500),
    )


def _property_search(draw: random.Random) -> PropertySearch:
    words = "".join(chr(draw.choice((draw.randint(1, 0x7F), draw.randint(0x80, 0xD7FF), 0x1F3E0))) for _ in range(20))
    return PropertySearch(
        market=draw.choice((None, *TEXTS)),
        min_price=draw.choice((None, *PRICES, draw.uniform(0, MOST_PRICE))),
        max_price=draw.choice((None, *PRICES, draw.uniform(0, MOST_PRICE))),
        property_type=draw.choice((None, *PROPERTY_TYPES)),
        min_bedrooms=draw.choice((None, 0, 3, 100)),
        q=draw.choice((None, *TEXTS, words)),
        limit=draw.randint(1, 200),
    )


def test_every_search_comes_back_from_its_key() -> None:
    """Of 4,000 random searches: equal ones have equal keys, different ones different keys, and a key gives its search."""
    draw = random.Random(3)
    searches: list[Search] = [make(draw) for make in (_lead_search, _property_search) for _ in range(2_000)]

    by_key: dict[str, Search] = {}
    for search in searches:
        assert type(search).parse(search.rest) == search
        assert by_key.setdefault(search.key, search) == search
    assert len(by_key) == len(set(searches))


def test_a_key_is_in_order_and_complete() -> None:
    """Defaults are filled in, names are in order, whole numbers have no fraction, and what asks for nothing is left out."""
    assert LeadSearch(market="austin").key == "leads:limit=100&market=austin&min_score=50"
    assert LeadSearch(market="austin").key == LeadSearch(limit=100, min_score=50, market="austin").key
    assert PropertySearch(min_price=300_000).key == PropertySearch(min_price=300_000.0).key
    assert PropertySearch(min_price=300_000.0, q="pool").key == "property_search:limit=50&min_price=300000&q=pool"


def test_nothing_and_an_empty_text_are_two_searches() -> None:
    """No words find every listing, empty ones find none."""
    assert PropertySearch(q=None).key != PropertySearch(q="").key
    assert LeadSearch(market=None).key != LeadSearch(market="").key
    assert PropertySearch(min_price=None).key != PropertySearch(min_price=0).key


def test_a_key_is_short() -> None:
    """The longest search has a key of a few kilobytes."""
    longest = PropertySearch(market="🏠" * 64, q="🏠" * 200, min_price=0.1 + 0.2, max_price=MOST_PRICE, min_bedrooms=100)

    assert len(longest.key) < 4_000


@pytest.mark.parametrize(
    "rest",
    [
        "", "limit=100", "min_score=50", "min_score=50&limit=100", "limit=100&min_score=50&", "limit=100&min_score=50&x=1",
        "limit=0100&min_score=50", "limit=100.0&min_score=50", "limit=%31&min_score=50", "limit=501&min_score=50",
        "limit=100&min_score=101", "limit=100&market=a%00b&min_score=50", f"limit=100&market={'x' * 65}&min_score=50",
        "limit=100&min_score=50&status=won", "limit=100&market=%FF&min_score=50", "limit=100&limit=100&min_score=50",
        "limit=100&market=ü&min_score=50", "limit=1_00&min_score=50",
    ],
)  # fmt: skip
def test_any_other_form_is_refused(rest: str) -> None:
    """A second key for the same answer would be loaded twice and invalidated by chance; the error tells the one form."""
    with pytest.raises(UsageError) as refused:
        LeadSearch.parse(rest)

    assert refused.value.next_step


@pytest.mark.parametrize("price", ["nan", "inf", "-1", "1e11", "1e400", "-0.0", "0.0", "1e3"])
def test_a_price_is_a_number_within_bounds(price: str) -> None:
    """Neither what is no number nor another notation of one."""
    with pytest.raises(UsageError):
        PropertySearch.parse(f"limit=50&min_price={price}")
