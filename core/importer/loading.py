"""Loading: a file into its table, all good rows or none.

Owns the one transaction of an import. What happens in it: rows are converted and staged in pieces, rejected ones are written
aside, repeated ones counted, the rest inserted; then the file of rejected rows gets its name and the transaction commits.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace

import asyncpg
from asyncpg.transaction import Transaction

from core.database.failures import translated
from core.errors import DependencyDown, DependencyError, ImportFileError, QueryError, SchemaError
from core.importer import staging
from core.importer.chunks import Chunk, chunks
from core.importer.converter import RowConverter
from core.importer.kinds import Kind, kind_of
from core.importer.markets import Market, Markets, market_of
from core.importer.preview import Reading, reading_of
from core.importer.rejects import Rejects
from core.importer.reports import ImportReport, ImportRequest
from core.importer.staging import Connection
from core.ports import Progress

log = logging.getLogger(__name__)

ANALYZE_TIMEOUT_SECONDS = 120.0
CONCLUDE_TIMEOUT_SECONDS = 30.0
NOTHING_LOADED = "Nothing was loaded."
AGAIN = "Repeat when PostgreSQL answers again."


def silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""


async def run(connection: Connection, request: ImportRequest, progress: Progress = silent) -> ImportReport:
    """Import a file, or with `dry_run` count what would become of its rows; all of it or nothing.

    The caller has checked the target and gives a connection without a time limit for commands. Raises ImportFileError for the
    file, the mapping or rows that PostgreSQL refuses, SchemaError for a database without the tables, DependencyError.
    """
    started = time.perf_counter()
    kind = kind_of(request.kind)
    async with _refusals(connection, kind):
        report = await _in_transaction(connection, kind, request, progress)
    if not request.dry_run:
        report = await _analyzed(connection, kind, report)
    return replace(report, duration_seconds=time.perf_counter() - started)


async def _in_transaction(connection: Connection, kind: Kind, request: ImportRequest, progress: Progress) -> ImportReport:
    transaction = connection.transaction()
    await transaction.start()
    rejects = Rejects(None if request.dry_run else request.rejected_path)
    try:
        made = await _begin(connection, kind, request)
        known = await staging.markets(connection)
        reading = await asyncio.to_thread(reading_of, request, Markets(known))
        report = await _load(connection, reading, rejects, progress)
        if request.dry_run:
            await transaction.rollback()
        else:
            await _concluded(transaction, rejects)
    except BaseException:
        rejects.discard()
        # Where the connection is gone the server has rolled back by itself.
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            await transaction.rollback()
        raise
    markets_created = (f"{made.name}, {made.state} ({made.id})",) if made else ()
    return replace(report, rejected_path=str(rejects.path) if rejects.path else None, markets_created=markets_created)


async def _concluded(transaction: Transaction, rejects: Rejects) -> None:
    """Name the rejected rows and commit, whoever cancels meanwhile: in the middle nobody could say what was loaded."""

    async def conclude() -> None:
        await asyncio.to_thread(rejects.finish)
        await transaction.commit()

    task = asyncio.ensure_future(conclude())
    while not task.done():
        try:
            await asyncio.wait({task}, timeout=CONCLUDE_TIMEOUT_SECONDS)
        except asyncio.CancelledError:
            continue
        if not task.done():
            task.cancel()
    await task


async def _analyzed(connection: Connection, kind: Kind, report: ImportReport) -> ImportReport:
    """Gather statistics; the rows are there already, so that neither a fault nor a cancel here undoes the import."""
    try:
        await connection.execute(f"ANALYZE {kind.table}", timeout=ANALYZE_TIMEOUT_SECONDS)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, asyncio.CancelledError) as error:
        log.warning("analyze_failed table=%s error=%r", kind.table, error)
        return replace(report, notes=(*report.notes, f"The statistics of {kind.table} were not gathered: run ANALYZE."))
    return report


async def _begin(connection: Connection, kind: Kind, request: ImportRequest) -> Market | None:
    """Take the turn, and make the market that was asked for."""
    if not await staging.tables_exist(connection, kind):
        raise SchemaError(f"This database has no table {kind.table}.", "Create the platform's tables there first.")
    await staging.prepare(connection)
    if not request.dry_run and not await staging.try_lock(connection, kind):
        raise ImportFileError(
            f"Another import of {kind.title.lower()} into this database is running.", "Wait until it has finished, then repeat."
        )
    if request.create_market is None:
        return None
    market = market_of(request.create_market, request.market)
    if await staging.make_market(connection, market):
        return market
    for known in await staging.markets(connection):
        if known.id == market.id and known.state != market.state:
            raise ImportFileError(
                f"There is a market {market.id!r} already: {known.name}, {known.state}.",
                f"Give the new one a slug of its own: --market {market.id}_{market.state.lower()}.",
            )
    return None


async def _load(connection: Connection, reading: Reading, rejects: Rejects, progress: Progress) -> ImportReport:
    kind, request, size_bytes = reading.kind, reading.request, reading.dialect.size_bytes
    columns = (*RowConverter(reading.plan).columns, *(("lead_id",) if reading.plan.reference else ()))
    rejects.columns = reading.columns
    await staging.create(connection, kind, columns)
    read, good, notes = 0, 0, [*reading.notes, *reading.plan.notes]
    async with aclosing(chunks(reading)) as pieces:
        async for chunk in pieces:
            lines = await _with_leads(connection, chunk) if reading.plan.reference else chunk.lines
            await staging.copy(connection, columns, lines)
            await asyncio.to_thread(_reject, rejects, chunk)
            read, good = read + chunk.read, good + len(lines)
            notes += [note for note in chunk.notes if note not in notes]
            progress(f"bytes of {request.file_name}", min(chunk.bytes_read, size_bytes), size_bytes)
    progress(f"rows into {kind.table}", 0, good)
    outcome = await staging.settle(connection, kind, columns, good, dry_run=request.dry_run)
    progress(f"rows into {kind.table}", good, good)
    return ImportReport(
        kind=kind.name, table=kind.table, file=request.file_name, dry_run=request.dry_run, read=read, good=good,
        inserted=outcome.inserted, repeated_in_file=outcome.repeated_in_file, already_there=outcome.already_there,
        rejected=rejects.count, reasons=tuple(rejects.first), notes=tuple(notes), dialect=reading.dialect,
        mapping=reading.mapping.parts, market=reading.plan.market.constant if reading.plan.market else None,
    )  # fmt: skip


async def _with_leads(connection: Connection, chunk: Chunk) -> list[str]:
    """The lines with the ids of their leads; rows of unknown leads become rejected ones."""
    known = await staging.known_leads(connection, chunk.references)
    lines = []
    for line, reference, row in zip(chunk.lines, chunk.references, chunk.origins, strict=True):
        lead_id = known.get(reference)
        if lead_id is not None:
            lines.append(f"{line}\t{lead_id}")
        elif isinstance(reference, int):
            chunk.rejected.append((row, f"there is no lead with the id {reference}"))
        else:
            chunk.rejected.append((row, f"there is no lead {reference[1]!r} in {reference[0]}"))
    return lines


def _reject(rejects: Rejects, chunk: Chunk) -> None:
    for row, reason in sorted(chunk.rejected, key=lambda pair: pair[0].line):
        rejects.add(row.line, reason, row.cells)


@asynccontextmanager
async def _refusals(connection: Connection, kind: Kind) -> AsyncIterator[None]:
    """Turn a refusal of PostgreSQL into ImportFileError; a lost connection stays DependencyError."""
    try:
        with translated():
            yield
    except QueryError as error:
        if connection.is_closed():
            raise DependencyDown("The connection to PostgreSQL was lost.", f"{NOTHING_LOADED} {AGAIN}") from error
        raise ImportFileError(
            f"PostgreSQL refused the rows for {kind.table}: {error.__cause__}",
            f"{NOTHING_LOADED} Correct what its message names and repeat.",
        ) from error
    except DependencyError as error:
        raise type(error)(str(error), f"{NOTHING_LOADED} {AGAIN}") from error
