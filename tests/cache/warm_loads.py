"""Loaders and caches for the tests of warm runs: real caches on a real Redis, loaders that do as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from core.cache.families import Families, Family
from core.cache.policy import CachePolicy
from core.cache.tiered import TieredCache
from core.cache.warming.plan_keys import PlanKeys
from core.cache.warming.plans import WarmPlan
from core.cache.warming.warmer import CacheWarmer
from core.errors import UsageError
from tests.cache.caches import make_parts, new_prefix, opened

TTL_SECONDS = 600.0


class ToldLoads:
    """Loads `lead:<anything>`: counts, waits while it is held, and raises what it is told to raise for a key."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.under_way = self.most_under_way = 0
        self.errors: dict[str, Exception] = {}
        self.error: Exception | None = None
        self.stop_after: int | None = None  # Held from then on.
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, rest: str) -> Any:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(0)
            await self.go.wait()
        finally:
            self.under_way -= 1
        if error := self.errors.get(rest, self.error):
            raise error
        self.loaded.append(rest)
        if len(self.loaded) == self.stop_after:
            self.go.clear()
        return {"id": rest}


class NoRows:
    """A database that no plan of the test asks."""

    async def fetch_all(self, *_: object, **__: object) -> Sequence[Any]:
        raise AssertionError("no query was expected")

    fetch_one = fetch_value = execute = fetch_all


def families_of(load: Callable[[str], Any]) -> Families:
    """One family, `lead`."""
    return Families((Family(name="lead", title="Leads", load=load, ttl_seconds=TTL_SECONDS),))


def warmer_of(cache: TieredCache, most_concurrency: int = 8) -> CacheWarmer:
    """A warmer for plans that list their keys."""
    return CacheWarmer(cache, PlanKeys(NoRows(), cache.families, cache.insight.most_missed, no_path), most_concurrency)


def plan_of(count: int, **changes: Any) -> WarmPlan:
    """A plan of so many leads."""
    given: dict[str, Any] = {"name": "leads", "title": "Leads", "keys": tuple(f"lead:{number}" for number in range(count))}
    return WarmPlan(**{**given, **changes})


def nowhere(_what: str, _done: int, _total: int) -> None:
    """A Progress that nobody watches."""


def no_path(path: str) -> str:
    """No path is a key here."""
    raise UsageError(f"{path} is no key.")


@asynccontextmanager
async def warm_cache(url: str, load: Callable[[str], Any], **how: Any) -> AsyncIterator[TieredCache]:
    """A cache of one family, with quick times."""
    policy = how.pop("policy", CachePolicy(hard_timeout_seconds=2.0))
    async with opened(make_parts(url, new_prefix(), policy=policy), families_of(load), **how) as cache:
        yield cache
