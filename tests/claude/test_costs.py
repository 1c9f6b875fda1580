"""Costs: each bucket at its own price, and a bound that no attempt exceeds."""

from __future__ import annotations

import pytest

from core.claude.costs import STAND_IN, Prices
from core.claude.messages import MessageRequest, Turn, Usage

PRICES = Prices()
MILLION = 1_000_000


def _request(model: str, text: str = "", max_tokens: int = 100) -> MessageRequest:
    return MessageRequest(model=model, turns=(Turn("user", text),), max_tokens=max_tokens)


def test_a_lead_analysis_costs_what_its_buckets_cost() -> None:
    """The buckets of input are disjoint, and thinking is a part of the output, not beside it."""
    assert PRICES.cost_usd("claude-haiku-5-5", Usage(input_tokens=400, output_tokens=150)) == pytest.approx(0.000115)
    usage = Usage(
        input_tokens=MILLION // 100, cache_read_tokens=MILLION // 50, cache_write_5m_tokens=MILLION // 100,
        cache_write_1h_tokens=MILLION // 100, output_tokens=MILLION // 10, thinking_tokens=MILLION // 20,
    )  # fmt: skip
    dollars = 0.01 * 0.10 + 0.02 * 0.01 + 0.01 * 0.125 + 0.01 * 0.20 + 0.1 * 0.50
    assert PRICES.cost_usd("claude-haiku-5-5", usage) == pytest.approx(dollars)
    assert PRICES.cost_usd("claude-haiku-5-5", usage, batch=True) == pytest.approx(dollars / 2)


def test_a_long_prompt_costs_five_times_as_much() -> None:
    """Above 100,000 tokens of prompt, whichever buckets they are in, the whole request is dearer."""
    short, long = Usage(input_tokens=100_000), Usage(input_tokens=50_000, cache_read_tokens=50_001)
    assert PRICES.cost_usd("claude-haiku-5-5", short) == pytest.approx(0.01)
    assert PRICES.cost_usd("claude-haiku-5-5", long) == pytest.approx(5 * (0.005 + 0.00050001))
    assert PRICES.cost_usd("claude-sonnet-5-5", Usage(input_tokens=200_000)) == pytest.approx(0.4)


def test_an_unknown_price_is_no_price() -> None:
    """A model or a bucket without a price has no cost; a dated name of a known model has its price."""
    assert PRICES.cost_usd("claude-mythos-5-2", Usage(input_tokens=1)) is None
    assert PRICES.cost_usd(STAND_IN, Usage(input_tokens=1)) is None
    assert PRICES.cost_usd("claude-opus-5-5", Usage(input_tokens=MILLION)) == pytest.approx(4)
    assert PRICES.cost_usd("claude-opus-5-5", Usage(cache_read_tokens=1)) is None
    assert PRICES.cost_usd("claude-haiku-4-5-20251001", Usage(input_tokens=MILLION)) == pytest.approx(1)


def test_a_budget_counts_more_than_any_known_price_where_none_is_known() -> None:
    """The stand-in is dearer than every price of the table, in every bucket."""
    for price in PRICES:
        for usage in (Usage(input_tokens=1_000), Usage(output_tokens=1_000), Usage(cache_write_1h_tokens=1_000)):
            known = PRICES.cost_usd(price.model, usage)
            assert known is None or known < PRICES.most_cost_usd("claude-unheard-of", usage)
    assert PRICES.most_usd(_request("claude-unheard-of")) > PRICES.most_usd(_request("claude-fable-5-1"))


@pytest.mark.parametrize("model", [price.model for price in PRICES])
@pytest.mark.parametrize("text", ["", "Lead in Austin, 300k-400k", "价格 🏠" * 300, "x" * 120_000])
def test_no_attempt_costs_more_than_its_bound(model: str, text: str) -> None:
    """One token a byte in the dearest bucket and an answer as long as allowed stay below what was reserved."""
    request = _request(model, text, max_tokens=800)
    tokens = len(text.encode())
    for usage in (Usage(input_tokens=tokens, output_tokens=800), Usage(cache_write_1h_tokens=tokens, output_tokens=800)):
        cost = PRICES.cost_usd(model, usage)
        assert cost is None or cost <= PRICES.most_usd(request)
