"""Capacity: whether a pool fits the server that it connects to.

Owns the arithmetic of PostgreSQL's limits, the size of a pool that nobody set, and the one sentence that refuses a pool. What
is refused is refused at connect time, as an error of the call: the limits are the server's, and they may be raised while the
console runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from core.errors import DependencyError

# Measured on two cores with 100 tasks: 4 connections gave 1.8 times the throughput of 90 (docs/decisions/0010-pool.md).
PER_PROCESSOR, LEAST = 3, 4
ELSEWHERE = 8  # Where nobody can tell how many processors the server has.
WATCHED_MOST = 4  # On somebody's production: few connections.
USE_POOLER_MODE = "Set DATABASE_POOLER=transaction, or connect to PostgreSQL directly."


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """How many sessions PostgreSQL allows; -1 in the last two means no limit of its own."""

    max_connections: int
    reserved: int
    role_limit: int
    database_limit: int


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine of the embedded server: its processors, and how many connections the server has for pools and operators."""

    processors: int
    connections: int


@dataclass(frozen=True, slots=True)
class PoolSize:
    """The most connections that a pool opens, and why that many, in words that follow "at most 6"."""

    most: int
    reason: str


def pool_size(asked: int | None, machine: Machine | None, operator_reserve: int, *, watching: bool) -> PoolSize:
    """The size that was asked for, else what fits the machine; `machine` None: the server is somebody else's."""
    if watching and (asked is None or asked > WATCHED_MOST):
        return PoolSize(WATCHED_MOST, "the most for a database that is only watched")
    if asked is not None:
        return PoolSize(asked, "DATABASE_POOL_MAX")
    if machine is None:
        return PoolSize(ELSEWHERE, "the usual number, as the server's processors are not known; DATABASE_POOL_MAX sets another")
    wanted, room = max(LEAST, PER_PROCESSOR * machine.processors), max(1, machine.connections - operator_reserve)
    if room < wanted:
        return PoolSize(room, f"what max_connections leaves after {operator_reserve} for operators")
    each = f"{PER_PROCESSOR} for each of the {machine.processors} processors" if wanted > LEAST else "the least"
    return PoolSize(wanted, f"{each}; more only queue inside PostgreSQL")


def fits(limits: ServerLimits, pool_max: int, operator_reserve: int) -> None:
    """Raises DependencyError when `pool_max` sessions and those kept for operators are more than the server allows."""
    room = limits.max_connections - limits.reserved - operator_reserve
    own = [limit for limit in (limits.role_limit, limits.database_limit) if limit >= 0]
    most = max(min([room, *own]), 0)
    if pool_max <= most:
        return
    reason = f"max_connections {limits.max_connections}, less {limits.reserved} reserved, less {operator_reserve} for operators"
    if own and min(own) < room:
        reason = f"the limit of its {'role' if limits.role_limit == min(own) else 'database'} is {min(own)}"
    raise DependencyError(
        f"DATABASE_POOL_MAX is {pool_max}, and PostgreSQL leaves {most} connections to this pool: {reason}.",
        f"Set DATABASE_POOL_MAX to {most} or less, or raise max_connections of PostgreSQL and restart it."
        if most
        else "Raise max_connections of PostgreSQL and restart it, or lower DATABASE_OPERATOR_RESERVE.",
    )


async def check(connection: asyncpg.Connection[asyncpg.Record], sql: str, pool_max: int, operator_reserve: int) -> None:
    """Ask the server behind a new connection for its limits; raises DependencyError when the pool does not fit it."""
    row = await connection.fetchrow(sql)
    assert row is not None
    if row["backend_pid"] != connection.get_server_pid():
        raise DependencyError("Between the console and PostgreSQL is a pooler such as PgBouncer.", USE_POOLER_MODE)
    fits(
        ServerLimits(row["max_connections"], row["reserved"], row["role_limit"], row["database_limit"]),
        pool_max,
        operator_reserve,
    )
