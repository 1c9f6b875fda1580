"""1,000 reads a second through an outage of Redis: what they took, and how soon Redis is used again."""

from __future__ import annotations

import asyncio
import math
import time
from functools import partial
from statistics import quantiles

import pytest
import uvloop

from core.cache.memory_tier import MemoryTier
from core.cache.parts import CacheParts
from core.cache.policy import CachePolicy
from core.cache.redis_tier import RedisTier
from core.cache.tiered import TieredCache
from core.monitor import Recorder
from core.resilience import CircuitBreaker
from tests.cache.caches import opened
from tests.cache.redis_server import RedisServer
from tests.servers import Servers
from tests.support import wait_until_async

READS_PER_SECOND, KEYS = 1_000, 5_000  # More keys than memory holds, so that half of the reads ask Redis.
BEFORE_SECONDS, OUTAGE_SECONDS, AFTER_SECONDS = 4, 6, 8
LOAD_SECONDS = 0.005


@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_reads_through_an_outage(servers: Servers, fault: str) -> None:
    """No read fails, P99 stays below one soft timeout, and Redis answers again within 5 s of its return."""
    with RedisServer(servers.folder) as server:
        uvloop.run(_outage(server, fault))


async def _outage(server: RedisServer, fault: str) -> None:
    policy = CachePolicy()
    breaker = CircuitBreaker("redis", slow_call_seconds=0.1, open_seconds_most=2.0)
    parts = CacheParts(
        MemoryTier(max_entries=1_000, max_bytes=10_000_000), RedisTier(server.url, 0.1), breaker, Recorder(), policy
    )
    async with opened(parts) as cache:
        await _traffic(cache, BEFORE_SECONDS)
        getattr(server, fault)()
        taken = await _traffic(cache, OUTAGE_SECONDS)
        server.start() if fault == "kill" else server.resume()
        returned = time.monotonic()
        after = asyncio.create_task(_traffic(cache, AFTER_SECONDS))
        await wait_until_async(lambda: cache.stats().breaker.state == "closed" and cache.stats().link.state == "found")
        recovered_seconds = time.monotonic() - returned
        await after
    cuts = quantiles(taken, n=100)
    print(
        f"\n{fault}: {len(taken)} reads in the outage, none failed; P50 {cuts[49] * 1e3:.2f} ms, P99 {cuts[98] * 1e3:.1f} ms, "
        f"most {max(taken) * 1e3:.1f} ms (soft timeout {policy.soft_timeout_seconds * 1e3:.0f} ms, a load takes "
        f"{LOAD_SECONDS * 1e3:.0f} ms); Redis in use {recovered_seconds:.2f} s after its return"
    )
    assert cuts[98] < policy.soft_timeout_seconds
    assert recovered_seconds < 5


async def _traffic(cache: TieredCache, seconds: float) -> list[float]:
    """The seconds that each read took."""
    began, number, readers = time.monotonic(), 0, []
    while number < seconds * READS_PER_SECOND:
        await wait_until_async(partial(_is_past, began + number / READS_PER_SECOND))
        due = math.ceil((time.monotonic() - began) * READS_PER_SECOND) + 1
        readers += [asyncio.create_task(_read(cache, one * 7_919 % KEYS)) for one in range(number, due)]
        number = due
    return await asyncio.gather(*readers)


async def _read(cache: TieredCache, number: int) -> float:
    async def load() -> int:
        until = time.monotonic() + LOAD_SECONDS
        await wait_until_async(partial(_is_past, until))
        return number

    started = time.monotonic()
    assert await cache.get_or_load(f"lead:{number}", load) == number
    return time.monotonic() - started


def _is_past(moment: float) -> bool:
    return time.monotonic() >= moment
