"""Databases of one test, opened with settings of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from core.database.pool import Database, PoolSettings
from core.database.queries import Queries

Opened = Callable[..., Awaitable[Database]]


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    """Opens databases: the settings by name, what Database takes besides them in `parts`."""
    databases: list[Database] = []

    async def make(url: str, parts: dict[str, Any] | None = None, **settings: Any) -> Database:
        database = Database(url, Queries(), PoolSettings(**settings), **(parts or {}))
        await database.open()
        databases.append(database)
        return database

    yield make
    for database in databases:
        await database.close()
