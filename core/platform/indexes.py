"""Index operations: what indexes there are, whether one can be built now, and the runs that build, drop and record them.

Owns the start of these runs, so that page and command line do the same; the target rule is asked first. One runs at a time,
and a build whose console has gone is followed by the next one.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from core.database.failures import translated
from core.database.indexes.catalog import FoundIndex, Indexes, SetIndex
from core.database.indexes.notes import IndexNotes
from core.database.indexes.preflight import Preflight
from core.database.indexes.run import IndexOutcome, IndexRun
from core.database.indexes.session import Patience
from core.database.pool import Database
from core.database.queries import Queries
from core.errors import CoreError
from core.operations import OperationRequest, Operations, Started, Work
from core.ports import Progress
from core.settings import Settings
from core.setup import Setup
from core.target import require_target
from core.tasks import end_tasks

log = logging.getLogger(__name__)

KEY = "indexes"
APPLICATION = "console index"
TABLES = ["leads", "lead_interactions", "properties", "market_data", "markets", "ai_responses", "analytics_events"]

Wrap = Callable[[Work], Work]
Step = Callable[[IndexRun, IndexNotes, Progress], Awaitable[IndexOutcome]]


def _as_it_is(work: Work) -> Work:
    return work


class IndexOperations:
    """Answers for the indexes of the watched database and changes them.

    `looking` is past the pool and the recorder: what this asks is not among the figures by which the platform is judged.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        looking: Database,
        operations: Operations,
        setup: Setup,
        catalog: Indexes,
        queries: Queries,
        *,
        follows: bool,
        patience: Patience | None = None,
    ) -> None:
        self._settings, self._database, self._looking = settings, database, looking
        self._operations, self._setup = operations, setup
        self._catalog, self._queries = catalog, queries
        self._follows, self._patience = follows, patience
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Look once, in the background, for a build that a console which is gone has left running."""
        if self._follows and self._settings.effective_mode == "operate":
            self._task = asyncio.create_task(self._follow_left(), name="indexes-left-running")

    async def close(self) -> None:
        """Stop looking; runs are operations and end with them."""
        if self._task is not None:
            await end_tasks([self._task])

    async def status(self) -> tuple[SetIndex, ...]:
        """Every index of the set with its true state; raises DependencyError, SchemaError."""
        async with self._looking.transaction() as connection:
            found = await self._catalog.status(connection)
        if not any(one.state.comparable for one in found) or self._settings.effective_mode == "watch":
            return found
        async with self._database.transaction() as connection:  # Who only looks may not try a statement on a copy.
            return await self._catalog.status(connection)

    async def found(self) -> tuple[FoundIndex, ...]:
        """Every index of the platform's tables: size, use, and which do the same."""
        async with self._looking.transaction() as connection:
            return await self._catalog.found(connection, TABLES)

    async def preflight(self, name_or_statement: str) -> Preflight:
        """Whether an index of the set, or a pasted CREATE INDEX, can be built now; raises UsageError, DependencyError."""
        connection = await self._database.connect(application_name="console preflight")
        try:
            with translated():
                return await self._catalog.preflight(connection, name_or_statement, free_bytes=self._free_bytes())
        finally:
            connection.terminate()

    def notes(self, names: Sequence[str] = ()) -> tuple[IndexNotes, ...]:
        """The notes of these indexes, of all without names; raises UsageError."""
        return self._catalog.set.choose(names)

    async def start_up(
        self, names: Sequence[str], *, operator: str, typed: str | None = None, wrap: Wrap = _as_it_is
    ) -> Started:
        """Build these indexes one after another; raises TargetError, UsageError, OperationError, DependencyError."""
        return await self._start("Build", names, lambda run, one, say: run.up(one, say), operator, typed, wrap)

    async def start_down(
        self, names: Sequence[str], *, operator: str, typed: str | None = None, wrap: Wrap = _as_it_is
    ) -> Started:
        """Drop these indexes one after another."""
        return await self._start("Drop", names, lambda run, one, say: run.down(one, say), operator, typed, wrap)

    async def start_adopt(
        self, names: Sequence[str], *, operator: str, typed: str | None = None, wrap: Wrap = _as_it_is
    ) -> Started:
        """Bring the record of these indexes in line with what is there."""
        return await self._start("Adopt", names, lambda run, one, _say: run.record(one), operator, typed, wrap)

    async def start_follow(self, name: str, *, operator: str, typed: str | None = None, wrap: Wrap = _as_it_is) -> Started:
        """Follow a build that another session runs, to its end; cancelling this ends that build."""
        return await self._start("Follow", [name], lambda run, one, say: run.follow(one, say), operator, typed, wrap)

    async def _start(
        self, verb: str, names: Sequence[str], step: Step, operator: str, typed: str | None, wrap: Wrap
    ) -> Started:
        require_target(self._settings, typed)
        chosen = self.notes(names)
        title = f"{verb} {chosen[0].name}" if len(chosen) == 1 else f"{verb} {len(chosen)} indexes"
        asked = OperationRequest(
            kind="index",
            key=KEY,
            title=title,
            operator=operator,
            parameters={"action": verb.lower(), "indexes": [one.name for one in chosen]},
            commands=_commands(verb, chosen),
            resumable=True,
        )
        return await self._operations.start(asked, wrap(lambda progress: self._work(verb, chosen, step, operator, progress)))

    async def _work(
        self, verb: str, chosen: Sequence[IndexNotes], step: Step, operator: str, progress: Progress
    ) -> Mapping[str, Any]:
        name = f"{APPLICATION} {operator}"
        run = IndexRun(lambda: self._database.connect(application_name=name), self._queries, name=name, patience=self._patience)
        return {"action": verb.lower(), "indexes": [asdict(await step(run, one, progress)) for one in chosen]}

    async def _follow_left(self) -> None:
        await self._setup.finished.wait()
        try:
            builds = await self._database.fetch_all("index_builds")
            left = {row["index_name"] for row in builds if str(row["application_name"]).startswith(APPLICATION)}
            for notes in self.notes():
                if notes.name in left:
                    await self.start_follow(notes.name, operator="console, after its start", typed=self._settings.target_name)
        except CoreError as error:
            log.warning("builds_left_running_not_looked_for error=%r", str(error))

    def _free_bytes(self) -> int | None:
        folder = self._settings.data_dir
        return shutil.disk_usage(folder).free if self._settings.database_embedded and folder.is_dir() else None


def _commands(verb: str, chosen: Sequence[IndexNotes]) -> tuple[str, ...]:
    """The exact lines of the command line and of SQL."""
    names = " ".join(one.name for one in chosen)
    action = {"Build": "up", "Drop": "down", "Adopt": "adopt", "Follow": "up"}[verb]
    statements = {"Build": [one.create_statement for one in chosen], "Drop": [one.take_back for one in chosen]}
    return (f"python -m core migrate {action} {names}", *statements.get(verb, []))
