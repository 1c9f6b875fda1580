"""OperationRecords: the rows of operations as every process reads them.

Owns the reading and what a reader may change: the wish to cancel, and the mark on what was left behind. Refuses to say
anything of a living operation's outcome: that is its own process's to write.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

import asyncpg

from core.database.pool import Database
from core.errors import OperationError, QueryError, SchemaError
from core.operations.bounds import MAX_INTEGER
from core.operations.operation import Choices, Operation

# An owner whose connection broke is back within a tick or two; a machine without power is noticed after 11 s, by its lock.
GRACE_SECONDS = 5.0
SWEEP_SECONDS = 1.0
_COLUMNS = tuple(item.name for item in fields(Operation))
_NO_TABLE = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.InvalidSchemaNameError)


class OperationRecords:
    """Reads operations; raises DependencyError while the store is down, OperationError before it has its tables."""

    def __init__(self, store: Database) -> None:
        self._store = store
        self._swept_at = float("-inf")

    async def get(self, operation_id: int) -> Operation:
        """One operation; OperationError when there is none."""
        await self._sweep()
        row = None
        if 0 < operation_id <= MAX_INTEGER:
            with schema_needed():
                row = await self._store.fetch_one("operation", operation_id)
        if row is None:
            raise OperationError(f"There is no operation {operation_id}.", "Look at the list of operations for its number.")
        return operation_of(row)

    async def list(self, limit: int, filters: Mapping[str, object]) -> tuple[Operation, ...]:
        """Operations, newest first; `filters` of kind, state, operator, before_id."""
        await self._sweep()
        with schema_needed():
            rows = await self._store.fetch_all("operations", limit, filters=filters)
        return tuple(operation_of(row) for row in rows)

    async def choices(self) -> Choices:
        """What occurs in the last thousand operations."""
        with schema_needed():
            row = await self._store.fetch_one("operation_choices")
        return Choices(tuple(row["kinds"]), tuple(row["operators"])) if row else Choices((), ())

    async def ask_to_cancel(self, operation_id: int, operator: str) -> None:
        """Leave the wish where the operation's own process looks for it."""
        with schema_needed():
            await self._store.execute("operation_cancel", operation_id, operator)

    async def ask_to_hold(self, operation_id: int, operator: str | None) -> None:
        """Leave the wish to hold an operation, or with None to let it go on, where its own process looks for it."""
        with schema_needed():
            await self._store.execute("operation_pause", operation_id, operator)

    async def _sweep(self) -> None:
        """Mark what was left behind, at most once a second for all who read here."""
        if time.monotonic() - self._swept_at >= SWEEP_SECONDS:
            self._swept_at = time.monotonic()
            with schema_needed():
                await self._store.execute("operations_sweep", GRACE_SECONDS)


def operation_of(row: asyncpg.Record) -> Operation:
    """The operation that a row tells of."""
    values: dict[str, Any] = {name: row[name] for name in _COLUMNS}
    return Operation(**{**values, "commands": tuple(values["commands"])})


@contextmanager
def schema_needed() -> Iterator[None]:
    """Says what to do in place of the driver's words while the store has no tables yet, or older ones."""
    try:
        yield
    except (QueryError, SchemaError) as error:
        if isinstance(error.__cause__, _NO_TABLE):
            raise OperationError(
                "The console's store is not set up for operations yet.",
                "Wait until the set-up is done (the overview shows it) and try again.",
            ) from error
        raise
