"""PromptRuns: every run of a prompt, kept in the console's store: searched, read again, exported, run again.

Owns the rows of `console.prompt_runs`, which are kept for 400 days, and 200,000 of them at most. A run that ends while the
store is away is written when it is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from core.claude.messages import Usage
from core.claude.plain import plain_text
from core.claude.prompt_library import PromptLibrary
from core.claude.prompt_run import NOTE_MAX, PromptRun, SentSettings
from core.claude.prompts import PromptVersion
from core.claude.write_behind import WriteBehind, WriteBehindStats
from core.errors import CoreError, DependencyError, SchemaError, UsageError
from core.ports import Rows
from core.tasks import end_tasks

log = logging.getLogger(__name__)

KEEP_DAYS, KEEP_RUNS = 400, 200_000  # More than a year, so that the same month can be compared; about 1 GB at the most.
EXPIRE_SECONDS = 3600.0
PAGE_MOST = 200
EXPORT_MOST = 10_000
EXPORT_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs; None means all. `text` is looked for in answer, error, note and variables, whatever its case."""

    text: str | None = None
    prompt: str | None = None
    version: int | None = None
    outcome: str | None = None
    operator: str | None = None
    group_key: str | None = None
    lead_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def filters(self) -> dict[str, object]:
        """The fragments of the query that are wanted, with their values."""
        given = {item.name: getattr(self, item.name) for item in fields(self)}
        return {
            name: plain_text(value) if isinstance(value, str) else value
            for name, value in given.items()
            if value not in (None, "")
        }


@dataclass(frozen=True, slots=True)
class Replay:
    """What is needed to run it again: the version as it was, its values, and what was chosen for the request."""

    prompt: PromptVersion
    variables: Mapping[str, str]
    settings: SentSettings
    lead_id: str | None


class PromptRuns:
    """Bound to the loop that opened it; reading raises DependencyError or SchemaError while the store cannot answer."""

    def __init__(self, store: Rows, library: PromptLibrary) -> None:
        self._store = store
        self._library = library
        self._late = WriteBehind[PromptRun]("prompt runs", self._write_late, most=1_000)
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start the writer of late runs, and the deletion of what is too old."""
        await self._late.open()
        self._task = asyncio.create_task(self._expire(), name="prompt runs retention")

    async def close(self) -> None:
        """Write what waits, and end."""
        if self._task is not None:
            await end_tasks([self._task])
        await self._late.close()

    def stats(self) -> WriteBehindStats:
        """Runs that wait for the store."""
        return self._late.stats()

    async def keep(self, run: PromptRun) -> int | None:
        """Store a run and return its number; None when the store is away: it is written later."""
        try:
            return await self._stored(run)
        except (DependencyError, SchemaError):
            self._late.add(run)
            return None

    def keep_soon(self, run: PromptRun) -> None:
        """Have a run stored that nobody waits for: one that was stopped."""
        self._late.add(run)

    async def search(self, wanted: RunFilter, *, limit: int = 50, before_id: int | None = None) -> tuple[PromptRun, ...]:
        """Runs, newest first, 200 at most; `before_id` continues after the last one of a page."""
        filters = wanted.filters()
        if before_id is not None:
            filters["before_id"] = before_id
        rows = await self._store.fetch_all("prompt_runs", max(1, min(limit, PAGE_MOST)), filters=filters)
        return tuple(_run(row) for row in rows)

    async def get(self, run_id: int) -> PromptRun:
        """One run; UsageError when there is none."""
        row = await self._store.fetch_one("prompt_run", run_id) if 0 < run_id < 2**63 else None
        if row is None:
            raise UsageError(f"There is no run {run_id}.", "Look at the list of runs for its number.")
        return _run(row)

    async def annotate(self, run_id: int, note: str) -> None:
        """Write a note beside a run; nothing else of it can be changed."""
        if await self._store.execute("prompt_run_note", run_id, plain_text(note, NOTE_MAX)) == "UPDATE 0":
            raise UsageError(f"There is no run {run_id}.", "Look at the list of runs for its number.")

    async def replay(self, run_id: int) -> Replay:
        """What is needed to run it again."""
        run = await self.get(run_id)
        prompt = run.text_that_ran() or await self._library.get(run.prompt_name, run.prompt_version)
        return Replay(prompt, run.variables, run.settings, run.lead_id)

    async def export(self, wanted: RunFilter, most: int = EXPORT_MOST) -> AsyncIterator[PromptRun]:
        """Runs one by one, newest first, read in pages; at most `most`."""
        before_id: int | None = None
        left = most
        while left > 0:
            page = await self.search(wanted, limit=min(EXPORT_PAGE, left), before_id=before_id)
            for run in page:
                yield run
            left -= len(page)
            if len(page) < EXPORT_PAGE:
                return
            before_id = page[-1].id

    async def _stored(self, run: PromptRun) -> int | None:
        number: int | None = await self._store.fetch_value("prompt_run_add", _row(run))
        return number

    async def _write_late(self, runs: Sequence[PromptRun]) -> None:
        for run in runs:
            await self._stored(run)

    async def _expire(self) -> None:
        while True:
            try:
                while await self._store.execute("prompt_runs_expire", KEEP_DAYS, KEEP_RUNS) == "DELETE 1000":
                    pass
            except CoreError as error:
                log.info("prompt_runs_retention error=%r", str(error))
            await asyncio.sleep(EXPIRE_SECONDS)


def _row(run: PromptRun) -> dict[str, Any]:
    values = asdict(run)
    return {**values, **values.pop("usage")}


def _run(row: Any) -> PromptRun:
    values = {item.name: row[item.name] for item in fields(PromptRun) if item.name not in ("usage", "settings")}
    usage = Usage(**{item.name: row[item.name] for item in fields(Usage)})
    return PromptRun(**values, usage=usage, settings=SentSettings(**row["settings"]))
