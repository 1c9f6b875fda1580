"""Staging: the temporary table that good rows are copied into, and what becomes of them in the end.

Owns the SQL of an import. A row that is there already stays as it is: an import adds, it never overwrites.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import asyncpg

from core.database.copying import copy_from
from core.importer.kinds import Kind
from core.importer.markets import Market
from core.importer.plan import Reference

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

TABLE = "import_rows"
IMPORT_LOCK = 0x696D7072  # Any fixed number: with the kind's it lets one import of a kind run at a time.
COPY_BYTES = 512 * 1024  # asyncpg's own piece when it copies from a file.
SESSION = (
    "SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL lock_timeout = '30s'; SET LOCAL work_mem = '64MB'"
)
TRY_LOCK = "SELECT pg_try_advisory_xact_lock($1, hashtext($2))"
TABLES = "SELECT bool_and(to_regclass(name) IS NOT NULL) FROM unnest($1::text[]) AS name"
MARKETS = "SELECT id, market_name, state FROM markets"
MAKE_MARKET = "INSERT INTO markets (id, market_name, state, source) VALUES ($1, $2, $3, 'import') ON CONFLICT (id) DO NOTHING"
LEADS_BY_ID = "SELECT id FROM leads WHERE id = ANY($1::bigint[])"
LEADS_BY_EXTERNAL_ID = """
SELECT l.id, l.market_id, l.external_id
FROM unnest($1::text[], $2::text[]) AS asked (market_id, external_id)
JOIN leads AS l ON l.market_id = asked.market_id AND l.external_id = asked.external_id
"""
# Imported interactions may be older than what is known; NULL means never contacted.
LAST_INTERACTION = f"""
UPDATE leads AS l SET last_interaction_at = newest.at, updated_at = now()
FROM (SELECT lead_id, max(created_at) AS at FROM {TABLE} GROUP BY lead_id) AS newest
WHERE l.id = newest.lead_id AND (l.last_interaction_at IS NULL OR l.last_interaction_at < newest.at)
"""
# As the sample data has it: dollars spent over homes sold in the last twelve months that have figures.
MARKET_SPAN = f"""
UPDATE markets AS m SET
    data_from = span.first, data_to = span.last, updated_at = now(),
    avg_price = coalesce((
        SELECT round((sum(d.value) FILTER (WHERE d.data_type = 'volume')
            / nullif(sum(d.value) FILTER (WHERE d.data_type = 'sales'), 0))::numeric, 2)
        FROM market_data AS d WHERE d.market_id = m.id AND d.date_recorded > span.last - interval '12 months'
        HAVING sum(d.value) FILTER (WHERE d.data_type = 'volume') > 0
    ), m.avg_price)
FROM (
    SELECT market_id, min(date_recorded) AS first, max(date_recorded) AS last FROM market_data
    WHERE market_id IN (SELECT market_id FROM {TABLE}) GROUP BY market_id
) AS span
WHERE span.market_id = m.id AND (m.data_from, m.data_to) IS DISTINCT FROM (span.first, span.last)
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the staged rows."""

    inserted: int
    repeated_in_file: int
    already_there: int


async def prepare(connection: Connection) -> None:
    """Settings that the rows' notation needs, until the end of the transaction."""
    await connection.execute(SESSION)


async def try_lock(connection: Connection, kind: Kind) -> bool:
    """Take the turn of this kind until the end of the transaction; never waits."""
    return bool(await connection.fetchval(TRY_LOCK, IMPORT_LOCK, kind.name))


async def tables_exist(connection: Connection, kind: Kind) -> bool:
    """Whether the database has the tables that an import of this kind needs."""
    return bool(await connection.fetchval(TABLES, ["markets", "leads", kind.table]))


async def markets(connection: Connection) -> list[Market]:
    """All markets."""
    return [Market(str(row["id"]), row["market_name"], row["state"]) for row in await connection.fetch(MARKETS)]


async def make_market(connection: Connection, market: Market) -> bool:
    """Make a market; False where there is one of this slug."""
    return str(await connection.execute(MAKE_MARKET, market.id, market.name, market.state)).endswith(" 1")


async def create(connection: Connection, kind: Kind, columns: Sequence[str]) -> None:
    """Make the staging table with the types of the real one."""
    names = ", ".join(columns)
    await connection.execute(f"CREATE TEMP TABLE {TABLE} ON COMMIT DROP AS SELECT {names} FROM {kind.table} WITH NO DATA")


async def copy(connection: Connection, columns: Sequence[str], lines: Sequence[str]) -> None:
    """Copy lines into the staging table; raises ConnectionError when the connection goes meanwhile."""
    if lines:
        await copy_from(connection, TABLE, _pieces(lines), columns=columns, format="text")


async def known_leads(connection: Connection, references: Sequence[Reference]) -> dict[Reference, int]:
    """The ids of those leads that exist."""
    asked = set(references)
    own = [reference for reference in asked if isinstance(reference, int)]
    if own:
        return {row["id"]: row["id"] for row in await connection.fetch(LEADS_BY_ID, own)}
    pairs = [reference for reference in asked if isinstance(reference, tuple)]
    rows = await connection.fetch(LEADS_BY_EXTERNAL_ID, [pair[0] for pair in pairs], [pair[1] for pair in pairs])
    return {(row["market_id"], row["external_id"]): row["id"] for row in rows}


async def settle(connection: Connection, kind: Kind, columns: Sequence[str], good: int, *, dry_run: bool) -> Outcome:
    """Count what repeats, and unless it is a dry run insert the rest and bring up what depends on it."""
    key, names = ", ".join(kind.key), ", ".join(columns)
    distinct = await connection.fetchval(f"SELECT count(*) FROM (SELECT DISTINCT {key} FROM {TABLE}) AS keys")
    if dry_run:
        match = " AND ".join(f"t.{name} = keys.{name}" for name in kind.key)
        there = await connection.fetchval(
            f"SELECT count(*) FROM (SELECT DISTINCT {key} FROM {TABLE}) AS keys JOIN {kind.table} AS t ON {match}"
        )
        return Outcome(distinct - there, good - distinct, there)
    # The first of the rows that repeat wins: a temporary table is read in the order of its file.
    statement = f"INSERT INTO {kind.table} ({names}) SELECT {names} FROM {TABLE} ON CONFLICT ({key}) DO NOTHING"
    inserted = int(str(await connection.execute(statement, timeout=None)).rpartition(" ")[2])
    if kind.name == "interactions":
        await connection.execute(LAST_INTERACTION, timeout=None)
    if kind.name == "market-data":
        await connection.execute(MARKET_SPAN, timeout=None)
    return Outcome(inserted, good - distinct, distinct - inserted)


def statement_of(kind: Kind) -> str:
    """What an import runs, for the operator to read."""
    copied = f"COPY {TABLE} FROM STDIN"
    return f"{copied}; INSERT INTO {kind.table} SELECT ... FROM {TABLE} ON CONFLICT ({', '.join(kind.key)}) DO NOTHING"


async def _pieces(lines: Sequence[str]) -> AsyncGenerator[bytes, None]:
    text = ("\n".join(lines) + "\n").encode()
    for offset in range(0, len(text), COPY_BYTES):
        yield text[offset : offset + COPY_BYTES]
