"""What the tests do with a server once it runs: write a value, read it back, ask a setting."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import redis


def query(url: str, sql: str, *, timeout_seconds: float = 10.0) -> Any:
    """The first value of one SQL statement on a connection of its own."""

    async def run() -> Any:
        connection = await asyncpg.connect(url, timeout=timeout_seconds)
        try:
            return await connection.fetchval(sql, timeout=timeout_seconds)
        finally:
            await connection.close()

    return asyncio.run(run())


def redis_client(url: str) -> redis.Redis:
    """A client; to be closed, or used in a `with` block."""
    return redis.Redis.from_url(url, decode_responses=True)


def write_value(url: str, value: str) -> None:
    """Store a value where `read_value` finds it after a restart."""
    if url.startswith("postgresql:"):
        query(url, f"CREATE TABLE kept AS SELECT '{value}' AS value")
        return
    with redis_client(url) as client:
        client.set("kept", value)


def read_value(url: str) -> str:
    """The value of `write_value`."""
    if url.startswith("postgresql:"):
        return str(query(url, "SELECT value FROM kept"))
    with redis_client(url) as client:
        return str(client.get("kept"))
