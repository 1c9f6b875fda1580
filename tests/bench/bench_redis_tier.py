"""What reads from Redis cost, against redis-py and cashews in the same process; own CPU time decides, wall time is shown."""

from __future__ import annotations

import asyncio
import gc
import platform
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Protocol

import orjson
import pytest
import uvloop
from cashews import Cache
from redis.asyncio import Redis

from core.cache.memory_tier import MemoryTier
from core.cache.parts import CacheParts
from core.cache.policy import CachePolicy
from core.cache.redis_tier import RedisTier
from core.cache.tiered import TieredCache
from core.monitor import Recorder
from core.resilience import CircuitBreaker
from tests.cache.redis_server import RedisServer
from tests.console_process import free_port
from tests.servers import Servers
from tests.support import wait_until_async

# cashews closes its client by a name that redis-py has deprecated.
pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.filterwarnings("ignore::ResourceWarning")]

ROUNDS = 15
KEYS = [f"lead_analysis:{number}" for number in range(100)]
VALUE = {
    "id": "lead-1",
    "summary": "x" * 380,
    "scores": [1.5, 2.25] * 10,
    "name": "A B",
    "next": ["call", "mail"],
    "ok": True,
} | {f"field_{number}": number for number in range(5)}
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


class Contender(Protocol):
    """What is measured: whatever answers reads."""

    async def prepare(self, values: dict[str, Any]) -> None:
        """Store the values."""

    async def get(self, key: str) -> Any:
        """One value."""

    async def get_many(self, keys: list[str]) -> Any:
        """Many values."""

    def forget(self) -> None:
        """Let the next reads be the first ones, so that memory does not take part."""

    async def close(self) -> None:
        """End."""


class OurCache:
    """TieredCache as the services make it, metrics on and folded; nothing is in its memory."""

    def __init__(self, url: str) -> None:
        self._recorder = Recorder()
        tier = RedisTier(url, 5.0)
        self._parts = CacheParts(
            MemoryTier(max_entries=1_000, max_bytes=10_000_000), tier, CircuitBreaker("redis"), self._recorder, CachePolicy()
        )
        self._recorder.add_source(self._parts.insight.fold)
        self._cache = TieredCache(self._parts)
        self.get = self._cache.get
        self.get_many = self._cache.get_many

    async def prepare(self, values: dict[str, Any]) -> None:
        await self._recorder.open()
        await self._cache.open()
        await wait_until_async(lambda: self._parts.link.found)
        for key, value in values.items():
            await self._cache.set(key, value, ttl_seconds=3_600)
        self.forget()

    def forget(self) -> None:
        self._parts.memory.clear()
        self._parts.shelving._seen.clear()

    async def close(self) -> None:
        await self._cache.close()
        await self._parts.redis.close()
        await self._recorder.close()


class Peer:
    """What has no memory."""

    def forget(self) -> None:
        """Nothing to do."""


class RedisPy(Peer):
    """redis-py as it comes, and orjson."""

    def __init__(self, url: str) -> None:
        self._client = Redis.from_url(url)
        self.close = self._client.aclose

    async def prepare(self, values: dict[str, Any]) -> None:
        await self._client.mset({key: orjson.dumps(value) for key, value in values.items()})

    async def get(self, key: str) -> Any:
        return orjson.loads(await self._client.get(key))

    async def get_many(self, keys: list[str]) -> Any:
        return [orjson.loads(data) for data in await self._client.mget(keys)]


class Cashews(Peer):
    """cashews' redis backend as it comes: values are pickled."""

    def __init__(self, url: str) -> None:
        self._cache = Cache()
        self._cache.setup(url, client_side=False)
        self.get = self._cache.get
        self.close = self._cache.close

    async def prepare(self, values: dict[str, Any]) -> None:
        await self._cache.set_many({f"cashews:{key}": value for key, value in values.items()}, expire=3_600)
        self.get = lambda key: self._cache.get(f"cashews:{key}")

    async def get_many(self, keys: list[str]) -> Any:
        return await self._cache.get_many(*(f"cashews:{key}" for key in keys))


CONTENDERS: dict[str, Callable[[str], Contender]] = {"ours": OurCache, "redis-py": RedisPy, "cashews": Cashews}


