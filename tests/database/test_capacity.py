"""Capacity: a pool that does not fit the server is refused with one sentence, when it connects."""

from __future__ import annotations

import asyncpg
import pytest

from core.database.capacity import Machine, ServerLimits, fits, pool_size
from core.errors import DependencyError
from tests.database.conftest import Opened


@pytest.mark.parametrize("size", [20, 92])
def test_what_fits_is_taken(size: int) -> None:
    """100 connections, 3 of them reserved, 5 for operators: 92 are left."""
    fits(ServerLimits(100, 3, -1, -1), size, 5)


@pytest.mark.parametrize(
    ("limits", "most", "reason"),
    [
        (ServerLimits(100, 3, -1, -1), 92, "max_connections 100, less 3 reserved, less 5 for operators"),
        (ServerLimits(100, 3, 30, -1), 30, "the limit of its role is 30"),
        (ServerLimits(100, 3, 30, 12), 12, "the limit of its database is 12"),
        (ServerLimits(8, 3, -1, -1), 0, "max_connections 8"),
    ],
)
def test_what_does_not_fit_is_refused(limits: ServerLimits, most: int, reason: str) -> None:
    """The sentence has the numbers and their source, the next step the value that works."""
    with pytest.raises(DependencyError, match=f"is 100, and PostgreSQL leaves {most} connections") as caught:
        fits(limits, 100, 5)

    assert reason in str(caught.value)
    assert str(most) in caught.value.next_step or most == 0


@pytest.mark.parametrize(
    ("asked", "machine", "watching", "most", "reason"),
    [
        (None, Machine(2, 91), False, 6, "3 for each of the 2 processors"),
        (None, Machine(1, 91), False, 4, "the least"),
        (None, Machine(64, 91), False, 86, "what max_connections leaves after 5 for operators"),
        (None, None, False, 8, "the server's processors are not known"),
        (20, Machine(2, 91), False, 20, "DATABASE_POOL_MAX"),
        (20, None, True, 4, "only watched"),
        (2, None, True, 2, "DATABASE_POOL_MAX"),
    ],
)  # fmt: skip
def test_a_pool_that_nobody_sized_fits_the_machine(
    asked: int | None, machine: Machine | None, watching: bool, most: int, reason: str
) -> None:
    """Three connections for a processor, no more than the server has room for; what was asked for counts, but for watching."""
    size = pool_size(asked, machine, 5, watching=watching)

    assert size.most == most
    assert reason in size.reason


async def test_a_pool_that_is_too_large_is_refused_by_each_call_and_by_the_ping(opened: Opened, database_url: str) -> None:
    """The server itself is asked; open is no error, and nothing stays connected."""
    database = await opened(database_url, max_size=100, operator_reserve=5)

    with pytest.raises(DependencyError, match="DATABASE_POOL_MAX is 100, and PostgreSQL leaves 92"):
        await database.fetch_value("SELECT 1")
    with pytest.raises(DependencyError, match="DATABASE_POOL_MAX"):
        await database.ping()
    assert database.stats().size == 0


async def test_a_limit_that_was_raised_is_seen_without_a_restart(opened: Opened, database_url: str) -> None:
    """A role that may have more sessions from now on is asked again at the next call."""
    admin = await asyncpg.connect(database_url)
    role = (await admin.fetchval("SELECT current_database()")).replace("test_", "role_")
    try:
        await admin.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 3")
        database = await opened(database_url.replace("platform@", f"{role}@"), max_size=4)
        with pytest.raises(DependencyError, match="the limit of its role is 3"):
            await database.fetch_value("SELECT 1")
        await admin.execute(f"ALTER ROLE {role} CONNECTION LIMIT 10")
        assert await database.fetch_value("SELECT 1") == 1
        await database.close()
    finally:
        await admin.execute(f"DROP ROLE {role}")
        await admin.close()
