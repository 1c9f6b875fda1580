"""Ground: what every service of a process stands on: the servers' clients, the recorder, and Health which watches them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from core.cache.memory_tier import MemoryTier
from core.cache.parts import CacheParts
from core.cache.policy import CachePolicy
from core.cache.redis_tier import RedisTier
from core.database.capacity import Machine
from core.database.parts import LOOKING_MAX, DatabaseParts
from core.database.pool import Database, PoolSettings
from core.database.queries import Queries
from core.embedded import MAX_CONNECTIONS, EmbeddedPostgres, EmbeddedRedis, EmbeddedServer, processors
from core.health import Check, Health
from core.monitor import Recorder
from core.ports import Pingable
from core.resilience import CircuitBreaker
from core.settings import Settings, masked
from core.setup import Stores

CONSOLE_POOL_MAX = 4
SUPERUSERS_RESERVED = 3  # PostgreSQL's default.
REDIS_BREAKER_OPEN_SECONDS_MOST = 2.0  # So that the cache is used again within 5 s of Redis' return.


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """One of each."""

    embedded: tuple[EmbeddedServer, ...]
    monitor: Recorder
    queries: Queries
    database_parts: DatabaseParts
    console_store: Database
    redis_url: str
    redis: RedisTier
    cache_parts: CacheParts
    health: Health
    stores: Stores


def make_ground(settings: Settings) -> Ground:
    """The clients of the servers that the settings name, or of the embedded ones."""
    postgres, embedded_redis = EmbeddedPostgres(settings.data_dir), EmbeddedRedis(settings.data_dir)
    platform_url = settings.database_url or postgres.url
    console_url = settings.console_database_url or postgres.url
    redis_url = settings.redis_url or embedded_redis.url
    monitor, queries = Recorder(), Queries()
    parts = DatabaseParts(settings, platform_url, queries, monitor, _machine(settings))
    store = Database(console_url, queries, PoolSettings(max_size=CONSOLE_POOL_MAX, application_name="console store"))
    redis = _redis_tier(settings, redis_url)
    one_server = settings.database_embedded and settings.console_store_embedded
    checks = [
        _check(settings, "postgresql", parts.database, postgres),
        _check(settings, "redis", redis, embedded_redis),
        *([] if one_server else [_check(settings, "console_store", store, postgres)]),
    ]
    needs_postgres = settings.database_embedded or settings.console_store_embedded
    return Ground(
        embedded=(*([postgres] if needs_postgres else []), *([embedded_redis] if settings.redis_embedded else [])),
        monitor=monitor,
        queries=queries,
        database_parts=parts,
        console_store=store,
        redis_url=redis_url,
        redis=redis,
        cache_parts=_cache_parts(settings, redis, monitor),
        health=Health(checks, settings.health_interval_seconds, settings.health_timeout_seconds),
        stores=Stores(parts.database, platform_url, store, console_url, "postgresql" if one_server else "console_store"),
    )


def _machine(settings: Settings) -> Machine | None:
    """The machine of the embedded server, less the connections that the console needs itself; None with another server."""
    if not settings.database_embedded:
        return None
    return Machine(processors(), MAX_CONNECTIONS - SUPERUSERS_RESERVED - CONSOLE_POOL_MAX - LOOKING_MAX)


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
