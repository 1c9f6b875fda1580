"""The cases of the benchmark, shorter; and a storm that must leave nothing behind."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest

from core.claude.messages import Usage
from core.claude.scheduler import Scheduler
from core.errors import ClaudeCutStream, ClaudeDown, ClaudeError, ClaudeOverloaded, ClaudeRateLimited
from tests.claude.scheduler.cases import CASES, play
from tests.claude.scheduler.designs import DESIGNS
from tests.claude.scheduler.scripted_api import ask, reply
from tests.virtual_time import in_virtual_time, pass_time

CACHED = Usage(input_tokens=10, cache_read_tokens=900, output_tokens=50)
ERRORS = (ClaudeOverloaded("529"), ClaudeDown("gone"), ClaudeCutStream("cut"), ClaudeRateLimited("429", retry_after_seconds=1))
GUIDE, DIRECT, SEMAPHORE, OURS = DESIGNS.values()


@pytest.mark.parametrize("name", ["A: 0.5/s", "B: 3/s"])
def test_without_a_crowd_nobody_waits(name):
    """As fast as sending everything directly; the guide's one worker is slower at half an ask a second, and lost at three."""
    ours, direct, guide = (play(CASES[name], design, seconds=60) for design in (OURS, DIRECT, GUIDE))

    assert ours.quantile(0.95) <= 1.05 * direct.quantile(0.95)
    assert ours.served == 1
    assert guide.quantile(0.95) > 2 * ours.quantile(0.95)


def test_bulk_costs_people_nothing():
    """At a rate limit: no 429 is met, all of the bulk is done, and more people are served in time than by the other designs."""
    case = replace(CASES["C: 3/s and 300 bulk, 240 rpm"], bulk=60)
    ours, *others = (play(case, design, seconds=90) for design in (OURS, SEMAPHORE, GUIDE))

    assert (ours.refused, ours.bulk_done, ours.served) == (0, 60, 1)
    assert all(ours.under_two_seconds > other.under_two_seconds for other in others)
    assert play(case, DIRECT, seconds=90).refused > 50


@in_virtual_time
async def test_a_storm_leaves_nothing_behind():
    """Six hundred asks, one call in ten failing, some cancelled, some with little time: all end, and every figure adds up."""
    chance = random.Random(3)
    most, under_way = 0, 0

    async def send(asked, request, timeout_seconds, on_text, on_attempt):
        nonlocal most, under_way
        under_way += 1
        most = max(most, under_way)
        assert under_way <= scheduler.stats().limit_max
        try:
            await pass_time(chance.uniform(0.1, 3))
            if on_text is not None and chance.random() < 0.7:
                on_text("a")
            if chance.random() < 0.1:
                raise chance.choice(ERRORS)
            return reply(request.model, CACHED, 1.0)
        finally:
            under_way -= 1

    scheduler = Scheduler(send, queue_max=300, fallback_model="claude-sonnet-5-5")

    async def caller(number: int) -> None:
        wave = chance.randrange(0, 150, 5)
        await pass_time(wave)
        lane = chance.choice(["interactive", "background"])
        system = f"wave {wave} " * 600 if number % 3 == 0 else ""
        one = ask(str(number), lane=lane, system=system, deadline_seconds=chance.choice([1.0, 5.0, 100.0]))
        task = asyncio.create_task(scheduler.run(one))
        if number % 5 == 0:
            asyncio.get_running_loop().call_later(chance.uniform(0, 5), task.cancel)
        await asyncio.wait([task])
        assert task.cancelled() or task.exception() is None or isinstance(task.exception(), ClaudeError)

    await asyncio.gather(*(caller(number) for number in range(600)))
    stats, counters = scheduler.stats(), scheduler.stats().counters
    assert (stats.queued, stats.in_flight, under_way, stats.following, stats.resting) == (0, 0, 0, 0, 0)
    assert counters.asks == 600 == counters.answered + counters.failed + counters.cancelled
    assert min(counters.answered, counters.retries, counters.followed, counters.fallbacks, counters.cancelled) >= 5
    assert most >= 8
    dispatcher = scheduler._dispatcher
    assert not any(supply.in_flight for supply in dispatcher.supplies.values())
    assert not any(prefix.leader or prefix.followers for prefix in dispatcher._leaders._prefixes.values())
    await scheduler.close()
