"""Tiered caches on a real Redis, several of them as if each were a process of its own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from core.cache.families import Families
from core.cache.memory_tier import MemoryTier
from core.cache.parts import CacheParts
from core.cache.policy import CachePolicy
from core.cache.redis_tier import RedisTier
from core.cache.tiered import TieredCache
from core.monitor import Recorder
from core.resilience import CircuitBreaker
from tests.support import wait_until_async
from tests.tcp_proxy import TcpProxy

HEARTBEAT_SECONDS = 0.1


class Loads:
    """A loader that counts its calls and answers what it is told."""

    def __init__(self, value: Any = None) -> None:
        self.value = value
        self.calls = 0

    async def __call__(self) -> Any:
        self.calls += 1
        if isinstance(self.value, BaseException):
            raise self.value
        return self.value


def new_prefix() -> str:
    """A prefix that no other test uses: the bus is one for all databases of a Redis."""
    return f"test-{uuid.uuid4().hex[:12]}:"


def make_parts(url: str, prefix: str, *, policy: CachePolicy | None = None, timeout_seconds: float = 0.5) -> CacheParts:
    """The parts of one cache, with a memory of 1,000 entries and quick heartbeats."""
    return CacheParts(
        MemoryTier(max_entries=1_000, max_bytes=10_000_000),
        RedisTier(url, timeout_seconds, prefix=prefix),
        CircuitBreaker("redis", open_seconds=0.2, open_seconds_most=0.5),
        Recorder(),
        policy or CachePolicy(),
        heartbeat_seconds=HEARTBEAT_SECONDS,
    )


@asynccontextmanager
async def opened(parts: CacheParts, families: Families | None = None, *, linked: bool = True) -> AsyncIterator[TieredCache]:
    """A cache in use; when `linked`, its bus is heard."""
    cache = TieredCache(parts, families)
    await parts.redis.open()
    await cache.open()
    try:
        if linked:
            await wait_until_async(lambda: parts.link.found)
        yield cache
    finally:
        await cache.close()
        await parts.redis.close()


@asynccontextmanager
async def caches(url: str, count: int, **how: Any) -> AsyncIterator[list[TieredCache]]:
    """Several caches under one prefix."""
    prefix = new_prefix()
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(opened(make_parts(url, prefix, **how))) for _ in range(count)]


def through(proxy: TcpProxy, url: str) -> str:
    """The same Redis database, reached through a proxy."""
    return f"redis://127.0.0.1:{proxy.port}/{parse_qs(urlsplit(url).query).get('db', ['0'])[0]}"
