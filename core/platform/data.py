"""Data: what is in the platform's tables, and the operations that bring in more: import, its check, and generation.

Owns the start of these operations, so that page and command line do the same; the target rule is asked before each. Refuses to
start before the database is set up.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

from core import importer, sample
from core.database.pool import Database
from core.errors import DependencyDown, DependencyTimeout, UsageError
from core.health import Health
from core.importer import ImportReport, ImportRequest, Market, statement_of
from core.operations import OperationRequest, Operations, Started, Work
from core.platform.changes import PlatformChanges
from core.platform.commands import generate_line, import_line
from core.platform.panel import Kept, Panel
from core.platform.uploads import Uploads
from core.ports import Progress
from core.sample import SampleSize
from core.settings import Settings
from core.setup import Setup
from core.target import require_target

FACTS_MAX_AGE_SECONDS = 10.0
NEWEST_MAX_ROWS = 2_000_000  # Without an index on the dates the newest row is found by reading the table.
TABLE_TITLES = {
    "properties": "Properties",
    "leads": "Leads",
    "lead_interactions": "Interactions",
    "market_data": "Market figures",
    "markets": "Markets",
}
MOST_ROWS = 50_000_000  # What an embedded server on one machine can still be asked for.
ROW_BYTES = {"leads": 700, "lead_interactions": 220, "properties": 900}  # With indexes, where a table has no rows to measure.
RATE_EXPECTED = 50_000.0  # Rows a second, until a generation was measured here.

Wrap = Callable[[Work], Work]


@dataclass(frozen=True, slots=True)
class TableFacts:
    """One table: rows as the statistics have them (None: never analysed), bytes with indexes, newest date (None: unknown)."""

    name: str
    title: str
    rows: int | None
    size_bytes: int
    newest: datetime | date | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a generation will take, and how much room there is (None: not on this machine)."""

    rows: int
    seconds: float
    size_bytes: int
    free_bytes: int | None


def _as_it_is(work: Work) -> Work:
    return work


