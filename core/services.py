"""Services: one of each noun, and the only place that constructs them.

Owns the order of opening and closing. `build_services` does no I/O and raises only SettingsError; opening never fails for a
server that is down, since that is a state which Health reports and retries.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from core.cache.memory_tier import MemoryTier
from core.cache.parts import CacheParts
from core.cache.policy import CachePolicy
from core.cache.redis_tier import RedisTier
from core.cache.redis_tier.command_lines import CommandLines
from core.cache.tiered import TieredCache
from core.database.indexes.catalog import Indexes
from core.database.indexes.shipped import IndexSet
from core.database.parts import DatabaseParts
from core.database.pool import Database, PoolSettings
from core.database.queries import Queries
from core.embedded import EmbeddedPostgres, EmbeddedRedis, EmbeddedServer
from core.errors import CoreError
from core.health import Check, Health
from core.monitor import Recorder
from core.operations import Operations
from core.platform.activity import Activity
from core.platform.cache_keys import CacheKeys
from core.platform.cache_operations import CacheOperations
from core.platform.cache_overview import CacheOverview
from core.platform.changes import PlatformChanges
from core.platform.data import DataOperations
from core.platform.database_operations import DatabaseOperations
from core.platform.database_view import DatabaseOverview
from core.platform.index_overview import IndexOverview
from core.platform.indexes import IndexOperations
from core.platform.milestones import Milestones
from core.platform.overview import Overview
from core.platform.platform import Platform
from core.platform.traffic import Traffic
from core.platform.uploads import Uploads
from core.platform.warming import Warming
from core.ports import Pingable
from core.resilience import CircuitBreaker
from core.settings import Settings, masked
from core.setup import Setup, Stores

log = logging.getLogger(__name__)

CONSOLE_POOL_MAX = 4
REDIS_BREAKER_OPEN_SECONDS_MOST = 2.0  # So that the cache is used again within 5 s of Redis' return.


class Service(Protocol):
    """What is opened and closed."""

    async def open(self) -> None:
        """Start; waits for no server."""
        ...

    async def close(self) -> None:
        """End."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """Every service of one process; `async with services:` opens and closes them."""

    settings: Settings
    monitor: Recorder
    embedded: tuple[EmbeddedServer, ...]
    database: Database
    console_store: Database
    redis: RedisTier
    cache: TieredCache
    platform: Platform
    health: Health
    setup: Setup
    operations: Operations
    activity: Activity
    data: DataOperations
    database_overview: DatabaseOverview
    database_operations: DatabaseOperations
    indexes: IndexOperations
    index_overview: IndexOverview
    traffic: Traffic
    warming: Warming
    cache_overview: CacheOverview
    cache_keys: CacheKeys
    cache_operations: CacheOperations
    milestones: Milestones
    overview: Overview

    async def open(self) -> None:
        """Start everything; waits for no server."""
        for service in self._in_order():
            await service.open()

    async def close(self) -> None:
        """End everything in the reverse order, then let go of the embedded servers; the last holder stops them."""
        for service in reversed(self._in_order()):
            try:
                await service.close()
            except Exception:
                log.exception("close_failed service=%s", type(service).__name__)
        for server in self.embedded:
            try:
                # In this thread: at the interpreter's end no other can be started, and nothing else is left to run.
                server.release()
            except CoreError as error:
                log.error("release_failed server=%s error=%r", server.name, str(error))

    def _in_order(self) -> tuple[Service, ...]:
        """Those that are opened, in this order, and closed in the reverse."""
        return (
            self.monitor, self.database, self.database_overview, self.console_store, self.redis, self.cache,
            self.health, self.setup, self.milestones, self.data.uploads, self.operations, self.indexes,
            self.warming,
        )  # fmt: skip

    async def __aenter__(self) -> Services:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def build_services(settings: Settings, *, console: bool = True) -> Services:
    """The parts list of one process; `console` is False for one that only serves the API."""
    embedded_postgres, embedded_redis = EmbeddedPostgres(settings.data_dir), EmbeddedRedis(settings.data_dir)
    platform_url = settings.database_url or embedded_postgres.url
    console_url = settings.console_database_url or embedded_postgres.url
    redis_url = settings.redis_url or embedded_redis.url

    monitor = Recorder()
    queries = Queries()
    database_parts = DatabaseParts(settings, platform_url, queries, monitor)
    database = database_parts.database
    console_store = Database(console_url, queries, PoolSettings(max_size=CONSOLE_POOL_MAX, application_name="console store"))
    redis = _redis_tier(settings, redis_url)
    parts = _cache_parts(settings, redis, monitor)
    cache = TieredCache(parts)

    one_server = settings.database_embedded and settings.console_store_embedded
    checks = [
        _check(settings, "postgresql", database, embedded_postgres),
        _check(settings, "redis", redis, embedded_redis),
        *([] if one_server else [_check(settings, "console_store", console_store, embedded_postgres)]),
    ]
    health = Health(checks, settings.health_interval_seconds, settings.health_timeout_seconds)
    changes = PlatformChanges(cache)
    setup = Setup(
        settings,
        Stores(database, platform_url, console_store, console_url, "postgresql" if one_server else "console_store"),
        health,
        records_start=console,
        changed=changes.everything,
    )
    platform = Platform(settings, database, console_store, changes)
    for family in platform.families():
        cache.families.add(family)
    milestones = Milestones(console_store, setup)
    operations = Operations(console_store, queries)
    activity = Activity(operations)
    indexes = IndexOperations(
        settings, database, console_store, operations, setup, Indexes(queries, IndexSet()), queries, follows=console
    )
    warming = Warming(settings, cache, database, operations, setup, schedules=console)
    cache_overview = CacheOverview(settings, monitor, parts, cache, health, warming)
    database_overview = DatabaseOverview(settings, monitor, database_parts, queries, health)
    lines = CommandLines(redis_url, redis.keys)
    needs_postgres = settings.database_embedded or settings.console_store_embedded
    embedded = (*([embedded_postgres] if needs_postgres else []), *([embedded_redis] if settings.redis_embedded else []))
    return Services(
        settings=settings,
        monitor=monitor,
        embedded=embedded,
        database=database,
        console_store=console_store,
        redis=redis,
        cache=cache,
        platform=platform,
        health=health,
        setup=setup,
        operations=operations,
        activity=activity,
        data=DataOperations(settings, database, operations, setup, health, Uploads(settings.data_dir), changes),
        database_overview=database_overview,
        database_operations=DatabaseOperations(settings, monitor, database_parts, queries, operations),
        indexes=indexes,
        index_overview=IndexOverview(database, indexes, operations, activity),
        traffic=Traffic(settings, operations),
        warming=warming,
        cache_overview=cache_overview,
        cache_keys=CacheKeys(parts, cache.families, lines, writes=cache_overview.writes),
        cache_operations=CacheOperations(settings, parts, cache, operations, lines),
        milestones=milestones,
        overview=Overview(settings, database, console_store, redis, health, setup, milestones, warming.missed),
    )


def _cache_parts(settings: Settings, redis: RedisTier, monitor: Recorder) -> CacheParts:
    policy = CachePolicy(
        soft_timeout_seconds=settings.cache_soft_timeout_seconds,
        hard_timeout_seconds=settings.cache_hard_timeout_seconds,
        stale_seconds=settings.cache_stale_seconds,
    )
    memory = MemoryTier(max_entries=settings.cache_memory_max_entries, max_bytes=settings.cache_memory_max_bytes)
    breaker = CircuitBreaker(
        "redis", slow_call_seconds=settings.cache_redis_timeout_seconds, open_seconds_most=REDIS_BREAKER_OPEN_SECONDS_MOST
    )
    # Somebody's production that is only watched: nothing is stored in its Redis, and memory lives for moments.
    writes = settings.redis_embedded or settings.effective_mode == "operate"
    parts = CacheParts(memory, redis, breaker, monitor, policy, writes=writes)
    monitor.add_source(parts.insight.fold)
    return parts


def _redis_tier(settings: Settings, url: str) -> RedisTier:
    prefix = settings.cache_prefix
    if settings.redis_embedded and settings.database_url is not None:
        # The embedded Redis outlives a change of DATABASE_URL, and must not answer for another database.
        prefix += f"{hashlib.sha256(masked(settings.database_url).encode()).hexdigest()[:8]}:"
    return RedisTier(
        url,
        settings.cache_redis_timeout_seconds,
        prefix=prefix,
        connect_timeout_seconds=settings.redis_timeout_seconds,
    )


def _check(settings: Settings, name: str, service: Pingable, server: EmbeddedServer) -> Check:
    """How one dependency is watched; `server` counts only when no URL names another."""
    title, variable, url = {
        "postgresql": ("PostgreSQL", "DATABASE_URL", settings.database_url),
        "redis": ("Redis", "REDIS_URL", settings.redis_url),
        "console_store": ("The console's store", "CONSOLE_DATABASE_URL", settings.console_database_url),
    }[name]
    if url is None:
        advice = f"The console starts it again by itself; if this lasts, read the server's log in {settings.data_dir}."
        return Check(name, title, service, "embedded", advice, server)
    where = masked(url)
    advice = f"Check that the server at {where} runs and that {variable} is right; the console reconnects by itself."
    return Check(name, title, service, where, advice)
