"""What the remedies really do: on a real memory, scheduler, PostgreSQL and Redis."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from core.cache.memory_tier import MemoryTier
from core.cache.warming.plans import read_plans
from core.claude.scheduler import Scheduler
from core.errors import OperationError
from core.monitor import Recorder
from core.monitor.alerts.judge import Condition, Reading
from core.monitor.system.machine import Machine
from core.platform.claude_remedy import ClaudeRemedy
from core.platform.memory_remedy import MemoryRemedy
from core.platform.remedy_actions import Call
from core.platform.session_remedy import SessionRemedy
from core.platform.warm_remedy import Missed, WarmRemedy, rank
from core.services import Services, build_services
from core.services.ground import make_ground
from core.settings import Settings
from tests.claude.scheduler.scripted_api import ScriptedApi, ask, begin
from tests.support import wait_until_async
from tests.tcp_proxy import TcpProxy

BY_HAND = Call(rule="api_p95", who="ann", by_hand=True)
MIB = 1 << 20


def progress(what: str, done: int, total: int) -> None:
    """Nobody looks."""


async def test_memory_shrinks_and_is_given_back(settings: Settings) -> None:
    """The process is really smaller; the limit comes back, and a tier that holds little is left alone."""
    random.seed(3)
    memory = MemoryTier(max_entries=100_000, max_bytes=96 * MIB)
    remedy = MemoryRemedy(memory, Recorder(), Machine(settings.data_dir).rss_bytes)
    assert "would free nothing worth it" in (await remedy.plan(BY_HAND)).refusal
    number = 0
    while memory.stats().size_bytes < 90 * MIB:
        memory.set(f"lead:{number}", random.randbytes(10_000), 600)
        number += 1
    rss = Machine(settings.data_dir).rss_bytes
    before = rss() or 0
    plan = await remedy.plan(BY_HAND)
    assert memory.stats().max_bytes == 96 * MIB
    done = await remedy.act(plan, BY_HAND, progress)
    stats = memory.stats()
    assert stats.size_bytes <= stats.max_bytes <= 46 * MIB
    assert (rss() or 0) < before - 25 * MIB
    assert f"{number - stats.entries:,} entries" in done.text
    assert "the memory of this process was" in done.text
    assert "may hold 96.0" in remedy.undo()
    assert (memory.stats().max_bytes, remedy.undo()) == (96 * MIB, "")


async def test_claude_is_slowed_down_and_the_slow_part_named(services: Services) -> None:
    """Route, query and the part beyond its limit; half of the background asks, and none cut off."""
    monitor, api = services.monitor, ScriptedApi()
    scheduler = Scheduler(api.send, concurrency_max=32)
    remedy = ClaudeRemedy(services.alerts, scheduler, 600)
    for route, query, seconds in (("/api/leads", "leads_list", 0.4), ("/api/markets", "market_names", 0.01)):
        for _ in range(30):
            monitor.record("api_request_seconds", seconds, (route,))
            monitor.record("database_query_seconds", seconds / 2, (query,))
    monitor.fold()
    incidents = services.alerts.book.incidents
    incidents.conditions["redis"] = Condition("critical", level=2, reading=Reading(1.0, 1, worst="connection refused"))
    plan = await remedy.plan(BY_HAND)
    assert "Slowest route: /api/leads, P95 4" in plan.why
    assert "Dearest query: leads_list" in plan.why
    assert "98% of the database's time" in plan.why
    assert "Redis does not answer; connection refused." in plan.why
    assert plan.commands == ()
    assert not (await remedy.act(plan, BY_HAND, progress)).changed

    asks = [ask(f"bulk {number}", lane="background", deadline_seconds=600.0) for number in range(5)]
    tasks = await begin(scheduler, *asks)
    under_way = scheduler.stats().in_flight_background
    assert (await remedy.act(await remedy.plan(BY_HAND), BY_HAND, progress)).changed
    assert scheduler.stats().background_most == under_way // 2 == 2
    await api.calls[0].answer()
    assert len(api.calls) == under_way
    (person,) = await begin(scheduler, ask("person"))
    assert api.names[-1] == "person"
    assert "no limit of their own" in remedy.undo()
    assert (scheduler.stats().background_most, remedy.undo()) == (None, "")
    await scheduler.close()
    await asyncio.gather(*tasks, person, return_exceptions=True)


def test_the_best_plan() -> None:
    """By misses times load; of equals the first of the file; what no plan names goes to the most missed keys."""
    plans = tuple(read_plans())
    missed = {
        item.family: item for item in (Missed("lead", 900, 0.001), Missed("market_data", 100, 0.02), Missed("told", 5, 9.0))
    }
    best, *others = rank(plans, missed)
    assert (best.plan.name, best.cost_seconds) == ("most_missed", 45.0)
    assert [item.plan.name for item in others] == ["popular_markets", "market_data", "top_leads"]
    assert [item.plan.name for item in rank(plans, {"lead": missed["lead"]})] == ["top_leads"]
    assert rank(plans, {}) == []


@pytest.mark.usefixtures("platform_rows")
async def test_the_best_plan_is_run(services: Services) -> None:
    """Chosen by what was measured, run to its end, and not begun twice."""
    await wait_until_async(lambda: services.cache.stats().link.state == "found")
    remedy = WarmRemedy(services.monitor, services.warming, services.operations)
    assert "No family" in (await remedy.plan(BY_HAND)).refusal
    services.monitor.count("cache_misses", 40, ("lead_scoring_models", "cold"))
    services.monitor.record("cache_load_seconds", 0.02, ("lead_scoring_models",))
    services.monitor.fold()
    plan = await remedy.plan(BY_HAND)
    assert plan.does == ("Runs the warm plan Lead scoring models.",)
    assert "lead_scoring_models was missed 40 times at 20" in plan.why
    assert "no other plan's families were missed" in plan.why
    assert plan.commands[0] == "python -m core warm lead_scoring_models"
    done = await remedy.act(plan, BY_HAND, progress)
    assert done.changed
    assert "loaded 5 values" in done.text


@pytest.mark.usefixtures("platform_rows")
async def test_its_warm_run_ends_with_it(services: Services, database_url: str) -> None:
    """A remedy that is cancelled leaves no run behind that goes on loading."""
    await wait_until_async(lambda: services.cache.stats().link.state == "found")
    remedy = WarmRemedy(services.monitor, services.warming, services.operations)
    services.monitor.count("cache_misses", 40, ("market_data", "cold"))
    services.monitor.fold()
    holder = await asyncpg.connect(database_url)
    try:
        await holder.execute("BEGIN; LOCK TABLE markets, market_data")
        plan = await remedy.plan(BY_HAND)
        acting = asyncio.create_task(remedy.act(plan, BY_HAND, progress))
        await wait_until_async(lambda: services.warming.running() != ())
        assert (await remedy.plan(BY_HAND)).subject != plan.subject
        (run,) = services.warming.running()
        acting.cancel()
        over = await services.operations.wait(run.id)
    finally:
        holder.terminate()
    assert (over.state, over.cancelled_by) == ("cancelled", "remedy of ann")


async def test_redis_down_in_the_middle_of_a_warm_run(
    settings: Settings, redis_url: str, tcp_proxy: Callable[[Any], TcpProxy]
) -> None:
    """The run fails, and so does the remedy, with the reason."""
    parts = urlsplit(redis_url)
    proxy = tcp_proxy(parts.path)
    through = f"redis://127.0.0.1:{proxy.port}/{parts.query.partition('=')[2]}"
    async with build_services(replace(settings, redis_url=through)) as services:
        await services.data.wait_set_up(20)
        remedy = WarmRemedy(services.monitor, services.warming, services.operations)
        services.monitor.count("cache_misses", 40, ("market_data", "cold"))
        services.monitor.fold()
        plan = await remedy.plan(BY_HAND)
        proxy.cut()
        with pytest.raises(OperationError, match="ended as failed"):
            await remedy.act(plan, BY_HAND, progress)


@asynccontextmanager
async def held(url: str) -> AsyncIterator[tuple[int, int, asyncio.Task[Any]]]:
    """A session that blocks another and does nothing, and one that only idles in its transaction."""
    holder, idler, waiter = [await asyncpg.connect(url, server_settings={"application_name": name}) for name in "hiw"]
    try:
        await holder.execute("BEGIN; LOCK TABLE leads")
        await idler.execute("BEGIN; SELECT 1")
        waiting = asyncio.create_task(waiter.fetchval("SELECT count(*) FROM leads"))
        looks = "SELECT wait_event_type FROM pg_stat_activity WHERE pid = $1"
        looker = await asyncpg.connect(url)
        while await looker.fetchval(looks, waiter.get_server_pid()) != "Lock":
            await asyncio.sleep(0)
        await looker.close()
        yield holder.get_server_pid(), idler.get_server_pid(), waiting
    finally:
        for connection in (holder, idler, waiter):
            connection.terminate()


async def test_a_session_that_blocks_is_ended(settings: Settings, database_url: str) -> None:
    """The one that keeps another waiting, at once; one that harms nobody only when asked; nobody's where it is only watched."""
    ground = make_ground(settings)
    parts = ground.database_parts
    await parts.database.open()
    await parts.looking.open()
    remedy = SessionRemedy(settings, parts, ground.queries, idle_seconds=0.0)
    patient = SessionRemedy(settings, parts, ground.queries)
    watching = SessionRemedy(replace(settings, mode="watch"), parts, ground.queries, idle_seconds=0.0)
    async with held(database_url) as (holder, idler, waiting):
        assert "idle in a transaction for 60 s" in (await patient.plan(BY_HAND)).refusal
        assert "only watched" in (await watching.plan(BY_HAND)).refusal
        plan = await remedy.plan(BY_HAND)
        assert plan.commands == (f"SELECT pg_terminate_backend({holder});",)
        everyone = await remedy.plan(replace(BY_HAND, everyone=True))
        assert {f"SELECT pg_terminate_backend({pid});" for pid in (holder, idler)} == set(everyone.commands)
        before = await remedy.figure()
        with pytest.raises(Exception, match="only watched"):
            await watching.act(plan, BY_HAND, progress)
        assert not (await patient.act(plan, BY_HAND, progress)).changed
        assert not waiting.done()
        done = await remedy.act(plan, BY_HAND, progress)
        assert done.changed
        assert f"session {holder} of h, idle in a transaction for 0 s, 1 session waiting for it" in done.text
        assert await waiting == 0
        after = await remedy.figure()
        assert before is not None
        assert after is not None
        assert (before.value, after.value) == (2.0, 0.0)
        again = await remedy.act(plan, BY_HAND, progress)
        assert (again.changed, again.text) == (False, "1 had gone on and were left alone.")
    await parts.looking.close()
    await parts.database.close()
