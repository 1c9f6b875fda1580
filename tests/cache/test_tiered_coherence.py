"""TieredCache in several processes: nobody keeps for long what another has changed."""

from __future__ import annotations

import asyncio
import random
from urllib.parse import urlsplit

import pytest

from core.cache.parts import CacheParts
from core.cache.policy import CachePolicy
from core.cache.tiered import TieredCache
from tests.cache.caches import Loads, caches, make_parts, new_prefix, opened, through
from tests.cache.test_tiered_loading import HeldLoads
from tests.support import wait_until_async
from tests.tcp_proxy import TcpProxy


async def settled(cache: TieredCache, other: TieredCache) -> None:
    """Wait until a cache has heard everything that was said before: messages keep their order."""
    await other.set("lead:settled", 0)
    assert await cache.get("lead:settled") == 0
    await other.set("lead:settled", 1)
    await wait_until_async(lambda: cache.peek("lead:settled") is None)


async def test_write_reaches_the_memory_of_others(redis_url):
    """After a write the other process forgets its copy and reads the new value."""
    async with caches(redis_url, 2) as (first, second):
        await first.set("lead:1", "old")
        assert await second.get("lead:1") == "old"
        await first.set("lead:1", "new")
        assert first.peek("lead:1").value == "new"
        await wait_until_async(lambda: second.peek("lead:1") is None)
        assert await second.get("lead:1") == "new"


@pytest.mark.parametrize("change", ["delete", "tag", "family", "everything"])
async def test_removal_reaches_the_memory_of_others(redis_url, change):
    """A delete, and the invalidation of a tag, a family or everything, empties every memory."""
    async with caches(redis_url, 2) as (first, second):
        await first.set("lead:1", "old", tags=("hot",))
        assert await second.get("lead:1") == "old"
        match change:
            case "delete":
                await first.delete("lead:1")
            case "tag":
                await first.invalidate("hot")
            case "family":
                await first.invalidate_family("lead")
            case _:
                await first.invalidate_everything()
        await wait_until_async(lambda: second.peek("lead:1") is None)
        assert await second.get("lead:1") is None
        assert await first.get("lead:1") is None


@pytest.mark.parametrize("change", ["delete", "tag", "set"])
async def test_change_during_a_load_wins(redis_url, change):
    """What a load brings that began before a change is answered to its callers and stored nowhere."""
    async with caches(redis_url, 2) as (first, second):
        loads = HeldLoads("old")
        caller = asyncio.create_task(first.get_or_load("lead:1", loads, tags=("hot",)))
        await wait_until_async(lambda: loads.calls == 1)
        match change:
            case "delete":
                await second.delete("lead:1")
            case "tag":
                await second.invalidate("hot")
            case _:
                await second.set("lead:1", "new")
        loads.go.set()
        assert await caller == "old"
        expected = "new" if change == "set" else None
        assert await first.get("lead:1") == await second.get("lead:1") == expected


async def test_reader_after_a_delete_does_not_join_the_load_before_it(redis_url):
    """Who reads after a delete gets a load of its own."""
    async with caches(redis_url, 1) as (cache,):
        before = HeldLoads("old")
        caller = asyncio.create_task(cache.get_or_load("lead:1", before))
        await wait_until_async(lambda: before.calls == 1)
        await cache.delete("lead:1")
        assert await cache.get_or_load("lead:1", Loads("new")) == "new"
        before.go.set()
        assert await caller == "old"
        assert await cache.get("lead:1") == "new"


async def test_own_write_is_not_forgotten_by_its_echo(redis_url):
    """The message about a process' own write leaves its copy in place."""
    async with caches(redis_url, 2) as (cache, other):
        await cache.set("lead:1", 19)
        await settled(cache, other)
        assert cache.peek("lead:1").value == 19


