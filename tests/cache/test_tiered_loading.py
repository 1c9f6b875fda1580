"""TieredCache: one load at a time in a process and among processes, old values in place of failed and slow loads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from core.cache.entry import ABSENT
from core.cache.policy import CachePolicy
from core.cache.tiered import TieredCache
from core.errors import CacheLoadError, DependencyDown, DependencyTimeout
from tests.cache.caches import Loads, caches, make_parts, new_prefix, opened
from tests.support import wait_until_async

QUICK = CachePolicy(soft_timeout_seconds=0.05, hard_timeout_seconds=0.3, lease_seconds=0.2, retry_seconds=0.2)


class HeldLoads(Loads):
    """A loader that answers when it is told to."""

    def __init__(self, value: object = None) -> None:
        super().__init__(value)
        self.go = asyncio.Event()
        self.cancelled = 0

    async def __call__(self) -> object:
        self.calls += 1
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(self.value, BaseException):
            raise self.value
        return self.value


@pytest.fixture
async def cache(redis_url: str) -> AsyncIterator[TieredCache]:
    """A cache with short times."""
    async with opened(make_parts(redis_url, new_prefix(), policy=QUICK)) as cache:
        yield cache


async def expire(cache: TieredCache, key: str, value: object) -> None:
    """Let a value be there, and expired."""
    await cache.set(key, value, ttl_seconds=0.01)
    await wait_until_async(lambda: cache.peek(key) is None)


async def test_many_callers_one_load(cache):
    """A thousand callers of one cold key cost one load."""
    loads = HeldLoads({"a": [1]})
    callers = [asyncio.create_task(cache.get_or_load("lead:1", loads)) for _ in range(1000)]
    await wait_until_async(lambda: loads.calls == 1)
    loads.go.set()
    values = await asyncio.gather(*callers)
    assert loads.calls == 1
    assert values == [{"a": [1]}] * 1000
    assert len({id(value) for value in values}) == 1000


async def test_one_load_among_processes(redis_url):
    """While one process loads, the others wait for its value."""
    async with caches(redis_url, 4) as several:
        loads = HeldLoads("v")
        callers = [asyncio.create_task(cache.get_or_load("lead:1", loads)) for cache in several for _ in range(50)]
        await wait_until_async(lambda: loads.calls >= 1)
        loads.go.set()
        assert await asyncio.gather(*callers) == ["v"] * 200
        assert loads.calls == 1


async def test_cancelled_caller_cancels_nobody(cache):
    """The first caller leaves; the load goes on for the second and for the cache."""
    loads = HeldLoads("v")
    first = asyncio.create_task(cache.get_or_load("lead:1", loads))
    await wait_until_async(lambda: loads.calls == 1)
    second = asyncio.create_task(cache.get_or_load("lead:1", loads))
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    loads.go.set()
    assert await second == "v"
    assert (loads.calls, loads.cancelled) == (1, 0)


async def test_load_goes_on_without_callers_unless_it_is_paid(cache):
    """A plain load ends in the cache after its last caller left; a paid one is cancelled."""
    plain, paid = HeldLoads("v"), HeldLoads("v")
    callers = [
        asyncio.create_task(cache.get_or_load("lead:1", plain)),
        asyncio.create_task(cache.get_or_load("lead:2", paid, paid=True)),
    ]
    await wait_until_async(lambda: plain.calls == paid.calls == 1)
    for caller in callers:
        caller.cancel()
    await wait_until_async(lambda: paid.cancelled == 1)
    plain.go.set()
    await wait_until_async(lambda: cache.peek("lead:1") is not None)
    assert plain.cancelled == 0


async def test_paid_load_is_waited_for_beyond_the_soft_timeout(cache):
    """An expired value takes the place of a paid load that failed, not of one that is only slow; its own timeout counts."""
    await expire(cache, "lead_analysis:1", "old")
    loads = HeldLoads("new")
    reader = asyncio.create_task(cache.read("lead_analysis:1", loads, paid=True, timeout_seconds=30))
    await wait_until_async(lambda: loads.calls == 1)
    done, _ = await asyncio.wait({reader}, timeout=2 * QUICK.hard_timeout_seconds)
    assert not done
    loads.go.set()
    assert (await reader).value == "new"
    await expire(cache, "lead_analysis:1", "old")
    failed = await cache.read("lead_analysis:1", Loads(DependencyDown("away")), paid=True)
    assert (failed.value, failed.outcome, failed.reason) == ("old", "stale", "error")


async def test_lease_of_a_dead_process_is_waited_out(redis_url):
    """A process that died during its load keeps the others waiting for no longer than its lease."""
    prefix = new_prefix()
    dead = make_parts(redis_url, prefix)
    assert await dead.redis.claim("lead:1", 7, 0.2) is True
    await dead.redis.close()
    async with opened(make_parts(redis_url, prefix)) as cache:
        assert await cache.get_or_load("lead:1", Loads("v")) == "v"
        assert await cache.remaining_seconds(["lead:1"])


async def test_long_load_keeps_its_lease(redis_url):
    """A load longer than the lease renews it, so that it is stored and nobody else begins."""
    policy = CachePolicy(lease_seconds=0.15, hard_timeout_seconds=5.0)
    async with caches(redis_url, 2, policy=policy) as (first, second):
        loads = HeldLoads("v")
        callers = [asyncio.create_task(cache.get_or_load("lead:1", loads)) for cache in (first, second)]
        began = time.monotonic()
        await wait_until_async(lambda: time.monotonic() > began + 0.5)
        loads.go.set()
        assert await asyncio.gather(*callers) == ["v", "v"]
        assert loads.calls == 1
        assert await second.remaining_seconds(["lead:1"])


async def test_load_that_hangs_is_ended(cache):
    """At the hard timeout the load is cancelled and its callers are told; the next read loads anew."""
    loads = HeldLoads()
    with pytest.raises(DependencyTimeout, match=r"took longer than 0\.3 s"):
        await cache.get_or_load("lead:1", loads)
    assert loads.cancelled == 1
    assert await cache.get_or_load("lead:1", Loads("v")) == "v"


async def test_load_cancelled_from_within_is_an_error(cache):
    """A loader that cancels itself is an error of the load, not a cancellation of its callers."""
    with pytest.raises(CacheLoadError, match="cancelled from within"):
        await cache.get_or_load("lead:1", Loads(asyncio.CancelledError()))


async def test_failed_load_serves_the_old_value(cache):
    """With an old value a failed load is no error; it is not tried again at once."""
    await expire(cache, "lead:1", "old")
    loads = Loads(DependencyDown("gone"))
    reads = [await cache.read("lead:1", loads) for _ in range(3)]
    assert [(read.value, read.outcome, read.reason) for read in reads] == [("old", "stale", "error")] * 3
    assert loads.calls == 1
    loads.value = "new"
    began = time.monotonic()
    await wait_until_async(lambda: time.monotonic() > began + QUICK.retry_seconds)
    assert (await cache.read("lead:1", loads)).value == "new"


async def test_slow_load_serves_the_old_value(cache):
    """At the soft timeout the old value is served; the load goes on and is stored."""
    await expire(cache, "lead:1", "old")
    loads = HeldLoads("new")
    read = await cache.read("lead:1", loads)
    assert (read.value, read.outcome, read.reason) == ("old", "stale", "slow")
    loads.go.set()
    await wait_until_async(lambda: cache.peek("lead:1") is not None)
    assert await cache.get("lead:1") == "new"


async def test_old_value_of_another_process_serves_too(redis_url):
    """The old value that Redis still holds is served by a process that never held it."""
    async with caches(redis_url, 2, policy=QUICK) as (first, second):
        await expire(first, "lead:1", "old")
        assert (await second.read("lead:1", Loads(LookupError()))).value == "old"


async def test_deleted_value_is_never_served_as_old(cache):
    """What was deleted or invalidated is no reserve for a failing loader."""
    for key in ("lead:1", "lead:2"):
        await cache.get_or_load(key, Loads("old"), ttl_seconds=0.01, tags=("leads",))
    await cache.delete("lead:1")
    await cache.invalidate("leads")
    for key in ("lead:1", "lead:2"):
        with pytest.raises(LookupError):
            await cache.read(key, Loads(LookupError("gone")))


async def test_value_is_renewed_before_it_expires(redis_url):
    """A value that took long to load is renewed in the background while the old one is still fresh."""
    async with opened(make_parts(redis_url, new_prefix())) as cache:
        loads = Loads("v1")
        parts = cache._parts
        await cache.get_or_load("lead:1", loads, ttl_seconds=60)
        entry = parts.memory.find("lead:1")
        assert entry is not None
        entry.refresh_at = 0.0
        loads.value = "v2"
        assert await cache.get_or_load("lead:1", loads) == "v1"
        await wait_until_async(lambda: cache.peek("lead:1") is not None)
        assert await cache.get_or_load("lead:1", loads) == "v2"
        assert loads.calls == 2


async def test_many_loads_what_is_missing_in_one_call(cache):
    """A batch asks the loader once, for the missing keys only; those it leaves out are absent and stay so."""
    asked: list[list[str]] = []

    async def load(keys: list[str]) -> dict[str, object]:
        asked.append(sorted(keys))
        return {key: key.upper() for key in keys if key != "lead:9"}

    await cache.set("lead:1", "held")
    keys = [f"lead:{number}" for number in (1, 2, 3, 9)]
    for _ in range(2):
        assert await cache.get_or_load_many(keys, load) == {"lead:1": "held", "lead:2": "LEAD:2", "lead:3": "LEAD:3"}
    assert asked == [["lead:2", "lead:3", "lead:9"]]
    assert (await cache.read("lead:9", Loads(1))).outcome == "negative"


async def test_many_that_fails_raises_and_stores_nothing(cache):
    """The error of a batch's loader is raised; nothing of it is remembered."""

    async def fail(keys: list[str]) -> dict[str, object]:
        raise LookupError("no")

    with pytest.raises(LookupError):
        await cache.get_or_load_many(["lead:1", "lead:2"], fail)
    assert await cache.get_or_load("lead:1", Loads(ABSENT), default="d") == "d"
    assert await cache.get_or_load("lead:2", Loads(5)) == 5


async def test_close_ends_loads_under_way(redis_url):
    """Closing waits for no loader; who waits is told."""
    async with opened(make_parts(redis_url, new_prefix())) as cache:
        loads = HeldLoads()
        caller = asyncio.create_task(cache.get_or_load("lead:1", loads))
        await wait_until_async(lambda: loads.calls == 1)
    with pytest.raises(DependencyDown, match="closing"):
        await caller
    assert loads.cancelled == 1
