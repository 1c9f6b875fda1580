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
ASK_LESS = "Look at its plan on the page Database; what has to take so long needs more DATABASE_COMMAND_TIMEOUT_SECONDS."
RUN_AGAIN = "Run the whole transaction again: nothing of it was stored."
FIND_PRIMARY = "Name every host in DATABASE_URL, with target_session_attrs=read-write, or wait until one of them takes writes."
USE_POOLER_MODE = "Set DATABASE_POOLER=transaction for a pooler such as PgBouncer, or connect to PostgreSQL directly."
# What is said of the moment, not of the data.
PASSING = (asyncpg.ReadOnlySQLTransactionError, asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)
CONFLICTS = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)  # Said of whole transactions, which are rolled back.
POOLED = (asyncpg.DuplicatePreparedStatementError, asyncpg.InvalidSQLStatementNameError)


class translated:  # noqa: N801 - reads as a clause: `with translated():`
    """Raises the error tree's own errors in place of the driver's, which stay as the cause."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, CoreError) and (ours := translation(error)) is not None:
            raise ours from error


def translation(error: Exception) -> CoreError | None:
    """The error of the tree that stands for one of the driver; None for one that is not the driver's."""
    message = str(error).strip() or type(error).__name__
    if isinstance(error, LACKING):
        return SchemaError(f"The database lacks what is asked for: {message}.", FOREIGN_SCHEMA)
    if (outage := _outage(error, message)) is not None:
        return outage
    if isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError):
        passes = isinstance(error, CONFLICTS + PASSING)
        return QueryError(f"PostgreSQL refused the statement: {message}", _advice(error), passes=passes)
    return None


def _outage(error: Exception, message: str) -> DependencyError | None:
    """The error that stands for one by which the server does not do its part."""
    match error:
        case TimeoutError():
            return DependencyTimeout("PostgreSQL did not answer in time.")
        case asyncpg.QueryCanceledError() if "statement timeout" in message:
            return DependencyTimeout(f"PostgreSQL stopped the statement: {message}", ASK_LESS)
        case asyncpg.DiskFullError():
            return DependencyError(f"PostgreSQL's disk is full: {message}", FREE_SPACE)
        case asyncpg.TooManyConnectionsError():
            return DependencyDown(f"PostgreSQL takes no more connections: {message}", FEWER_CONNECTIONS)
        case asyncpg.InsufficientResourcesError():
            return DependencyError(f"PostgreSQL lacks resources: {message}", MORE_RESOURCES)
        case asyncpg.TargetServerAttributeNotMatched():
            return DependencyDown(f"No host of the URL is the wanted one: {message}", FIND_PRIMARY)
        case asyncpg.ProtocolViolationError() if "startup parameter" in message:
            return DependencyError(f"What answers is not PostgreSQL itself: {message}", USE_POOLER_MODE)
    return DependencyDown(f"PostgreSQL cannot be reached: {message}") if isinstance(error, DOWN) else None


def _advice(error: Exception) -> str | None:
    if isinstance(error, CONFLICTS):
        return RUN_AGAIN
    if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
        return FIND_PRIMARY
    return USE_POOLER_MODE if isinstance(error, POOLED) else None