async def test_two_processes_that_fight_agree_in_the_end(redis_url):
    """Two processes write and delete the same 200 keys; soon after the last change both hold what Redis holds."""
    keys = [f"lead:{number}" for number in range(200)]
    async with caches(redis_url, 2) as several:

        async def fight(cache, seed):
            rng = random.Random(seed)
            for turn in range(1000):
                key = rng.choice(keys)
                match rng.randrange(4):
                    case 0:
                        await cache.delete(key)
                    case 1:
                        await cache.set(key, [seed, turn])
                    case 2:
                        await cache.get(key)
                    case _:
                        await cache.get_or_load(key, Loads([seed, -turn]), tags=("hot",))
                if turn % 250 == 249:
                    await cache.invalidate("hot")

        await asyncio.gather(*(fight(cache, seed) for seed, cache in enumerate(several)))

        async def agree():
            held = [await cache.get_many(keys) for cache in several]
            return held[0] == held[1]

        parts: list[CacheParts] = [cache._parts for cache in several]
        heard = [part.link.stats().messages for part in parts]
        await wait_until_async(lambda: all(part.link.stats().messages > old for part, old in zip(parts, heard, strict=True)))
        assert await agree()
        for cache in several:
            cache._parts.memory.clear()
        assert await agree()


async def test_lost_link_makes_memory_doubtful(redis_url):
    """When others cannot be heard, memory is asked no more until it is loaded anew, and then for a moment only."""
    policy = CachePolicy(unverified_seconds=0.3)
    with TcpProxy(urlsplit(redis_url).path) as proxy:
        url = through(proxy, redis_url)
        async with opened(make_parts(url, new_prefix(), policy=policy)) as cache:
            await cache.set("lead:1", "old")
            proxy.cut()
            await wait_until_async(lambda: cache.peek("lead:1") is None)
            assert (await cache.read("lead:1", Loads("now"))).value == "now"
            assert cache.peek("lead:1") is not None
            await wait_until_async(lambda: cache.peek("lead:1") is None)
            proxy.restore()
            await wait_until_async(lambda: cache.stats().link.state == "found")


async def test_changes_of_an_outage_are_sent_after_it(redis_url):
    """A delete and an invalidation that Redis did not hear are repeated when it is back, and not undone by what it holds."""
    prefix = new_prefix()
    with TcpProxy(urlsplit(redis_url).path) as proxy:
        url = through(proxy, redis_url)
        async with (
            opened(make_parts(url, prefix, timeout_seconds=0.1)) as cut_off,
            opened(make_parts(redis_url, prefix)) as other,
        ):
            await other.set("lead:1", "old")
            await other.set("lead:2", "old", tags=("hot",))
            assert await cut_off.get_many(["lead:1", "lead:2"]) == {"lead:1": "old", "lead:2": "old"}
            proxy.cut()
            await cut_off.delete("lead:1")
            await cut_off.invalidate("hot")
            assert await other.get("lead:1") == "old"
            proxy.restore()
            await wait_until_async(lambda: other.peek("lead:1") is None and other.peek("lead:2") is None)
            assert await other.get_many(["lead:1", "lead:2"]) == {}
            await wait_until_async(lambda: cut_off.stats().outbox.keys == cut_off.stats().outbox.tags == 0)


async def test_audit_finds_what_no_message_told(redis_url):
    """A copy that differs from Redis although the link is up is counted as drift and dropped."""
    async with caches(redis_url, 2) as (cache, other):
        await cache.set("lead:1", "old")
        await settled(cache, other)
        entry = cache._parts.memory.find("lead:1")
        assert entry is not None
        entry.version += 1
        for _ in range(2):
            await cache._parts._audit()
        assert cache.stats().drift.different == 1
        assert await cache.get("lead:1") == "old"


async def test_audit_leaves_alone_what_is_past_its_time(redis_url):
    """An old copy that is only held for a loader that fails may differ from Redis: that is no drift."""
    async with opened(make_parts(redis_url, new_prefix())) as cache:
        parts = cache._parts
        await cache.set("lead:1", "new")
        entry = parts.memory.entries["lead:1"]
        entry.version += 1
        parts.memory.expire_all()
        for _ in range(2):
            await parts._audit()
        assert cache.stats().drift.different == 0
        assert parts.memory.find("lead:1") is entry
