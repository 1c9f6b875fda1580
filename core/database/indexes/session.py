"""IndexSession: one connection of its own that builds and drops indexes beside running writes.

Owns the turn (one index at a time in a database), the patience with locks, and the repair of what a failed build leaves.
Refuses to touch an index of another definition, one that a constraint needs, and one on a partitioned table.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Literal

import asyncpg

from core.database.failures import translated
from core.database.indexes.clone import try_on_clone
from core.database.indexes.notes import IndexNotes
from core.database.indexes.state import IndexState, state_of
from core.database.indexes.statement import IndexStatement
from core.database.indexes.waits import who
from core.database.queries import Queries
from core.errors import OperationError, SchemaError

log = logging.getLogger(__name__)

Action = Literal["built", "adopted", "dropped", "absent"]
STOPPED = "It was stopped."


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a build waits for locks, and how often it tries again; both the wait and the pause double each time.

    Whom it waits for last, it waits for with a whole build behind it: a report of five minutes must not end every try.

    A waiting build stops no read and no write, only other changes of the table's structure: 30 s as in safe-pg-migrations.
    """

    lock_timeout_seconds: float = 30.0
    attempts: int = 5
    pause_seconds: float = 5.0
    poll_seconds: float = 0.5


class IndexSession:
    """Builds and drops on one connection, which nothing else uses; `stop` ends it between two statements.

    `began`: what is left of the build is this session's to clean up; `following`: it looks after a build that is not its own,
    that of the process `follows` once it is known; `waited_for`: who kept it waiting last, told by who looks on.
    """

    def __init__(
        self, connection: asyncpg.Connection[asyncpg.Record], queries: Queries, patience: Patience, name: str = "console index"
    ) -> None:
        self._connection, self._queries, self._patience, self._name = connection, queries, patience, name
        self._stopped = asyncio.Event()
        self.pid = connection.get_server_pid()
        self.says = self.waited_for = ""
        self.began = False
        self.following = False
        self.follows: int | None = None

    async def prepare(self) -> None:
        """No timeout but the one for locks, and a name under which others find this session."""
        settings = {
            "application_name": self._name[:63],
            "statement_timeout": "0",
            "idle_session_timeout": "0",
            "lock_timeout": f"{self._patience.lock_timeout_seconds * 1000:.0f}ms",
        }
        if self._connection.get_server_version().major >= 17:
            settings["transaction_timeout"] = "0"
        with translated():
            for name, value in settings.items():
                await self._connection.execute("SELECT set_config($1, $2, false)", name, value)

    async def take_turn(self) -> None:
        """Return when this session alone may build; `says` names who has the turn. Raises OperationError when it is stopped."""
        with translated():
            while not await self._connection.fetchval(self._queries["index_turn"].sql):
                holder = await self._connection.fetchrow(self._queries["index_turn_holder"].sql)
                says = f"waiting for its turn: {who(holder)}" if holder else "waiting for its turn"
                if not self.says:
                    log.warning("index_%s", says)  # Alembic's command line shows nothing else.
                self.says = says
                await self.pause(self._patience.poll_seconds)
        self.says = ""

    async def state(self, notes: IndexNotes) -> IndexState:
        """What there is of the index now."""
        with translated():
            rows = await self._connection.fetch(self._queries["index_list"].sql, [], [notes.name])
            builds = await self._connection.fetch(self._queries["index_builds"].sql)
            found = state_of(notes, rows, builds)
            if found.state != "different" or not found.comparable:
                return found
            trial = await try_on_clone(self._connection, self._queries, IndexStatement.parse(notes.create_statement))
            return state_of(notes, rows, builds, meant=trial.definition)

    async def build(self, notes: IndexNotes) -> Action:
        """Build the index, adopt the one that is there, or repair what is left of it; the caller has the turn.

        Raises SchemaError, OperationError, QueryError, DependencyError.
        """
        found = await self.state(notes)
        if found.state == "valid":
            return "adopted"
        if found.state == "building":
            raise OperationError(
                f"{notes.name} is being built by somebody else: {found.detail}", "Wait until that build is over."
            )
        if found.state == "different":
            raise SchemaError(f"There is another index {notes.name}: {found.detail}", found.next_step)
        if found.state == "invalid":
            self.says = "dropping what a failed build left"
            await self.drop(notes)
        await self._create(notes)
        found = await self.state(notes)
        if found.state != "valid":
            raise OperationError(f"{notes.name} was built and is {found.state}: {found.detail}", found.next_step)
        await self._gather_statistics(notes)
        return "built"

    async def drop(self, notes: IndexNotes) -> Action:
        """Drop the index, valid or not, beside running reads and writes."""
        found = await self.state(notes)
        if found.state == "absent":
            return "absent"
        if not found.droppable:
            raise SchemaError(f"{notes.name} is not dropped: {found.detail}", found.next_step)
        await self._patiently(notes.take_back, cleanup=None)
        return "dropped"

    async def repair(self, notes: IndexNotes) -> None:
        """Drop what a failed build left, in one try; where that fails it stays broken, and the next build finds it."""
        found = await self.state(notes)
        if found.state == "invalid" and found.droppable:
            self.says = "dropping what the failed build left"
            with translated():
                try:
                    await self._connection.execute(notes.take_back)
                except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
                    self.says = "what the failed build left could not be dropped yet"

    async def pause(self, seconds: float) -> None:
        """Wait, unless it is stopped: then OperationError."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        except TimeoutError:
            return
        self._must_go_on()

    def stop(self) -> None:
        """Start no further statement; the running one is ended by whoever calls this."""
        self._stopped.set()

    def go_on(self) -> None:
        """Allow statements again, to clean up after a stop."""
        self._stopped.clear()

    async def close(self) -> None:
        """Let go of the connection and so of the turn."""
        self._connection.terminate()

    async def _create(self, notes: IndexNotes) -> None:
        self.began = True
        try:
            await self._patiently(notes.create_statement, cleanup=notes)
        except (asyncpg.PostgresError, OSError):
            if not self._connection.is_closed() and not self._stopped.is_set():
                await self.repair(notes)
            with translated():
                raise

    async def _patiently(self, statement: str, cleanup: IndexNotes | None) -> None:
        """Run the statement; a lock that is not had in time, or a deadlock, is tried again after a pause."""
        pause_seconds = self._patience.pause_seconds
        for attempt in range(1, self._patience.attempts + 1):
            self._must_go_on()
            wait_seconds = self._patience.lock_timeout_seconds * 2 ** (attempt - 1)
            try:
                self.says = ""
                await self._connection.execute(f"SET lock_timeout = {wait_seconds * 1000:.0f}")
                await self._connection.execute(statement)
                return
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
                if cleanup is not None:
                    await self.repair(cleanup)
                waited = f"; it waited for {self.waited_for}" if self.waited_for else ""
                if attempt == self._patience.attempts:
                    raise OperationError(
                        f"{statement.partition(' ON ')[0]} did not get its locks in {attempt} tries: {error}{waited}",
                        "Look at who holds locks or old snapshots (the preflight names them), end those, and run it again.",
                    ) from error
                why = f"{error}{waited}"
                self.says = f"try {attempt} did not get its locks ({why}); the next one follows in {pause_seconds:g} s"
                await self.pause(pause_seconds)
                pause_seconds *= 2

    async def _gather_statistics(self, notes: IndexNotes) -> None:
        """An index over an expression is planned well only after ANALYZE, which knows the values of the expression then."""
        if not await self._connection.fetchval(self._queries["index_has_expressions"].sql, notes.name):
            return
        self.says = f"gathering statistics of {notes.table}"
        try:
            await self._connection.execute(f"ANALYZE {notes.table}")
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            self.says = f"{notes.table} is locked: autovacuum will gather its statistics"

    def _must_go_on(self) -> None:
        if self._stopped.is_set():
            raise OperationError(STOPPED, "Run it again when you want it.")