async def _alone(contender: Contender) -> int:
    for _ in range(3):
        contender.forget()
        for key in KEYS:
            await contender.get(key)
    return len(KEYS) * 3


async def _together(contender: Contender) -> int:
    for _ in range(10):
        contender.forget()
        await asyncio.gather(*map(contender.get, KEYS))
    return 10


async def _many(contender: Contender) -> int:
    for _ in range(20):
        contender.forget()
        await contender.get_many(KEYS)
    return 20


WORK: dict[str, Callable[[Contender], Awaitable[int]]] = {
    "one lone get": _alone,
    "100 gets at once": _together,
    "get_many of 100": _many,
}
# Of the CPU of the other, per round, at most.
AT_MOST = {
    ("one lone get", "redis-py"): 1.3,
    ("100 gets at once", "redis-py"): 1 / 6,
    ("100 gets at once", "cashews"): 1 / 10,
    ("get_many of 100", "redis-py"): 1.3,
    ("get_many of 100", "cashews"): 1 / 2.5,
}


@dataclass(frozen=True)
class Cost:
    """Microseconds of one piece of work."""

    cpu: float
    wall: float


@pytest.fixture(scope="module")
def url(servers: Servers):
    """A Redis of its own, reached by TCP over loopback."""
    port = free_port()
    with RedisServer(servers.folder, "--port", str(port)):
        yield f"redis://127.0.0.1:{port}/0"


@pytest.mark.parametrize("loop", LOOPS)
def test_reads_from_redis(url: str, loop: str) -> None:
    """A lone get, a hundred at once, and one of a hundred: ratios of each round, medians of them."""
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        costs = runner.run(_measured(url))
    libraries = ", ".join(f"{name} {version(name)}" for name in ("redis", "hiredis", "cashews", "orjson", "uvloop"))
    print(
        f"\n{loop}, Python {platform.python_version()}, {libraries}, {len(orjson.dumps(VALUE))} bytes of JSON, {ROUNDS} rounds"
    )
    for work in WORK:
        for name in CONTENDERS:
            mine = costs[work, name]
            cpu, wall = (statistics.median(getattr(cost, kind) for cost in mine) for kind in ("cpu", "wall"))
            print(f"  {work:18} {name:9} cpu {cpu:8.1f} us   wall {wall:8.1f} us   ours/it {_ratio(costs, work, name):.3f}")
    for (work, name), most in AT_MOST.items():
        ratio = _ratio(costs, work, name)
        print(f"  {work}: {ratio:.3f} of {name}, promised {most:.3f}: {'held' if ratio <= most else 'NOT HELD'}")


async def _measured(url: str) -> dict[tuple[str, str], list[Cost]]:
    async with AsyncExitStack() as stack:  # uvloop waits for ever at its end for a connection that was left open.
        contenders = {name: make(url) for name, make in CONTENDERS.items()}
        for contender in contenders.values():
            stack.push_async_callback(contender.close)
        return await _rounds(contenders)


async def _rounds(contenders: dict[str, Contender]) -> dict[tuple[str, str], list[Cost]]:
    for contender in contenders.values():
        await contender.prepare(dict.fromkeys(KEYS, VALUE))
        assert _found(await contender.get_many(KEYS)) == len(KEYS)
        await _together(contender)  # Opens the connections.
    gc.collect()
    gc.freeze()  # As the console does at its start; else pytest's own heap is walked by whoever is measured.
    costs: dict[tuple[str, str], list[Cost]] = {(work, name): [] for work in WORK for name in contenders}
    for _ in range(ROUNDS):
        order = list(costs)
        random.shuffle(order)
        for work, name in order:
            cpu, wall = time.process_time(), time.perf_counter()
            done = await WORK[work](contenders[name])
            spent, passed = time.process_time() - cpu, time.perf_counter() - wall
            costs[work, name].append(Cost(spent / done * 1e6, passed / done * 1e6))
    return costs


def _found(answer: Any) -> int:
    values = answer.values() if isinstance(answer, dict) else answer
    return sum(value is not None for value in values)


def _ratio(costs: dict[tuple[str, str], list[Cost]], work: str, other: str) -> float:
    return statistics.median(mine.cpu / its.cpu for mine, its in zip(costs[work, "ours"], costs[work, other], strict=True))
