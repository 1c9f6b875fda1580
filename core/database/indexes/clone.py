"""IndexClone: tries an index statement on an empty copy of its table, in a transaction that is always rolled back.

PostgreSQL itself so finds what is wrong with it, and says how it would write it down, for an ACCESS SHARE lock of some
milliseconds on the real table. Needs the right to make temporary tables, or else tables in the schema; without it it says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import asyncpg

from core.database.indexes.shape import IndexShape
from core.database.indexes.statement import IndexStatement, tail
from core.database.queries import Queries

LOCK_TIMEOUT = "2s"  # A table that somebody holds exclusively is left alone soon: others would queue behind us.
STATEMENT_TIMEOUT = "10s"
CLONE_INDEX = "console_index_trial"
CLONE_TABLE = "console_index_trial_table"

TrialState = Literal["fits", "refused", "untried"]


@dataclass(frozen=True, slots=True)
class Trial:
    """What the copy showed: `definition` begins with USING; `refused` and `untried` say why in `message`."""

    state: TrialState
    message: str = ""
    definition: str = ""
    method: str = ""
    columns: tuple[str, ...] = ()
    shape: IndexShape | None = None
    lacks_right: bool = False
    next_step: str = ""


async def try_on_clone(connection: asyncpg.Connection[asyncpg.Record], queries: Queries, statement: IndexStatement) -> Trial:
    """Try the statement; nothing of it stays. Raises only what a lost connection raises."""
    trial = await _attempt(connection, queries, statement, temporary=True)
    if trial.lacks_right:
        other = await _attempt(connection, queries, statement, temporary=False)
        trial = trial if other.state == "untried" else other
    return trial


async def _attempt(
    connection: asyncpg.Connection[asyncpg.Record], queries: Queries, statement: IndexStatement, *, temporary: bool
) -> Trial:
    name = statement.table if temporary else CLONE_TABLE
    kind, table = ("TEMP TABLE", f"pg_temp.{name}") if temporary else ("TABLE", name)
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(
            f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'; SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'"
        )
        try:
            await connection.execute(f"CREATE {kind} {name} (LIKE {statement.qualified} INCLUDING GENERATED)")
        except asyncpg.ReadOnlySQLTransactionError as error:
            return Trial("untried", str(error), next_step="Set MODE=operate, or try it elsewhere.")
        except asyncpg.LockNotAvailableError as error:
            return Trial("untried", str(error), next_step="Ask again when the table is no longer locked.")
        except asyncpg.InsufficientPrivilegeError as error:
            return Trial("untried", str(error), lacks_right=True, next_step="Allow TEMP on the database, or try it elsewhere.")
        # Prepared, so that a text with a second statement in it is refused instead of run.
        await (await connection.prepare(statement.on(table, CLONE_INDEX))).fetch()
        row = await connection.fetchrow(queries["index_parts"].sql, CLONE_INDEX)
        return _read(row, statement.name or "", statement.unique)
    except asyncpg.QueryCanceledError as error:
        return Trial("untried", str(error), next_step="Ask again, or try it elsewhere.")
    except asyncpg.PostgresError as error:
        if isinstance(error, asyncpg.PostgresConnectionError | asyncpg.AdminShutdownError | asyncpg.CrashShutdownError):
            raise
        return Trial("refused", str(error))
    finally:
        if not connection.is_closed():
            await transaction.rollback()


def _read(row: asyncpg.Record | None, name: str, unique: bool) -> Trial:
    if row is None:
        return Trial("untried", "The copy's index was not found.")
    return Trial(
        "fits", definition=tail(row["definition"]), method=row["method"], columns=tuple(row["columns"]),
        shape=IndexShape(
            name=name, method=row["method"], unique=unique, parts=tuple(row["parts"]), key_count=row["key_count"],
            predicate=row["predicate"],
        ),
    )  # fmt: skip
