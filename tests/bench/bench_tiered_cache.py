"""A hit in memory through `await get`, metrics on, beside cashews and aiocache; and one cold key in four processes."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from platform import python_version
from typing import Any

import orjson
import pytest
import uvloop
from aiocache import Cache as AioCache
from cashews import Cache as CashewsCache

from core.cache.memory_tier import MemoryTier
from core.cache.parts import CacheParts
from core.cache.policy import CachePolicy
from core.cache.redis_tier import RedisTier
from core.cache.tiered import TieredCache
from core.monitor import Recorder
from core.resilience import CircuitBreaker
from tests.bench.bench_memory_tier import LEAD
from tests.cache.caches import make_parts, new_prefix, opened
from tests.support import wait_until_async

ROUNDS, READS = 7, 40_000
LOAD_SECONDS = 0.2
NOWHERE = "redis://127.0.0.1:1"
Get = Callable[[str], Awaitable[Any]]


@pytest.mark.parametrize("keys", [1_000, 10_000])
def test_hit_in_memory(keys: int) -> None:
    """Process CPU, the folding of the log of hits included; each key has a value of its own, read in random order."""
    values = {"immutable": "x" * 200, "650-byte JSON": LEAD}
    for kind, value in values.items():
        size = len(orjson.dumps(value))
        rounds = uvloop.run(_hits(value, keys))
        medians = {name: statistics.median(figures) for name, figures in rounds.items()}
        ratios = {
            name: statistics.median(theirs / ours for theirs, ours in zip(figures, rounds["ours"], strict=True))
            for name, figures in rounds.items()
        }
        print(f"\n{kind} ({size} bytes), {keys} keys, us per read: ", end="")
        print(", ".join(f"{name} {medians[name]:.2f} ({ratios[name]:.1f}x)" for name in medians))
    print(
        f"cashews {version('cashews')}, aiocache {version('aiocache')}, Python {python_version()}, uvloop {uvloop.__version__}"
    )


async def _hits(value: Any, count: int) -> dict[str, list[float]]:
    recorder = Recorder()
    await recorder.open()
    parts = CacheParts(
        MemoryTier(max_entries=2 * count, max_bytes=1 << 30), RedisTier(NOWHERE, 0.1), CircuitBreaker("redis"), recorder,
        CachePolicy(unverified_seconds=3600),
    )  # fmt: skip
    ours, cashews, aiocache = TieredCache(parts), CashewsCache(), AioCache(AioCache.MEMORY)
    recorder.add_source(ours.insight.fold)
    cashews.setup("mem://", size=2 * count)
    keys = [f"lead:{number}" for number in range(count)]
    for key in keys:
        await ours.set(key, value, ttl_seconds=3600)
        await cashews.set(key, orjson.loads(orjson.dumps(value)))
        await aiocache.set(key, orjson.loads(orjson.dumps(value)))
    contenders: dict[str, Get] = {"ours": ours.get, "cashews": cashews.get, "aiocache": aiocache.get}
    read = random.Random(1).choices(keys, k=READS)
    rounds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(ROUNDS):
        for name in random.Random(turn).sample(list(contenders), len(contenders)):
            rounds[name].append(await _time(contenders[name], read if name != "aiocache" else read[: READS // 8]))
    await recorder.close()
    return rounds


async def _time(get: Get, keys: list[str]) -> float:
    began = time.process_time()
    for key in keys:
        await get(key)
    return (time.process_time() - began) / len(keys) * 1e6


def test_one_cold_key_in_four_processes(redis_url: str) -> None:
    """A thousand callers in each of four processes: loads in each, and in all while the lock holds."""
    prefix, context = new_prefix(), multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        barrier_at = time.time() + 5
        loads = pool.starmap(_stampede, [(redis_url, prefix, barrier_at)] * 4)
    print(f"\n1,000 callers in each of 4 processes, loads by process: {loads}")
    assert max(loads) <= 1
    assert sum(loads) == 1


def _stampede(url: str, prefix: str, begins_at: float) -> int:
    return uvloop.run(_callers(url, prefix, begins_at))


async def _callers(url: str, prefix: str, begins_at: float) -> int:
    calls = 0

    async def load() -> str:
        nonlocal calls
        calls += 1
        until = time.monotonic() + LOAD_SECONDS
        await wait_until_async(lambda: time.monotonic() >= until)
        return "value"

    async with opened(make_parts(url, prefix)) as cache:
        await wait_until_async(lambda: time.time() >= begins_at)
        values = await asyncio.gather(*(cache.get_or_load("lead:1", load) for _ in range(1_000)))
    assert values == ["value"] * 1_000
    return calls
