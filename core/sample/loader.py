"""Loading: the first fill of an empty platform, and further synthetic rows on demand.

Owns the order of the tables and what is one transaction. Refuses to fill a platform that already holds a market.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import datetime
from itertools import chain

from core.errors import SampleDataError
from core.ports import Progress
from core.sample import observed
from core.sample.copying import Connection, copy, refusals_of, reserve_lead_ids, try_lock
from core.sample.files import SampleFiles, read_files
from core.sample.generator import PERIOD_SECONDS, Generator, levels
from core.sample.reports import SampleReport
from core.sample.size import DEFAULT, SampleSize

HAS_MARKET = "SELECT EXISTS (SELECT FROM markets)"
ANALYZE = "ANALYZE markets, market_data, leads, lead_interactions, properties"
# Of 7 million rows it takes seconds: ANALYZE reads a sample of 30,000 rows of each table.
ANALYZE_TIMEOUT_SECONDS = 300.0


def _silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""


async def load(
    connection: Connection, *, seed: int, now: datetime, size: SampleSize = DEFAULT, progress: Progress = _silent
) -> SampleReport:
    """Fill an empty platform with the real data and `size` synthetic rows that run up to `now`: all of it or nothing.

    A platform that holds a market is left alone and the report says 0 rows. Raises SampleDataError.
    """
    started = time.perf_counter()
    files = await asyncio.to_thread(read_files)
    async with refusals_of("the platform"), connection.transaction():
        await _take_turn(connection)
        if await connection.fetchval(HAS_MARKET):
            return SampleReport()
        report = await _copy_figures(connection, files, progress)
        generator = await _generator(connection, files, size, seed, now)
        report = await _copy_leads(connection, generator, report, progress)
        sales = observed.sales(files)
        listings = chain([sales], generator.batches("properties"))
        total = sales.num_rows + size.properties
        report = replace(report, properties=await copy(connection, "properties", listings, total, progress))
    return await _analyzed(connection, replace(report, copy_seconds=time.perf_counter() - started))


async def generate(
    connection: Connection, *, size: SampleSize, seed: int, now: datetime, progress: Progress = _silent
) -> SampleReport:
    """Add `size` synthetic rows of the year up to `now` to what is there; raises SampleDataError.

    Leads and their interactions are one transaction, since a lead's last contact is among them; listings are another. Equal
    seeds add equal people twice, under other ids.
    """
    started = time.perf_counter()
    files = await asyncio.to_thread(read_files)
    report = SampleReport()
    async with refusals_of("leads"), connection.transaction():
        await _take_turn(connection)
        if not await connection.fetchval(HAS_MARKET):
            report = await _copy_figures(connection, files, progress)
        generator = await _generator(connection, files, size, seed, now)
        report = await _copy_leads(connection, generator, report, progress)
    async with refusals_of("properties"), connection.transaction():
        await _take_turn(connection)
        added = await copy(connection, "properties", generator.batches("properties"), size.properties, progress)
    report = replace(report, properties=added, copy_seconds=time.perf_counter() - started)
    return await _analyzed(connection, report)


async def _take_turn(connection: Connection) -> None:
    if not await try_lock(connection):
        raise SampleDataError(
            "Another process is adding sample rows to this database.", "Wait until it has finished, then start again."
        )


async def _generator(connection: Connection, files: SampleFiles, size: SampleSize, seed: int, now: datetime) -> Generator:
    first_lead_id = await reserve_lead_ids(connection, size.leads)
    end = now.timestamp()
    level = await asyncio.to_thread(levels, files)
    return Generator(level, size, seed=seed, start=end - PERIOD_SECONDS, end=end, first_lead_id=first_lead_id)


async def _copy_figures(connection: Connection, files: SampleFiles, progress: Progress) -> SampleReport:
    markets, figures = observed.markets(files), observed.market_data(files)
    return SampleReport(
        markets=await copy(connection, "markets", [markets], markets.num_rows, progress),
        market_data=await copy(connection, "market_data", [figures], figures.num_rows, progress),
    )


async def _copy_leads(connection: Connection, generator: Generator, report: SampleReport, progress: Progress) -> SampleReport:
    copied = {
        table: await copy(connection, table, generator.batches(table), generator.rows(table), progress)
        for table in ("leads", "lead_interactions")
    }
    return replace(report, leads=copied["leads"], lead_interactions=copied["lead_interactions"])


async def _analyzed(connection: Connection, report: SampleReport) -> SampleReport:
    started = time.perf_counter()
    async with refusals_of("the statistics"):
        await connection.execute(ANALYZE, timeout=ANALYZE_TIMEOUT_SECONDS)
    return replace(report, analyze_seconds=time.perf_counter() - started)
