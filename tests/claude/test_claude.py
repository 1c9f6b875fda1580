"""Claude: the whole way of an ask over the rehearsal: one call for equal asks, kept answers, repairs, failures and money."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from core.claude.claude import Caching
from core.claude.messages import Answer, Ask, Reply
from core.claude.parts import ClaudeParts
from core.claude.rehearsal import Faults
from core.errors import ClaudeError, ClaudeInvalid, ClaudeOverBudget, ClaudeOverloaded, ClaudeTimeout
from core.monitor import Recorder
from core.settings import Settings
from tests.cache.caches import make_parts, new_prefix, opened
from tests.claude.asks import ask_of
from tests.claude.stores import open_store
from tests.support import wait_until_async

CACHING = Caching(family="lead_analysis", ttl_seconds=60)
MakeParts = Callable[..., Any]


class Author:
    """Writes the rehearsal's answers, one after another, the last one again and again."""

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)
        self.bodies: list[Mapping[str, Any]] = []

    def __call__(self, body: Mapping[str, Any]) -> str | None:
        self.bodies.append(body)
        return self.texts[min(len(self.bodies), len(self.texts)) - 1]


@pytest.fixture
async def make(settings: Settings, database_url: str, redis_url: str) -> AsyncIterator[MakeParts]:
    """Makes Claude over a real cache and a real store; `first_token_seconds` is 0 and the text comes at once."""
    cache_parts = make_parts(redis_url, new_prefix())
    async with open_store(database_url) as store, opened(cache_parts) as cache:
        made: list[ClaudeParts] = []

        async def make(author: Author, **changes: Any) -> ClaudeParts:
            given = replace(settings, **changes)
            parts = ClaudeParts(given, store=store, database=store, cache=cache, record=Recorder(), author=author)
            parts.dials.change(first_token_seconds=0.0, tokens_per_second=float("inf"))
            await parts.open()
            made.append(parts)
            await parts.client.prepare()  # It holds up the loop, and a cache that hears nothing doubts what it holds.
            await wait_until_async(lambda: cache_parts.link.found)
            return parts

        yield make
        for parts in made:
            await parts.close()


def says(word: str) -> Callable[[Reply], tuple[str, ...]]:
    """A check that wants a word in the text."""
    return lambda reply: () if word in reply.text else (f"{word!r} is missing.",)


async def test_equal_asks_at_once_make_one_call_and_share_its_text(make):
    """A thousand callers of one key: one call, one text for all, one of them pays; the next ask is a hit."""
    author = Author("Call the lead today.")
    claude = (await make(author)).claude
    heard: list[str] = []
    asks = (claude.ask(ask_of(), caching=CACHING, on_text=heard.append if number < 2 else None) for number in range(1000))
    answers = await asyncio.gather(*asks)
    assert len(author.bodies) == 1
    assert {answer.text for answer in answers} == {"Call the lead today."}
    assert "".join(heard) == 2 * "Call the lead today." or "".join(heard).count("Call") == 2
    assert [len(answer.attempts) for answer in answers].count(1) == 1
    assert sum(answer.cost_usd > 0 for answer in answers) == 1
    hit = await claude.ask(ask_of(), caching=CACHING)
    assert (hit.source, hit.cache_outcome, hit.cost_usd) == ("rehearsal", "hit", 0.0)


async def test_what_decides_an_answer_is_in_its_key(make):
    """Another text, model, version or scope has another key; who asks and how urgently has not."""
    rehearsal, real = (await make(Author("a"))).claude, (await make(Author("a"), anthropic_api_key="key")).claude
    ask = ask_of()
    same = replace(ask, operator="ben", lane="background", priority="low", deadline_seconds=99)
    changes: list[dict[str, Any]] = [
        {"max_tokens": 9}, {"effort": "low"}, {"system": "s"}, {"thinking": "adaptive"}, {"schema": {"type": "object"}},
        {"stop_sequences": ("end",)}, {"model": "claude-sonnet-5-5"}, {"turns": (*ask.request.turns, *ask.request.turns)},
    ]  # fmt: skip
    others = [replace(ask, request=replace(ask.request, **change)) for change in changes]
    others += [ask_of("Say no."), replace(ask, prompt_version="2"), replace(ask, prompt_name="other")]
    assert rehearsal.key(ask, CACHING) == rehearsal.key(same, CACHING)
    keys = {rehearsal.key(one, CACHING) for one in (ask, *others)} | {real.key(ask, CACHING)}
    assert len(keys) == len(others) + 2


async def test_one_repair_and_no_more(make):
    """A faulty answer is told its faults once; what stays faulty is an error and is not kept."""
    author = Author("nonsense", "a good answer")
    claude = (await make(author)).claude
    answer = await claude.ask(ask_of(), caching=CACHING, check=says("good"))
    assert (answer.text, answer.repairs, len(answer.attempts)) == ("a good answer", 1, 2)
    assert "'good' is missing." in str(author.bodies[1]["messages"][-1]["content"])
    stubborn = Author("nonsense")
    claude = (await make(stubborn)).claude
    for calls in (2, 4):
        with pytest.raises(ClaudeInvalid, match="good"):
            await claude.ask(ask_of("Another."), caching=CACHING, check=says("good"))
        assert len(stubborn.bodies) == calls


