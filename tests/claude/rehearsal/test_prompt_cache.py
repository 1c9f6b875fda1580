"""The prompt cache of the API: buckets of usage for prefixes that are marked, by their life and their length."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core.claude.rehearsal import Dials
from tests.claude.rehearsal.rehearsing import Rehearsing

LONG = "Facts of the market. " * 100  # 700 tokens: above the 512 that Claude Haiku 5.5 keeps from.
TOKENS = len(LONG) // 3


@pytest.fixture
def rehearsing() -> Rehearsing:
    """At the default pace."""
    return Rehearsing(Dials())


def _marked(text: str, ttl: str | None = None) -> dict[str, Any]:
    life = {} if ttl is None else {"ttl": ttl}
    return {"type": "text", "text": text, "cache_control": {"type": "ephemeral", **life}}


async def _buckets(rehearsing: Rehearsing, text: str = "Hello", **fields: Any) -> tuple[int, int, int]:
    usage = (await rehearsing.ask(text, **fields)).usage
    assert usage.cache_creation is not None
    written = usage.cache_creation.ephemeral_5m_input_tokens, usage.cache_creation.ephemeral_1h_input_tokens
    assert usage.cache_creation_input_tokens == sum(written)
    assert 0 < usage.input_tokens < TOKENS
    return usage.cache_read_input_tokens or 0, *written


async def test_written_once_then_read_until_its_life_ends(rehearsing: Rehearsing) -> None:
    """Five minutes from the last use; the question behind the prefix may differ, and another model keeps its own."""
    system = [_marked(LONG)]
    assert await _buckets(rehearsing, "One", system=system) == (0, TOKENS, 0)
    assert await _buckets(rehearsing, "Two", system=system) == (TOKENS, 0, 0)
    rehearsing.time.now += 200
    assert await _buckets(rehearsing, system=system) == (TOKENS, 0, 0)
    rehearsing.time.now += 200
    assert await _buckets(rehearsing, system=system) == (TOKENS, 0, 0)
    assert await _buckets(rehearsing, system=system, model="claude-opus-5") == (0, TOKENS, 0)
    rehearsing.time.now += 301
    assert await _buckets(rehearsing, system=system) == (0, TOKENS, 0)


async def test_two_lives_in_one_prompt(rehearsing: Rehearsing) -> None:
    """The hour's part comes first and stays when the other is gone."""
    system = [_marked(LONG, "1h"), _marked(LONG)]
    assert await _buckets(rehearsing, system=system) == (0, TOKENS, TOKENS)
    rehearsing.time.now += 1_000
    assert await _buckets(rehearsing, system=system) == (TOKENS, TOKENS, 0)
    assert await _buckets(rehearsing, system=system) == (2 * TOKENS, 0, 0)


async def test_not_cached(rehearsing: Rehearsing) -> None:
    """A prefix that is too short or unmarked is not, without a word; one changed letter is another prefix."""
    short = [_marked("Short.")]
    for _ in range(2):
        usage = (await rehearsing.ask(system=short)).usage
        assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (0, 0)
        usage = (await rehearsing.ask(system=LONG)).usage
        assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (0, 0)
    assert await _buckets(rehearsing, system=[_marked(LONG)]) == (0, TOKENS, 0)
    assert await _buckets(rehearsing, system=[_marked("f" + LONG[1:])]) == (0, TOKENS, 0)


async def test_read_only_after_the_first_answer_has_begun(rehearsing: Rehearsing) -> None:
    """Who asks at the same moment pays for writing too."""
    await rehearsing.ask()  # The vendor's client asks for the platform in a thread once: later calls begin together.
    asked = {"system": [_marked(LONG)]}
    first, second = await asyncio.gather(_buckets(rehearsing, "One", **asked), _buckets(rehearsing, "Two", **asked))
    assert first == second == (0, TOKENS, 0)
    assert await _buckets(rehearsing, "Three", **asked) == (TOKENS, 0, 0)


async def test_conversation_grows_on_its_prefix(rehearsing: Rehearsing) -> None:
    """With the mark at the top of the body the last block counts; a prefix is found 20 blocks back and no further."""
    turns: list[dict[str, Any]] = [{"role": "user", "content": LONG}]
    mark = {"cache_control": {"type": "ephemeral"}}
    usage = (await rehearsing.ask(messages=turns, **mark)).usage
    assert usage.cache_creation_input_tokens == TOKENS
    turns += [{"role": "assistant", "content": "Well."}, {"role": "user", "content": "And now?"}]
    usage = (await rehearsing.ask(messages=turns, **mark)).usage
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (TOKENS, 5)
    rehearsing.time.now += 200
    assert (await rehearsing.ask(messages=turns, **mark)).usage.cache_read_input_tokens == TOKENS + 5
    rehearsing.time.now += 200
    assert (await rehearsing.ask(messages=turns[:1], **mark)).usage.cache_read_input_tokens == TOKENS, "read, so it lives on"
    turns += [{"role": "user", "content": f"Fact {number:03}"} for number in range(20)]
    usage = (await rehearsing.ask(messages=turns, **mark)).usage
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (0, TOKENS + 5 + 20 * 3)
