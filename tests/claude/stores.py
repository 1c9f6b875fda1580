"""The console's store as one process has it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.database.pool import Database, PoolSettings
from core.database.queries import Queries


@asynccontextmanager
async def open_store(url: str) -> AsyncIterator[Database]:
    """A pool of its own, as another process would have."""
    settings = PoolSettings(max_size=4, connect_timeout_seconds=1.0, command_timeout_seconds=2.0)
    store = Database(url, Queries(), settings)
    await store.open()
    try:
        yield store
    finally:
        await store.close()
