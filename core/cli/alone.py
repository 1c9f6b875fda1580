"""What a command opens when it needs one database only: nothing else is started, and no schema is touched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.database.pool import Database
from core.embedded import EmbeddedPostgres
from core.services import Services, build_services
from core.settings import Settings


@asynccontextmanager
async def watched_database() -> AsyncIterator[Services]:
    """Services of which the watched database is open, and the connection for looking at it."""
    settings = Settings.from_env()
    services = build_services(settings, console=False)
    async with _open(services, services.database, embedded=settings.database_embedded):
        await services.database_overview.open()
        try:
            yield services
        finally:
            await services.database_overview.close()


@asynccontextmanager
async def console_store() -> AsyncIterator[Services]:
    """Services of which the console's store is open."""
    settings = Settings.from_env()
    services = build_services(settings, console=False)
    async with _open(services, services.console_store, embedded=settings.console_store_embedded):
        yield services


@asynccontextmanager
async def _open(services: Services, database: Database, *, embedded: bool) -> AsyncIterator[None]:
    held = [server for server in services.embedded if isinstance(server, EmbeddedPostgres) and embedded]
    try:
        for server in held:
            await asyncio.to_thread(server.ensure)
        await database.open()
        yield
    finally:
        await database.close()
        for server in held:
            await asyncio.to_thread(server.release)
