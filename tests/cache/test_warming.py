"""CacheWarmer on a real Redis: what is loaded and what is skipped, failures, held and cancelled runs, servers that go away."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.cache.warming.estimate import Measured
from core.cache.warming.pace import WINDOW, Pace
from core.cache.warming.plans import WarmPlan
from core.errors import BreakerOpen, CoreError, DependencyDown, DependencyError, DependencyTimeout, UsageError, WarmError
from tests.cache.caches import through
from tests.cache.warm_loads import TTL_SECONDS, ToldLoads, nowhere, plan_of, warm_cache, warmer_of
from tests.support import wait_until_async
from tests.tcp_proxy import TcpProxy


async def passed(seconds: float) -> None:
    """Let time pass in which something must not happen."""
    until = time.monotonic() + seconds
    await wait_until_async(lambda: time.monotonic() > until)


async def test_a_run_fills_redis_and_leaves_memory_alone(redis_url):
    """Every key is loaded once and stored; memory holds none until it is read, and that read is of this run."""
    loads, said = ToldLoads(), []
    async with warm_cache(redis_url, loads) as cache:
        report = await warmer_of(cache).run(plan_of(250), "run-1", lambda *word: said.append(word))
        assert (report.keys, report.loaded, report.already_warm, report.failed) == (250, 250, 0, 0)
        assert sorted(loads.loaded, key=int) == [str(number) for number in range(250)]
        assert said[-1] == ("keys", 250, 250)
        assert report.size_bytes >= 250
        assert cache.peek("lead:1") is None
        assert 0.9 * TTL_SECONDS - 1 <= report.least_life_seconds <= TTL_SECONDS

        assert await cache.fetch("lead:1") == {"id": "1"}
        assert await cache.fetch("lead:1") == {"id": "1"}
        assert loads.loaded.count("1") == 1
        assert (await cache.run_gain("run-1")).reads == 2


async def test_what_is_warm_is_skipped(redis_url):
    """A value with half of its life left stays; one with less, or one that would be gone when it is wanted, is loaded again."""
    loads = ToldLoads()
    async with warm_cache(redis_url, loads) as cache:
        await cache.set("lead:0", {"id": "0"}, ttl_seconds=TTL_SECONDS)
        await cache.set("lead:1", {"id": "1"}, ttl_seconds=0.4 * TTL_SECONDS)
        warmer = warmer_of(cache)
        report = await warmer.run(plan_of(3), "a", nowhere)
        assert (report.loaded, report.already_warm, sorted(loads.loaded)) == (2, 1, ["1", "2"])

        again = await warmer.run(plan_of(3), "b", nowhere)
        assert (again.loaded, again.already_warm) == (0, 3)
        await cache.set("lead:0", {"id": "0"}, ttl_seconds=0.6 * TTL_SECONDS)
        wanted_at = datetime.now(UTC) + timedelta(seconds=0.7 * TTL_SECONDS)
        assert (await warmer.run(plan_of(3), "c", nowhere, wanted_at=wanted_at)).loaded == 1
        out_of_reach = datetime.now(UTC) + timedelta(hours=10)
        assert (await warmer.run(plan_of(3), "d", nowhere, wanted_at=out_of_reach)).loaded == 0


async def test_ttl_and_priority_of_the_plan(redis_url):
    """They replace those of the family: an hour, twice as long for what is critical, at most 5 % of jitter."""
    async with warm_cache(redis_url, ToldLoads()) as cache:
        await warmer_of(cache).run(plan_of(5, ttl_seconds=3_600.0, priority="critical"), "run", nowhere)
        left = await cache.remaining_seconds(plan_of(5).keys)
        assert len(left) == 5
        assert all(0.95 * 7_200 - 5 < seconds <= 7_200 for seconds in left.values())


async def test_keys_that_fail_do_not_end_a_run(redis_url):
    """They are counted, the first reasons are kept, and what is no key at all is counted apart."""
    loads = ToldLoads()
    loads.errors = {str(number): ValueError(f"no {number}") for number in range(0, 100, 10)}
    async with warm_cache(redis_url, loads) as cache:
        plan = plan_of(100, keys=(*plan_of(100).keys, "house:1", "nothing", "/api/none"))
        report = await warmer_of(cache).run(plan, "run", nowhere)
        assert (report.loaded, report.failed, report.refused) == (90, 10, 3)
        assert report.reasons[0].startswith("lead:0: ")
        assert "no 0" in report.reasons[0]
        assert len(report.reasons) == 8


@pytest.mark.parametrize(
    ("error", "raised", "most_loads"),
    [
        (DependencyDown("PostgreSQL cannot be reached."), DependencyDown, 10),
        (BreakerOpen("It is left alone."), BreakerOpen, 10),
        (DependencyTimeout("Too slow."), DependencyTimeout, 30),
        (ValueError("broken"), WarmError, 30),
    ],
)
async def test_a_run_gives_up_when_all_fail(redis_url, error, raised, most_loads):
    """After three keys when a server is down, after twenty in a row otherwise, and says how far it came."""
    loads = ToldLoads()
    async with warm_cache(redis_url, loads) as cache:
        warmer = warmer_of(cache)
        await warmer.run(plan_of(40), "run", nowhere)
        loads.error = error
        with pytest.raises(raised, match="Stopped with 40 of 300 keys warm") as told:
            await warmer.run(plan_of(300), "run", nowhere)
        assert isinstance(told.value, CoreError)
        assert told.value.next_step
        assert len(loads.loaded) == 40


async def test_nothing_could_be_loaded(redis_url):
    """A plan of few keys that all fail is no success."""
    loads = ToldLoads()
    loads.error = ValueError("broken")
    async with warm_cache(redis_url, loads) as cache:
        with pytest.raises(WarmError, match="none of the 2 keys"):
            await warmer_of(cache).run(plan_of(2), "run", nowhere)


async def test_redis_goes_away_during_a_run(redis_url, tcp_proxy: Callable[[Any], TcpProxy]):
    """The run ends and says that it is Redis, with few loads in vain; when it is back the run goes on where it was."""
    proxy = tcp_proxy(redis_url.removeprefix("unix://").partition("?")[0])
    loads = ToldLoads()

    def progress(_what: str, done: int, _total: int) -> None:
        if done == 30:
            proxy.cut()

    async with warm_cache(through(proxy, redis_url), loads) as cache:
        warmer = warmer_of(cache)
        with pytest.raises(DependencyError, match="Redis does not answer"):
            await warmer.run(plan_of(500), "run", progress)
        in_vain = len(loads.loaded) - 30
        assert 0 < in_vain < 60
        proxy.restore()
        await wait_until_async(lambda: cache.stats().breaker.state == "closed")
        report = await warmer.run(plan_of(500), "run", nowhere)
        # The leases of loads that were cut off are Redis' until they end.
        assert report.loaded + report.already_warm + report.elsewhere == 500
        assert report.elsewhere <= 8
        assert report.already_warm >= 25


async def test_a_held_run_loads_nothing_more(redis_url):
    """Loads under way are finished; it goes on when it is let go, and the time does not count as its own."""
    loads, go = ToldLoads(), asyncio.Event()
    async with warm_cache(redis_url, loads) as cache:
        holding = asyncio.Event()

        async def hold() -> None:
            if len(loads.loaded) >= 20 and not go.is_set():
                holding.set()
                await go.wait()

        run = asyncio.create_task(warmer_of(cache).run(plan_of(60), "run", nowhere, hold=hold))
        await holding.wait()
        await passed(0.05)
        loaded = len(loads.loaded)
        assert loads.under_way == 0
        await passed(0.05)
        assert len(loads.loaded) == loaded < 60
        go.set()
        report = await run
        assert report.loaded == 60
        assert report.paused_seconds >= 0.1
        assert report.seconds >= 0


async def test_a_cancelled_run_leaves_no_load_and_can_go_on(redis_url):
    """The loads under way are cancelled too; the next run loads only the rest."""
    loads = ToldLoads()
    async with warm_cache(redis_url, loads) as cache:
        warmer = warmer_of(cache)
        loads.stop_after = 30
        run = asyncio.create_task(warmer.run(plan_of(80), "run", nowhere))
        await wait_until_async(lambda: not loads.go.is_set() and loads.under_way > 0)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert loads.under_way == 0
        before = len(await cache.remaining_seconds(plan_of(80).keys))
        assert 25 <= before <= len(loads.loaded)
        loads.go.set()
        report = await warmer.run(plan_of(80), "run", nowhere)
        assert (report.loaded, report.already_warm) == (80 - before, before)


async def test_two_processes_share_the_keys(redis_url):
    """A key that another process loads just now is left to it."""
    loads = ToldLoads()
    async with warm_cache(redis_url, loads) as cache:
        loads.go.clear()
        first = asyncio.create_task(warmer_of(cache).run(plan_of(1), "a", nowhere))
        await wait_until_async(lambda: loads.under_way == 1)
        report = await warmer_of(cache).run(plan_of(1), "b", nowhere)
        assert (report.loaded, report.elsewhere) == (0, 1)
        loads.go.set()
        assert (await first).loaded == 1


async def test_a_key_left_by_another_process_is_looked_at_again(redis_url):
    """What another process was loading when its turn came, and gave up, is loaded at the end."""
    loads = ToldLoads()
    async with warm_cache(redis_url, loads) as cache:
        loads.go.clear()
        other = asyncio.create_task(cache.warm("lead:0"))
        await wait_until_async(lambda: loads.under_way == 1)

        async def hold() -> None:
            if loads.under_way and not other.done() and told:
                other.cancel()
                await asyncio.wait([other])
                loads.go.set()
            told.append(1)

        told: list[int] = []
        report = await warmer_of(cache).run(plan_of(5), "run", nowhere, hold=hold)
        assert (report.loaded, report.elsewhere) == (5, 0)


async def test_concurrency_is_bounded(redis_url):
    """It begins with two, and never has more loads under way than the setting allows."""
    loads = ToldLoads()
    async with warm_cache(redis_url, loads) as cache:
        report = await warmer_of(cache, most_concurrency=3).run(plan_of(200), "run", nowhere)
        assert report.highest_concurrency == 3
        assert loads.most_under_way == 3


def test_pace_follows_the_loader():
    """One more with each quick window, half as many when the P95 doubles, up again when the loader is well."""
    pace = Pace(most=6)
    times = [0.010] * WINDOW + [0.011] * (3 * WINDOW)
    for seconds in times:
        pace.loaded("lead", seconds)
    assert pace.concurrency == 5
    for seconds in [0.010] * (WINDOW - 2) + [0.050] * 2:
        pace.loaded("lead", seconds)
    assert (pace.concurrency, pace.stats().slowdowns) == (2, 1)
    for seconds in [0.010] * (5 * WINDOW):
        pace.loaded("lead", seconds)
    assert pace.concurrency == 6


def test_pace_is_not_led_astray():
    """A cold beginning does not allow a slow loader for ever, and one that gets worse by little and little is noticed."""
    cold = Pace(most=6)
    for seconds in [0.200] * WINDOW + [0.010] * (40 * WINDOW) + [0.100] * WINDOW:
        cold.loaded("lead", seconds)
    assert cold.stats().slowdowns == 1
    worse = Pace(most=6)
    for step in range(60):
        for _ in range(WINDOW):
            worse.loaded("lead", 0.010 * 1.05**step)
    assert worse.stats().slowdowns > 1
    assert worse.concurrency == 1


def test_pace_is_steady_under_noise():
    """Loads that vary by nature (here by the exponential distribution) keep it near the most that is allowed."""
    draw, pace, held = random.Random(5), Pace(most=6), []
    for _ in range(300 * WINDOW):
        pace.loaded("lead", 0.010 * draw.expovariate(1.0))
        held.append(pace.concurrency)
    assert sum(held) / len(held) > 4


def test_pace_compares_each_family_with_itself():
    """A family that is slow by nature slows nothing; quick loads are not told from each other; one that fails halves."""
    pace = Pace(most=8)
    for _ in range(3 * WINDOW):
        pace.loaded("lead", 0.001)
        pace.loaded("market_data", 0.200)
    assert pace.stats().slowdowns == 0
    assert pace.concurrency > 4
    for seconds in [0.0001, 0.004] * WINDOW:
        pace.loaded("lead", seconds)
    assert pace.stats().slowdowns == 0
    before = pace.concurrency
    pace.failed()
    assert pace.concurrency == before // 2


async def test_a_loader_that_slows_down_is_spared(redis_url):
    """Loads that take three times as long from the middle on: fewer are under way at the end than at its height."""
    loads = ToldLoads()
    waits = {True: 0.03, False: 0.006}

    async def load(rest: str) -> Any:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(waits[int(rest) >= 160]):
                await asyncio.Event().wait()
        return await loads(rest)

    async with warm_cache(redis_url, load) as cache:
        report = await warmer_of(cache, most_concurrency=6).run(plan_of(240), "run", nowhere)
        assert report.loaded == 240
        assert report.highest_concurrency > 3
        assert report.slowdowns >= 1


async def test_a_dry_run_stores_nothing(redis_url):
    """It counts what a run would load, times a sample of loads that it throws away, and says when the entries expire."""
    loads = ToldLoads()
    async with warm_cache(redis_url, loads) as cache:
        await cache.set("lead:0", {"id": "0"}, ttl_seconds=TTL_SECONDS)
        wanted_at = datetime.now(UTC) + timedelta(seconds=60)
        estimate = await warmer_of(cache).dry_run(plan_of(50), wanted_at=wanted_at)
        assert (estimate.keys, estimate.already_warm, estimate.to_load) == (50, 1, 49)
        assert (estimate.basis, estimate.sampled, len(loads.loaded)) == ("sample", 5, 5)
        assert list(await cache.remaining_seconds(plan_of(50).keys)) == ["lead:0"]
        assert estimate.seconds is not None
        assert estimate.load_seconds == pytest.approx(2 * estimate.seconds)
        assert estimate.spare_seconds == pytest.approx(0.9 * TTL_SECONDS - 60, abs=5)
        assert [(item.family, item.keys, item.to_load) for item in estimate.families] == [("lead", 50, 49)]


async def test_a_dry_run_stands_on_the_last_run(redis_url):
    """Then no load is made: 100 loads in 2 s that took 8 s together are 50 a second and 80 ms each."""
    loads = ToldLoads()
    async with warm_cache(redis_url, loads) as cache:
        estimate = await warmer_of(cache).dry_run(plan_of(25), last=Measured(loaded=100, seconds=2.0, load_seconds=8.0))
        assert (estimate.basis, estimate.sampled, loads.loaded) == ("last_run", 0, [])
        assert (estimate.loads_per_second, estimate.seconds) == (50.0, 0.5)
        assert estimate.load_seconds_each == pytest.approx(0.08)
        assert estimate.load_seconds == pytest.approx(2.0)


async def test_an_empty_plan(redis_url):
    """Nothing is loaded, nothing is estimated, and nothing fails."""
    async with warm_cache(redis_url, ToldLoads()) as cache:
        empty = WarmPlan(name="none", title="None", most_missed=True)
        estimate = await warmer_of(cache).dry_run(empty)
        assert (estimate.keys, estimate.basis, estimate.seconds) == (0, "none", 0.0)
        assert (await warmer_of(cache).run(empty, "run", nowhere)).keys == 0


async def test_the_most_missed_come_dearest_first(redis_url):
    """The plan of misses takes what reads of this process missed, with the time that each load took."""
    loads = ToldLoads()
    async with warm_cache(redis_url, loads) as cache:
        for number in (1, 2, 2):
            await cache.fetch(f"lead:{number}")
            await cache.delete(f"lead:{number}")
        with pytest.raises(UsageError):
            await cache.fetch("house:1")
        plan = WarmPlan(name="missed", title="Missed", most_missed=True, order="most_wanted")
        estimate = await warmer_of(cache).dry_run(plan)
        assert estimate.first_keys == ("lead:2", "lead:1")
