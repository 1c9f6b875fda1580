"""IndexStamps: Alembic's record of which index revisions are there, kept as Alembic itself keeps it.

A revision's row stands for those that it depends on, whose own rows are taken away. The truth is in `pg_index`: a stamp is
written only for an index that is valid, and says no more than that it was.
"""

from __future__ import annotations

from functools import cached_property

import asyncpg

from core.database.migrations import needs
from core.database.queries import Queries

TABLE = "platform_schema_version"
MAKE_TABLE = (
    f"CREATE TABLE IF NOT EXISTS {TABLE}"
    " (version_num varchar(32) NOT NULL, CONSTRAINT platform_schema_version_pkc PRIMARY KEY (version_num))"
)


class IndexStamps:
    """Reads and writes the record on a connection of the caller's."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    @cached_property
    def _needs(self) -> dict[str, frozenset[str]]:
        return needs("platform")

    async def read(self, connection: asyncpg.Connection[asyncpg.Record]) -> frozenset[str]:
        """The revisions on record, those included that others stand for; empty where no record is kept."""
        if not await connection.fetchval(self._queries["index_stamps_kept"].sql):
            return frozenset()
        rows = {row["version_num"] for row in await connection.fetch(self._queries["index_stamps"].sql)}
        return frozenset(rows.union(*(self._needs.get(row, frozenset()) for row in rows)))

    async def add(self, connection: asyncpg.Connection[asyncpg.Record], revision: str) -> None:
        """Put a revision on record; makes the record's table where there is none."""
        async with connection.transaction():
            if not await connection.fetchval(self._queries["index_stamps_kept"].sql):
                await connection.execute(MAKE_TABLE)
            await connection.execute(f"LOCK TABLE {TABLE} IN SHARE ROW EXCLUSIVE MODE")
            if revision in await self.read(connection):
                return
            await connection.execute(f"DELETE FROM {TABLE} WHERE version_num = ANY($1)", list(self._needs[revision]))  # noqa: S608
            await connection.execute(f"INSERT INTO {TABLE} VALUES ($1)", revision)  # noqa: S608

    async def remove(self, connection: asyncpg.Connection[asyncpg.Record], revision: str) -> None:
        """Take a revision off the record; what it stood for stays on it."""
        async with connection.transaction():
            if not await connection.fetchval(self._queries["index_stamps_kept"].sql):
                return
            await connection.execute(f"LOCK TABLE {TABLE} IN SHARE ROW EXCLUSIVE MODE")
            if revision not in await self.read(connection):
                return
            await connection.execute(f"DELETE FROM {TABLE} WHERE version_num = $1", revision)  # noqa: S608
            left = await self.read(connection)
            for needed in self._needs[revision] - left:
                await connection.execute(f"INSERT INTO {TABLE} VALUES ($1)", needed)  # noqa: S608