class DataOperations:
    """Starts what changes the data, and knows what data there is."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        operations: Operations,
        setup: Setup,
        health: Health,
        uploads: Uploads,
        changes: PlatformChanges,
    ) -> None:
        self._settings, self._database, self._operations = settings, database, operations
        self._setup, self._health, self._changes = setup, health, changes
        self.uploads = uploads
        self._tables = Kept(self._load_tables, FACTS_MAX_AGE_SECONDS)
        self._markets = Kept(self._load_markets, FACTS_MAX_AGE_SECONDS)

    async def tables(self) -> Panel[tuple[TableFacts, ...]]:
        """The platform's tables; kept for ten seconds."""
        return await self._tables.get()

    async def markets(self) -> Panel[tuple[Market, ...]]:
        """The markets that rows can belong to; kept for ten seconds."""
        return await self._markets.get()

    async def start_import(
        self, request: ImportRequest, *, operator: str, typed: str | None = None, wrap: Wrap = _as_it_is
    ) -> Started:
        """Import a file, or check it with `dry_run`; raises TargetError, OperationError, DependencyError."""
        require_target(self._settings, typed)
        kind = importer.kind_of(request.kind)
        verb = "Check" if request.dry_run else "Import"
        asked = OperationRequest(
            kind=verb.lower(),
            key=f"check:{request.kind}:{request.path}" if request.dry_run else f"import:{request.kind}",
            title=f"{verb} {kind.title.lower()} from {request.file_name}",
            operator=operator,
            parameters=_parameters(request),
            commands=(import_line(request), *(() if request.dry_run else (statement_of(kind), f"ANALYZE {kind.table}"))),
        )
        return await self._operations.start(asked, wrap(lambda progress: self._import(request, progress)))

    async def start_generate(
        self, size: SampleSize, seed: int, *, operator: str, typed: str | None = None, wrap: Wrap = _as_it_is
    ) -> Started:
        """Add synthetic rows; raises TargetError, UsageError, OperationError, DependencyError."""
        require_target(self._settings, typed)
        estimate = await self.estimate(size)
        if not 0 < estimate.rows <= MOST_ROWS:
            raise UsageError(f"{estimate.rows:,} rows cannot be generated.", f"Ask for 1 to {MOST_ROWS:,} rows in all.")
        if estimate.free_bytes is not None and estimate.size_bytes > estimate.free_bytes:
            room = f"{estimate.size_bytes / 1e9:.1f} GB are needed and {estimate.free_bytes / 1e9:.1f} GB are free"
            raise UsageError(f"The disk is too small: {room}.", "Ask for fewer rows, or make room.")
        parts = ((size.leads, "leads"), (size.interactions, "interactions"), (size.properties, "properties"))
        asked = OperationRequest(
            kind="generate",
            key="generate",
            title="Generate " + ", ".join(f"{count:,} {what}" for count, what in parts if count),
            operator=operator,
            parameters={**asdict(size), "seed": seed},
            commands=(generate_line(size, seed), "COPY leads, lead_interactions, properties FROM STDIN (FORMAT csv)"),
        )
        return await self._operations.start(asked, wrap(lambda progress: self._generate(size, seed, progress)))

    async def estimate(self, size: SampleSize) -> Estimate:
        """What a generation takes, by the size of the rows that are there and the speed of the last generation."""
        facts = {table.name: table for table in (await self.tables()).value or ()}
        counts = {"leads": size.leads, "lead_interactions": size.interactions, "properties": size.properties}
        size_bytes = sum(count * _row_bytes(facts.get(name), name) for name, count in counts.items())
        rows = sum(counts.values())
        embedded = self._settings.database_embedded
        free = shutil.disk_usage(self._settings.data_dir).free if embedded and self._settings.data_dir.is_dir() else None
        return Estimate(rows, rows / await self._rate(), int(size_bytes), free)

    async def _rate(self) -> float:
        if not self._setup.finished.is_set():
            return RATE_EXPECTED
        past = await self._operations.list(kind="generate", state="done", limit=1)
        measured = float((past[0].result or {}).get("rows_per_second") or 0) if past else 0.0
        return measured or RATE_EXPECTED

    async def _import(self, request: ImportRequest, progress: Progress) -> Mapping[str, Any]:
        report: ImportReport | None = None
        try:
            connection = await self._database.connect()
            try:
                report = await importer.run(connection, request, progress)
            finally:
                connection.terminate()
        finally:
            if not request.dry_run:
                self.uploads.remove(request.path)
                changes = self._changes  # Without a report the commit may have come through all the same.
                await self._changed(changes.everything() if report is None else changes.of(request.kind, report.market))
        return {**asdict(report), "rows_per_second": round(report.rows_per_second, 1)}

    async def _generate(self, size: SampleSize, seed: int, progress: Progress) -> Mapping[str, Any]:
        connection = await self._database.connect()
        try:
            report = await sample.generate(connection, size=size, seed=seed, now=datetime.now(UTC), progress=progress)
        finally:
            connection.terminate()
            await self._changed(self._changes.everything())  # Also of a run that was cancelled after its leads.
        return {**asdict(report), "rows": report.rows, "rows_per_second": round(report.rows_per_second, 1), "seed": seed}

    async def _changed(self, removal: Coroutine[Any, Any, None]) -> None:
        """What is kept of the tables is from before, here and in the cache; a cancel does not stop the removal."""
        self._tables = Kept(self._load_tables, FACTS_MAX_AGE_SECONDS)
        self._markets = Kept(self._load_markets, FACTS_MAX_AGE_SECONDS)
        await asyncio.shield(asyncio.create_task(removal, name="invalidate-changed"))

    async def _load_tables(self) -> tuple[TableFacts, ...]:
        rows = {row["table_name"]: row for row in await self._database.fetch_all("table_sizes", list(TABLE_TITLES))}
        known = [row["estimated_rows"] for row in rows.values()]
        newest: Mapping[str, Any] = {}
        if len(rows) == len(TABLE_TITLES) and None not in known and sum(known) <= NEWEST_MAX_ROWS:
            newest = dict(await self._database.fetch_one("newest_rows") or {})
        return tuple(
            TableFacts(name, title, rows[name]["estimated_rows"], rows[name]["size_bytes"], newest.get(name))
            for name, title in TABLE_TITLES.items()
            if name in rows
        )

    async def _load_markets(self) -> tuple[Market, ...]:
        rows = await self._database.fetch_all("market_names")
        return tuple(Market(str(row["id"]), row["market_name"], row["state"]) for row in rows)

    async def wait_set_up(self, timeout_seconds: float) -> None:
        """Return when the tables are there; raises DependencyTimeout or DependencyDown that says what is missing."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._setup.finished.wait()
        except TimeoutError:
            if down := next((item for item in self._health.snapshot() if item.state == "down"), None):
                raise DependencyDown(f"{down.title} does not answer: {down.error}", down.next_step) from None
            step = next((item for item in self._setup.snapshot() if item.state not in ("done", "skipped")), None)
            what = f"{step.title}: {step.state} {step.detail}".strip() if step else "it is starting"
            advice = (step.next_step if step else "") or "Read the log, and repeat."
            raise DependencyTimeout(f"The database was not set up within {timeout_seconds:g} s. {what}.", advice) from None


def _row_bytes(facts: TableFacts | None, name: str) -> float:
    if facts is None or not facts.rows or facts.rows < 1_000:
        return ROW_BYTES[name]
    return facts.size_bytes / facts.rows


def _parameters(request: ImportRequest) -> dict[str, Any]:
    return {name: str(value) if name.endswith("path") else value for name, value in asdict(request).items() if value}
