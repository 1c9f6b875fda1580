"""The cache page's view: figures by family and tier in a window, tiers, hot keys and plans, in one load."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.cache.families import Family
from core.monitor import Recorder
from core.platform.cache_figures import Reads, cache_figures
from core.services import Services, build_services
from core.settings import Settings
from tests.support import wait_until_async


def family(name: str, load: Any) -> Family:
    """A family of values that live for a minute."""
    return Family(name=name, title=name.title(), load=load, ttl_seconds=60.0)


@pytest.fixture
async def linked(services: Services) -> Services:
    """Open services whose cache hears itself, with a family that loads and one that fails."""

    async def load(rest: str) -> bytes:
        return b'{"rest": "%s"}' % rest.encode()

    async def fail(_rest: str) -> bytes:
        raise ValueError("it cannot be loaded")

    services.cache.families.add(family("good", load))
    services.cache.families.add(family("bad", fail))
    await wait_until_async(lambda: services.cache.stats().link.state == "found")
    return services


async def test_reads_are_told_by_family_tier_and_reason(linked: Services) -> None:
    """A load is a miss, the next read a hit in memory, one without memory a hit in Redis, a failure none of them."""
    cache = linked.cache
    await cache.fetch("good:1")
    for _ in range(3):
        await cache.fetch("good:1")
    cache._parts.memory.drop("good:1")
    await cache.fetch("good:1")
    with pytest.raises(ValueError, match="it cannot be loaded"):
        await cache.fetch("bad:1")
    linked.monitor.fold()

    view = await linked.cache_overview.load(60)

    figures = {item.name: item for item in view.figures.families}
    good = figures["good"]
    assert good.counts == Reads(memory_hits=3, redis_hits=1, misses={"cold": 1}, saved_seconds=good.counts.saved_seconds)
    assert (good.counts.reads, good.counts.hit_rate, sum(good.reads_over_time)) == (5, 0.8, 5)
    assert (good.redis_read.count, good.load.count, good.refreshable) == (1, 1, True)
    assert (figures["bad"].counts.load_errors, figures["bad"].counts.hit_rate) == (1, None)
    assert view.figures.promised.hit_rate == 0.8
    assert [(item.key, item.count) for item in view.busy.hottest] == [("good:1", 4)]
    assert [item.key for item in view.busy.most_missed] == ["good:1"]
    assert view.redis.value is not None
    assert view.redis.value.policy == "allkeys-lru"
    assert "5 of the 100 reads" in view.verdict.reason


async def test_claudes_families_count_apart(linked: Services) -> None:
    """They move neither the promised rate nor its series on the chart."""

    async def load() -> str:
        return "an analysis"

    for _ in range(2):
        await linked.cache.get_or_load("lead_analysis:1", load)
    linked.monitor.fold()

    figures = (await linked.cache_overview.load(60)).figures
    assert (figures.promised, figures.paid.hits, figures.paid.missed) == (Reads(), 1, 1)
    assert next(item for item in figures.families if item.name == "lead_analysis").paid
    counted = {label: sum(linked.monitor.history("cache_answers", 60, ("paid", label)).counts) for label in ("hit", "miss")}
    assert counted == {"hit": 1, "miss": 1}
    assert not sum(linked.monitor.history("cache_answers", 60, ("promised", "hit")).counts)


def test_what_twice_the_memory_would_answer_is_a_share_of_what_it_passed_on() -> None:
    """Ghost hits of reads that went to Redis or to a loader; none when memory answered all."""
    recorder = Recorder()
    recorder.count("cache_hits", 900, ("lead", "memory"))
    recorder.fold()
    assert cache_figures(recorder, 60, (), {}).ghost_share is None
    recorder.count("cache_hits", 60, ("lead", "redis"))
    recorder.count("cache_misses", 40, ("lead", "cold"))
    recorder.count("cache_ghost_hits", 25)
    recorder.fold()

    assert cache_figures(recorder, 60, (), {}).ghost_share == 0.25


async def test_memory_tells_evictions_in_windows(settings: Settings) -> None:
    """What was evicted is counted by the recorder, and not told since the start."""
    async with build_services(replace(settings, cache_memory_max_entries=100)) as services:
        for number in range(150):
            await services.cache.set(f"lead:{number}", number)
        services.monitor.fold()

        view = await services.cache_overview.load(60)
        assert view.figures.evictions == view.stats.memory.evictions >= 40


async def test_plans_with_their_newest_run(linked: Services) -> None:
    """A plan that ran has its report and what it bought; the others have none."""
    await wait_until_async(linked.setup.finished.is_set)
    started = await linked.warming.start("market_data", operator="ann")
    await linked.operations.wait(started.operation.id)

    view = await linked.cache_overview.plans()

    rows = {row.plan.name: row for row in view.rows}
    last = rows["market_data"].last
    assert last is not None
    assert (last.operation.operator, last.operation.state) == ("ann", "done")
    assert last.report is not None
    assert rows["top_leads"].last is None
