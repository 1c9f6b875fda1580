"""Costs: what an attempt cost by the dated table of prices, and the most that a request can come to.

Owns `prices.toml`. Refuses to guess: where a price is not known the cost is None, and only a budget counts a stand-in for it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import orjson

from core.claude.messages import MessageRequest, Usage

PRICES_FILE = Path(__file__).with_name("prices.toml")
STAND_IN = "stand-in"
TOKENS_PER_PRICE = 1_000_000
BATCH_FACTOR = 0.5  # Message Batches cost half, in and out (platform docs, batch processing).
# A byte-level tokenizer makes at most one token of a byte. Roles, blocks and the instructions that the API adds for a schema
# are not in our bytes: 2,000 tokens are several times of what the docs name for them.
TOKENS_AROUND_REQUEST, TOKENS_AROUND_TURN = 2_000, 20
_DATED = re.compile(r"-\d{8}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Dollars for a million tokens of each bucket of one model; None where no price is known."""

    model: str
    as_of: date
    source: str
    input: float
    output: float
    cache_read: float | None = None
    cache_write_5m: float | None = None
    cache_write_1h: float | None = None
    long_prompt_tokens: int | None = None
    long_prompt_factor: float = 1.0

    def factor(self, prompt_tokens: int) -> float:
        """How many times the price counts for a prompt of this length."""
        is_long = self.long_prompt_tokens is not None and prompt_tokens > self.long_prompt_tokens
        return self.long_prompt_factor if is_long else 1.0


class Prices:
    """The table of a file; read once."""

    def __init__(self, file: Path = PRICES_FILE) -> None:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
        self._stand_in = Price(model=STAND_IN, **tables.pop(STAND_IN))
        self._prices = {model: Price(model=model, **table) for model, table in tables.items()}

    def __iter__(self) -> Iterator[Price]:
        return iter(self._prices.values())

    def price_of(self, model: str) -> Price | None:
        """The price of a model, by its name with or without a date; None where none is known."""
        return self._prices.get(model) or self._prices.get(_DATED.sub("", model))

    def cost_usd(self, model: str, usage: Usage, *, batch: bool = False) -> float | None:
        """Dollars for the tokens of one attempt, thinking inside the output; None when a price that it needs is not known."""
        price = self.price_of(model)
        return _cost(price, usage, batch) if price is not None else None

    def most_usd(self, request: MessageRequest) -> float:
        """Dollars that one send cannot exceed: the request's bytes as tokens of the dearest bucket, and all of max_tokens."""
        tokens = most_input_tokens(request)
        price = self.price_of(request.model) or self._stand_in
        writes = price.cache_write_1h or max(price.cache_write_5m or 0.0, 2 * price.input)  # The docs' factor for one hour.
        each = max(price.input, price.cache_read or 0.0, writes)
        return price.factor(tokens) * (tokens * each + request.max_tokens * price.output) / TOKENS_PER_PRICE

    def most_cost_usd(self, model: str, usage: Usage) -> float:
        """Dollars that a budget counts for the tokens of one attempt: its cost, or the stand-in's where no price is known."""
        known = self.cost_usd(model, usage)
        return known if known is not None else _cost(self._stand_in, usage, batch=False) or 0.0


def most_input_tokens(request: MessageRequest) -> int:
    """Tokens of input that a request cannot exceed."""
    sizes = sum(len(turn.text.encode()) + TOKENS_AROUND_TURN for turn in request.turns)
    schema = len(orjson.dumps(dict(request.schema))) if request.schema is not None else 0
    stops = sum(len(text.encode()) for text in request.stop_sequences)
    return TOKENS_AROUND_REQUEST + len(request.system.encode()) + sizes + schema + stops


def _cost(price: Price, usage: Usage, batch: bool) -> float | None:
    buckets = (
        (usage.input_tokens, price.input),
        (usage.cache_read_tokens, price.cache_read),
        (usage.cache_write_5m_tokens, price.cache_write_5m),
        (usage.cache_write_1h_tokens, price.cache_write_1h),
        (usage.output_tokens, price.output),
    )
    total = 0.0
    for tokens, each in buckets:
        if tokens and each is None:
            return None
        total += tokens * (each or 0.0)
    return total * price.factor(usage.all_input_tokens) * (BATCH_FACTOR if batch else 1.0) / TOKENS_PER_PRICE