async def test_expired_answer_takes_the_place_of_a_failed_call(make):
    """While the API is overloaded an expired answer is offered, said to be stale and why; without one the error is raised."""
    parts = await make(Author("old"))
    brief = replace(CACHING, ttl_seconds=0.05)
    first = await parts.claude.ask(ask_of(), caching=brief)
    parts.dials.change(faults=Faults(overloaded=1.0))
    ask = replace(ask_of(), deadline_seconds=0.3)
    found: list[Answer] = []

    async def stale() -> bool:
        found.append(await parts.claude.ask(ask, caching=brief))
        return found[-1].source == "stale"

    while not await stale():
        assert found[-1].cache_outcome == "hit"
    assert (found[-1].text, found[-1].cache_reason) == ("old", "overloaded")
    assert found[-1].answered_at == first.answered_at
    assert found[-1].age_seconds > 0
    with pytest.raises(ClaudeOverloaded):
        await parts.claude.ask(replace(ask_of("Never asked."), deadline_seconds=0.3), caching=brief)


async def test_a_kept_answer_that_fails_its_check_is_made_again(make):
    """An answer that was kept under an older check is asked for anew, and the new one is kept."""
    parts = await make(Author("old", "new"))
    assert (await parts.claude.ask(ask_of(), caching=CACHING)).text == "old"
    anew = await parts.claude.ask(ask_of(), caching=CACHING, check=says("new"))
    assert (anew.text, anew.cache_outcome, anew.cache_reason) == ("new", "miss", "unusable")
    assert (await parts.claude.ask(ask_of(), caching=CACHING, check=says("new"))).cache_outcome == "hit"


async def test_who_leaves_last_ends_the_call(make):
    """One of two waiting leaves and the other gets the answer; when both leave, the call is ended."""
    parts = await make(Author("slow"))
    parts.dials.change(first_token_seconds=30.0)
    scheduler = parts.scheduler
    callers = [asyncio.create_task(parts.claude.ask(ask_of(), caching=CACHING)) for _ in range(2)]
    await wait_until_async(lambda: scheduler.stats().in_flight == 1)
    callers[0].cancel()
    await asyncio.wait({callers[0]})
    assert scheduler.stats().in_flight == 1
    callers[1].cancel()
    await wait_until_async(lambda: scheduler.stats().in_flight == 0)
    assert scheduler.stats().counters.cancelled == 1


async def test_stream_gives_text_and_answer_and_ends_when_left(make):
    """A stream is the pieces of the text, then the answer; leaving it early ends the call."""
    parts = await make(Author("one two three four"))
    pieces = [piece async for piece in parts.claude.stream(ask_of())]
    assert "".join(piece for piece in pieces if isinstance(piece, str)) == "one two three four"
    assert isinstance(pieces[-1], Answer)
    assert pieces[-1].first_token_seconds is not None
    parts.dials.change(tokens_per_second=20.0)
    stream = parts.claude.stream(ask_of("Again."))
    assert isinstance(await anext(stream), str)
    await stream.aclose()
    await wait_until_async(lambda: parts.scheduler.stats().in_flight == 0)


async def test_a_person_is_not_kept_waiting_by_background_work(make):
    """Who asks what background work waits to ask gets it at once, although background work is held."""
    parts = await make(Author("the answer"))
    parts.scheduler.hold_background(20, "anna")
    background: Ask = replace(ask_of(), lane="background", deadline_seconds=60)
    prepared = asyncio.create_task(parts.claude.ask(background, caching=CACHING))
    await wait_until_async(lambda: parts.scheduler.stats().queued == 1)
    asked = await parts.claude.ask(ask_of(), caching=CACHING)
    assert (await prepared).text == asked.text == "the answer"


async def test_a_cent_holds_with_fifty_in_flight(make):
    """Fifty asks at once on a cent a day: some are refused before they are sent, and no more than the cent is spent."""
    author = Author("word " * 500)
    parts = await make(author, claude_budget_day_usd=0.01)
    answers = await parts.claude.ask_many([ask_of(f"Question {number}.") for number in range(50)])
    made = [answer for answer in answers if isinstance(answer, Answer)]
    refused = [error for error in answers if isinstance(error, ClaudeError)]
    assert made
    assert refused
    assert {type(error) for error in refused} == {ClaudeOverBudget}
    assert 0 < sum(answer.cost_usd for answer in made) <= 0.01
    assert len(author.bodies) == len(made)


async def test_an_ask_ends_at_its_deadline(make):
    """An API that never answers costs the asking one the deadline and no more."""
    parts = await make(Author("never"))
    parts.dials.change(faults=Faults(timeout=1.0))
    with pytest.raises(ClaudeTimeout):
        await parts.claude.ask(replace(ask_of(), deadline_seconds=0.1), caching=CACHING)
    await wait_until_async(lambda: parts.scheduler.stats().in_flight == 0)
