"""Fixtures of the operations' tests: one process's Operations on this test's own store, and more of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from core.database.pool import Database, PoolSettings
from core.database.queries import Queries
from core.operations import Operations

Opener = Callable[[str], Awaitable[Operations]]


@pytest.fixture
async def open_operations() -> AsyncIterator[Opener]:
    """Opens Operations on a store, as another process would; all are closed at the end."""
    async with AsyncExitStack() as stack:

        async def open_one(url: str) -> Operations:
            queries = Queries()
            settings = PoolSettings(max_size=4, connect_timeout_seconds=1.0, command_timeout_seconds=2.0)
            store = Database(url, queries, settings)
            operations = Operations(store, queries)
            await store.open()
            stack.push_async_callback(store.close)
            await operations.open()
            stack.push_async_callback(operations.close)
            return operations

        yield open_one


@pytest.fixture
async def operations(open_operations: Opener, database_url: str) -> Operations:
    """Operations of this process."""
    return await open_operations(database_url)
