"""RedisTier: the connection to Redis.

Owns the client, its timeouts and the translation of its errors. Refuses to retry on its own: a cache that is slower than the
query it saves is of no use.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from core.errors import DependencyDown, DependencyError, DependencyTimeout
from core.ports import Ping


@dataclass(frozen=True, slots=True)
class RedisStats:
    """What Redis says of itself: bytes in use, the most it may use (0 = no limit), keys in all databases."""

    used_bytes: int
    max_bytes: int
    keys: int


class RedisTier:
    """One Redis, reached by redis://, rediss:// or unix://."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        self._client = Redis.from_url(
            url, socket_timeout=timeout_seconds, socket_connect_timeout=timeout_seconds, retry=Retry(NoBackoff(), 0)
        )
        self._version = ""

    async def open(self) -> None:
        """Nothing to do: connections are made when they are needed."""

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def ping(self) -> Ping:
        """One round trip; raises DependencyDown or DependencyTimeout."""
        with _translated():
            if not self._version:  # Asked before the clock starts: the first command also pays for the connection.
                self._version = str((await self._client.info("server"))["redis_version"])
            started = time.perf_counter()
            await self._client.ping()
            return Ping(time.perf_counter() - started, self._version)

    async def stats(self) -> RedisStats:
        """Memory and keys now; raises as `ping` does."""
        with _translated():
            memory = await self._client.info("memory")
            keyspace = await self._client.info("keyspace")
            keys = sum(int(database["keys"]) for database in keyspace.values())
            return RedisStats(int(memory["used_memory"]), int(memory["maxmemory"]), keys)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (TimeoutError, RedisTimeoutError) as error:
        raise DependencyTimeout("Redis did not answer in time.") from error
    except (OSError, RedisConnectionError) as error:
        raise DependencyDown(f"Redis cannot be reached: {error}") from error
    except RedisError as error:
        raise DependencyError(f"Redis refused the command: {error}", "Check the user's rights in REDIS_URL.") from error
