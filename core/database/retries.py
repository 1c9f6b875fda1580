"""Retries: which failures may be answered by asking again, and nothing else.

A write is asked again only after the server itself has said that nothing of it was done. A connection that was lost says
nothing: the write may have been stored, so it is never repeated.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import asyncpg

LOST = (
    ConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
)
# 25006: the server has become a standby, or was made read-only. The statement was refused before it did anything.
FAILED_OVER = (asyncpg.ReadOnlySQLTransactionError,)
ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.01
_random = random.SystemRandom()


def may_repeat(error: BaseException, *, reads: bool, read_only_pool: bool) -> bool:
    """Whether one statement that failed with this error of the driver may be sent once more, on a new connection."""
    if isinstance(error, FAILED_OVER):
        return not read_only_pool
    return reads and isinstance(error, LOST)


def pauses(attempts: int = ATTEMPTS) -> Iterator[float]:
    """How long to wait before each further attempt, in seconds: twice as long each time, with full jitter.

    Exponential backoff and jitter, AWS Architecture Blog (2015): those who collided do not collide again.
    """
    for attempt in range(attempts - 1):
        yield _random.uniform(0.0, FIRST_PAUSE_SECONDS * 2**attempt)
