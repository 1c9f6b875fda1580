"""TieredCache on a Redis that fails: no read fails, nothing false is remembered, and it is used again when it is back."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest

from core.cache.policy import CachePolicy
from core.cache.tiered import TieredCache
from tests.cache.caches import Loads, make_parts, new_prefix, opened
from tests.cache.redis_server import RedisServer
from tests.servers import Servers
from tests.support import wait_until_async

READS_PER_SECOND = 1_000


@pytest.fixture
def server(servers: Servers) -> Iterator[RedisServer]:
    """A Redis of this test's own."""
    with RedisServer(servers.folder) as server:
        yield server


@pytest.fixture
async def cache(server: RedisServer) -> AsyncIterator[TieredCache]:
    """A cache on it."""
    policy = CachePolicy(unverified_seconds=0.05, retry_seconds=0.05)
    async with opened(make_parts(server.url, new_prefix(), policy=policy, timeout_seconds=0.1)) as cache:
        yield cache


@pytest.mark.parametrize("fault", ["kill", "pause"])
async def test_reads_go_on_without_redis(cache, server, fault):
    """With Redis killed or stopped every read is answered by the loader; writes and removals raise nothing."""
    await cache.set("lead:1", "old")
    getattr(server, fault)()
    await cache.delete("lead:1")
    loads = Loads("now")
    for _ in range(30):
        assert await cache.get_or_load("lead:1", loads) == "now"
        assert await cache.get_or_load_many(["lead:2"], several) == {"lead:2": "LEAD:2"}
    await cache.set("lead:3", "kept for a moment")
    await cache.invalidate("hot")
    assert await cache.get("lead:9", "default") == "default"
    for number in range(20):
        assert await cache.get(f"lead:{number + 20}") is None
    assert cache.stats().breaker.state in ("open", "half_open")
    assert await cache.get_or_load("lead:4", Loads(None), default="d") is None


def is_past(moment: float) -> bool:
    """Whether the monotonic clock has come to this moment."""
    return time.monotonic() >= moment


async def several(keys: list[str]) -> dict[str, str]:
    """A loader of many."""
    return {key: key.upper() for key in keys}


@pytest.mark.parametrize("fault", ["restart", "pause"])
async def test_outage_is_not_remembered(cache, server, fault):
    """What could not be read during an outage is found after it; what Redis lost is loaded anew, tags included."""
    await cache.get_or_load("lead:1", Loads("old"), tags=("hot",))
    getattr(server, fault)()
    await wait_until_async(lambda: cache.stats().link.state == "lost")
    assert await cache.get("lead:1") is None
    if fault == "pause":
        server.resume()
    await wait_until_async(lambda: cache.stats().link.state == "found")
    await wait_until_async(lambda: cache.stats().breaker.state in ("closed", "half_open"))
    expected = "old" if fault == "pause" else "new"
    assert await cache.get_or_load("lead:1", Loads("new"), tags=("hot",)) == expected
    assert await cache.get_or_load("lead:2", Loads("two"), tags=("hot",)) == "two"
    await cache.invalidate("hot")
    assert await cache.get("lead:2") is None


@pytest.mark.parametrize(
    ("commands", "waiting"),
    [(("CONFIG SET maxmemory 1", "CONFIG SET maxmemory-policy noeviction"), 1), (("REPLICAOF 127.0.0.1 1",), 2)],
    ids=["full", "read-only"],
)
async def test_redis_that_stores_nothing_still_answers(cache, server, commands, waiting):
    """Reads go on, from what is there and from the loader; changes wait. A full Redis still deletes."""
    await cache.set("lead:1", "there")
    cache._parts.memory.clear()
    with server.client() as client:
        for command in commands:
            client.execute_command(*command.split())
    assert await cache.get("lead:1") == "there"
    for number in range(20):
        assert await cache.get_or_load(f"lead:{number + 100}", Loads(number)) == number
    await cache.set("lead:2", "new")
    await cache.delete("lead:3")
    assert cache.stats().breaker.state == "closed"
    assert cache.stats().outbox.keys == waiting


async def test_wrong_password_is_a_state(servers):
    """With a password that Redis refuses the cache works from memory and the loader."""
    with RedisServer(servers.folder, "--requirepass", "right") as server:
        async with opened(make_parts(server.url, new_prefix()), linked=False) as cache:
            assert await cache.get_or_load("lead:1", Loads("v")) == "v"
            assert await cache.get("lead:1") == "v"
            await wait_until_async(lambda: cache.stats().link.state == "lost")
            assert "password" in cache.stats().link.problem.lower() or "auth" in cache.stats().link.problem.lower()


@pytest.mark.parametrize("data", [b"", b"rubbish", b"\x00" * 40, b'{"a": 1}'], ids=repr)
async def test_poisoned_value_is_loaded_over(cache, server, data):
    """What somebody else wrote under a key of ours is a miss, and replaced."""
    with server.client() as client:
        client.set(cache._parts.redis.keys.value("lead:1"), data)
    assert await cache.get("lead:1") is None
    assert await cache.get_or_load("lead:1", Loads("good")) == "good"
    cache._parts.memory.clear()
    assert await cache.get("lead:1") == "good"


async def test_value_of_a_newer_format_is_left(cache, server):
    """What a newer version wrote is a miss for this one, which answers from the loader and leaves it."""
    name = cache._parts.redis.keys.value("lead:1")
    await cache.set("lead:1", "old")
    cache._parts.memory.clear()
    with server.client() as client:
        data = bytearray(client.get(name))
        data[2] += 1
        client.set(name, bytes(data))
        assert await cache.get_or_load("lead:1", Loads("mine")) == "mine"
        assert client.get(name) == bytes(data)


async def test_clock_of_redis_decides(cache):
    """A step of this host's wall clock changes nothing; a step of Redis' clock ends what is over by it."""
    await cache.set("lead:1", "v", ttl_seconds=100)
    cache._parts.memory.clear()
    link = cache._parts.link
    now = time.monotonic()
    link._redis_clock.sample(link.now() + 500, now, now)
    assert await cache.get("lead:1") is None
    link._redis_clock.sample(link.now() - 500, now + 1, now + 1)
    assert await cache.get("lead:1") == "v"


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["kill", "pause"])
async def test_a_thousand_reads_a_second_through_an_outage(cache, server, fault):
    """At 1,000 reads/s no read fails while Redis is away, and Redis answers again after it has returned."""
    answered: list[object] = []

    async def read(number: int) -> None:
        answered.append(await cache.get_or_load(f"lead:{number % 200}", Loads(number % 200)))

    async def traffic(seconds: float) -> None:
        began, number, readers = time.monotonic(), 0, []
        while number < seconds * READS_PER_SECOND:
            await wait_until_async(partial(is_past, began + number / READS_PER_SECOND))
            due = math.ceil((time.monotonic() - began) * READS_PER_SECOND) + 1
            readers += [asyncio.create_task(read(one)) for one in range(number, due)]
            number = due
        await asyncio.gather(*readers)

    await traffic(0.5)
    getattr(server, fault)()
    await traffic(2.0)
    server.resume() if fault == "pause" else server.start()
    await traffic(0.5)
    await wait_until_async(lambda: cache.stats().breaker.state != "open", 5.0)
    await wait_until_async(lambda: cache.stats().link.state == "found", 5.0)
    await traffic(2.5)
    assert cache.stats().breaker.state == "closed"
    assert len(answered) > 4_000
    assert set(answered) <= set(range(200))
    assert await cache.remaining_seconds([f"lead:{number}" for number in range(200)])
