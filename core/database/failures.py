"""Failures: the driver's errors as errors of the tree, each with what the operator can do about it."""

from __future__ import annotations

import asyncpg

from core.errors import CoreError, DependencyDown, DependencyError, DependencyTimeout, QueryError, SchemaError

DOWN = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InternalClientError,  # What asyncpg raises when the server goes away inside a protocol exchange.
)
LACKING = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.InvalidSchemaNameError)

FOREIGN_SCHEMA = "Other tables need SELECTs of their own in the map of nouns: DEFAULT_NOUNS in core/database/schema.py."
FREE_SPACE = "Free space on the disk that PostgreSQL writes to; it goes on by itself. Nothing of this statement was stored."
FEWER_CONNECTIONS = "Raise max_connections of PostgreSQL, or lower DATABASE_POOL_MAX of those who connect."
MORE_RESOURCES = "Look at the memory and the limits of PostgreSQL's machine."


class translated:  # noqa: N801 - reads as a clause: `with translated():`
    """Raises the error tree's own errors in place of the driver's, which stay as the cause."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, CoreError) and (ours := _translation(error)) is not None:
            raise ours from error


def _translation(error: Exception) -> CoreError | None:
    message = str(error).strip() or type(error).__name__
    match error:
        case TimeoutError():
            return DependencyTimeout("PostgreSQL did not answer in time.")
        case asyncpg.DiskFullError():
            return DependencyError(f"PostgreSQL's disk is full: {message}", FREE_SPACE)
        case asyncpg.TooManyConnectionsError():
            return DependencyDown(f"PostgreSQL takes no more connections: {message}", FEWER_CONNECTIONS)
        case asyncpg.InsufficientResourcesError():
            return DependencyError(f"PostgreSQL lacks resources: {message}", MORE_RESOURCES)
        case _ if isinstance(error, DOWN):
            return DependencyDown(f"PostgreSQL cannot be reached: {message}")
        case _ if isinstance(error, LACKING):
            return SchemaError(f"The database lacks what is asked for: {message}.", FOREIGN_SCHEMA)
        case asyncpg.PostgresError() | asyncpg.InterfaceError():
            return QueryError(f"PostgreSQL refused the statement: {message}")
    return None
