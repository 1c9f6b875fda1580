"""Fixtures of the tests of Claude."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from core.claude.client import ClaudeClient
from core.database.pool import Database
from tests.claude.api_answers import KEY, Answering
from tests.claude.stores import open_store

MakeClient = Callable[..., ClaudeClient]


@pytest.fixture
async def claude_client() -> AsyncIterator[MakeClient]:
    """Makes clients over an answer or with a base URL; each is closed at the end of the test."""
    importlib.import_module("core.claude.sdk")  # Not on the time of the first ask: it takes long on a busy machine.
    clients: list[ClaudeClient] = []

    def make(answer: Any = None, *, key: str | None = KEY, **fields: Any) -> ClaudeClient:
        transport = answer if answer is None or isinstance(answer, Answering) else Answering(answer)
        clients.append(ClaudeClient(key, transport=transport, **fields))
        return clients[-1]

    yield make
    for client in clients:
        await client.close()


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Database]:
    """The console's store."""
    async with open_store(database_url) as opened:
        yield opened
