"""Services: one of each noun, and the only place that constructs them.

Owns the order of opening and closing. `build_services` does no I/O and raises only SettingsError; opening never fails for a
server that is down, since that is a state which Health reports and retries.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from core.cache.redis_tier import RedisTier
from core.database.pool import Database, PoolSettings
from core.database.queries import Queries
from core.embedded import EmbeddedPostgres, EmbeddedRedis, EmbeddedServer
from core.errors import CoreError
from core.health import Check, Health
from core.monitor import Recorder
from core.operations import Operations
from core.platform.activity import Activity
from core.platform.data import DataOperations
from core.platform.milestones import Milestones
from core.platform.overview import Overview
from core.platform.platform import Platform
from core.platform.traffic import Traffic
from core.platform.uploads import Uploads
from core.ports import Pingable
from core.settings import Settings, masked
from core.setup import Setup, Stores

log = logging.getLogger(__name__)

WATCH_POOL_MAX = 4  # On somebody's production: few connections.
CONSOLE_POOL_MAX = 4


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
    platform: Platform
    health: Health
    setup: Setup
    operations: Operations
    activity: Activity
    data: DataOperations
    traffic: Traffic
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
            self.monitor, self.database, self.console_store, self.redis,
            self.health, self.setup, self.milestones, self.data.uploads, self.operations,
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
    database = Database(platform_url, queries, _platform_pool(settings), monitor)
    console_store = Database(console_url, queries, PoolSettings(max_size=CONSOLE_POOL_MAX, application_name="console store"))
    redis = RedisTier(redis_url, settings.redis_timeout_seconds)

    one_server = settings.database_embedded and settings.console_store_embedded
    checks = [
        _check(settings, "postgresql", database, embedded_postgres),
        _check(settings, "redis", redis, embedded_redis),
        *([] if one_server else [_check(settings, "console_store", console_store, embedded_postgres)]),
    ]
    health = Health(checks, settings.health_interval_seconds, settings.health_timeout_seconds)
    setup = Setup(
        settings,
        Stores(database, platform_url, console_store, console_url, "postgresql" if one_server else "console_store"),
        health,
        records_start=console,
    )
    milestones = Milestones(console_store, setup)
    operations = Operations(console_store, queries)
    needs_postgres = settings.database_embedded or settings.console_store_embedded
    embedded = (*([embedded_postgres] if needs_postgres else []), *([embedded_redis] if settings.redis_embedded else []))
    return Services(
        settings=settings,
        monitor=monitor,
        embedded=embedded,
        database=database,
        console_store=console_store,
        redis=redis,
        platform=Platform(settings, database, console_store),
        health=health,
        setup=setup,
        operations=operations,
        activity=Activity(operations),
        data=DataOperations(settings, database, operations, setup, health, Uploads(settings.data_dir)),
        traffic=Traffic(settings, operations),
        milestones=milestones,
        overview=Overview(settings, database, console_store, redis, health, setup, milestones),
    )


def _platform_pool(settings: Settings) -> PoolSettings:
    watching = settings.effective_mode == "watch"
    return PoolSettings(
        min_size=settings.database_pool_min,
        max_size=min(settings.database_pool_max, WATCH_POOL_MAX) if watching else settings.database_pool_max,
        connect_timeout_seconds=settings.database_connect_timeout_seconds,
        command_timeout_seconds=settings.database_command_timeout_seconds,
        application_name=f"console {settings.environment}",
        read_only=watching,
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
