"""IndexRun: one build or drop of an index, watched from a second connection, and ended within a second when it is cancelled.

Owns the pair of connections (one works, one looks and cancels), progress, the cleaning up after a cancel, and the record: a
revision is stamped only when its index is valid and is the one that is meant. Uses nothing of Alembic's global state.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import asyncpg

from core.database.failures import translated
from core.database.indexes.notes import IndexNotes
from core.database.indexes.progress import SHARE, TOTAL, thousandths
from core.database.indexes.session import Action, IndexSession, Patience
from core.database.indexes.stamps import IndexStamps
from core.database.indexes.waits import who
from core.database.queries import Queries
from core.errors import CoreError, OperationError
from core.ports import Progress

log = logging.getLogger(__name__)

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Connect: TypeAlias = "Callable[[], Awaitable[asyncpg.Connection[asyncpg.Record]]]"

CANCEL_POLL_SECONDS = 0.2
LOOK_SECONDS = 0.5
ENDS_WITHIN_SECONDS = 10.0  # What a build that was cancelled may still take to end.


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexOutcome:
    """What a run came to; seconds from its start, `record` says when the stamp could not be written."""

    index: str
    action: Action
    seconds: float
    size_bytes: int = 0
    stamped: bool = False
    record: str = ""


class IndexRun:
    """Builds, drops, follows and adopts indexes of the set; `connect` gives direct connections without a command timeout."""

    def __init__(
        self, connect: Connect, queries: Queries, *, name: str = "console index", patience: Patience | None = None
    ) -> None:
        self._connect, self._queries, self._name = connect, queries, name
        self._patience = patience or Patience()
        self._stamps = IndexStamps(queries)

    async def up(self, notes: IndexNotes, progress: Progress) -> IndexOutcome:
        """Build the index, or adopt the one that is there; raises SchemaError, OperationError, QueryError, DependencyError."""

        async def work(session: IndexSession) -> Action:
            await session.take_turn()
            return await session.build(notes)

        outcome = await self._run(notes, work, progress)
        return replace(outcome, stamped=not outcome.record)

    async def down(self, notes: IndexNotes, progress: Progress) -> IndexOutcome:
        """Drop the index, valid or broken, and take it off the record."""

        async def work(session: IndexSession) -> Action:
            await session.take_turn()
            return await session.drop(notes)

        return await self._run(notes, work, progress)

    async def follow(self, notes: IndexNotes, progress: Progress) -> IndexOutcome:
        """Wait for a build that another session runs, such as one of a console that is gone, then adopt it or drop its remains.

        Cancelling this ends that build.
        """

        async def work(session: IndexSession) -> Action:
            session.following = session.began = True
            while (found := await session.state(notes)).state == "building":
                session.follows = found.builder_pid
                await session.pause(LOOK_SECONDS)
            session.following, session.follows = False, None
            await session.take_turn()
            if (await session.state(notes)).state == "valid":
                return "adopted"
            await session.drop(notes)
            waited = f" It waited for {session.waited_for}." if session.waited_for else ""
            raise OperationError(
                f"The build of {notes.name} ended without a valid index; what it left was dropped.{waited}",
                f"python -m core migrate up {notes.name}",
            )

        outcome = await self._run(notes, work, progress)
        return replace(outcome, stamped=not outcome.record)

    async def record(self, notes: IndexNotes) -> IndexOutcome:
        """Bring the record of one index in line with what is there, and touch nothing else."""
        began = time.monotonic()
        async with self._pair() as (session, control):
            valid = (await session.state(notes)).state == "valid"
            said = await self._stamp(control, notes, valid)
        action: Action = "adopted" if valid else "absent"
        seconds = time.monotonic() - began
        return IndexOutcome(index=notes.name, action=action, seconds=seconds, stamped=valid and not said, record=said)

    async def _run(
        self, notes: IndexNotes, work: Callable[[IndexSession], Coroutine[Any, Any, Action]], progress: Progress
    ) -> IndexOutcome:
        began = time.monotonic()
        looking = asyncio.Lock()  # The second connection answers one question at a time.
        async with self._pair() as (session, control):
            task = asyncio.create_task(work(session), name=f"index-{notes.name}")
            watch = asyncio.create_task(
                self._report(session, control, looking, notes, progress), name=f"index-watch-{notes.name}"
            )
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError:
                await _to_its_end(self._take_back(task, session, control, looking, notes))
                raise
            finally:
                async with looking:
                    watch.cancel()
                await asyncio.wait({watch})
            action = task.result()
            said = await self._stamp(control, notes, valid=action in ("built", "adopted"))
            size_bytes = await control.fetchval("SELECT coalesce(pg_relation_size(to_regclass($1)), 0)", notes.name)
        progress(f"{SHARE}{notes.name}", TOTAL, TOTAL)
        seconds = time.monotonic() - began
        return IndexOutcome(index=notes.name, action=action, seconds=seconds, size_bytes=size_bytes, record=said)

    @asynccontextmanager
    async def _pair(self) -> AsyncIterator[tuple[IndexSession, Connection]]:
        """The session that works and the connection that looks on."""
        connection = await self._connect()
        control: Connection | None = None
        try:
            control = await self._connect()
            session = IndexSession(connection, self._queries, self._patience, self._name)
            await session.prepare()
            yield session, control
        finally:
            connection.terminate()
            if control is not None:
                control.terminate()

    async def _report(
        self, session: IndexSession, control: Connection, looking: asyncio.Lock, notes: IndexNotes, progress: Progress
    ) -> None:
        """Say how far it is until it is over; a look that fails is left out."""
        done = 0
        while True:
            try:
                pid = session.follows or session.pid
                async with looking:
                    builds = await control.fetch(self._queries["index_builds"].sql)
                    waits = await self._waits(control, pid)
                session.waited_for = waits or session.waited_for
                build = next((row for row in builds if row["pid"] == pid), None)
                done = max(done, thousandths(build)) if build else done
                words = session.says or (build["phase"] if build else "starting")
                waiting = f"; waits for {waits}" if waits else ""
                progress(f"{SHARE}{notes.name} ({words}{waiting})", done, TOTAL)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                if control.is_closed():
                    return
            await asyncio.sleep(LOOK_SECONDS)

    async def _waits(self, control: Connection, pid: int) -> str:
        pids = await control.fetchval(self._queries["index_blocked_by"].sql, pid)
        if not pids:
            return ""
        rows = await control.fetch(self._queries["index_waits"].sql, pids)
        return ", ".join(who(row) for row in rows)

    async def _take_back(
        self,
        task: asyncio.Task[Action],
        session: IndexSession,
        control: Connection,
        looking: asyncio.Lock,
        notes: IndexNotes,
    ) -> None:
        """End what runs, then drop the index that is not done; a valid one, or one that was there before, stays."""
        session.stop()
        while not task.done():
            try:
                # Who follows a build runs no long statement of its own.
                if (pid := session.follows if session.following else session.pid) is not None:
                    async with looking:
                        await control.fetchval("SELECT pg_cancel_backend($1)", pid)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                task.cancel()  # The looking connection is gone: the driver's own cancel is left.
            await asyncio.wait({task}, timeout=CANCEL_POLL_SECONDS)
        if not task.cancelled() and task.exception() is None:
            return
        if session.began:
            session.go_on()
            async with asyncio.timeout(ENDS_WITHIN_SECONDS):
                while (found := await session.state(notes)).state == "building":
                    if session.following:
                        await control.fetchval("SELECT pg_cancel_backend($1)", found.builder_pid)
                    await asyncio.sleep(CANCEL_POLL_SECONDS)
            await session.repair(notes)

    async def _stamp(self, control: Connection, notes: IndexNotes, valid: bool) -> str:
        """Write the record; a right that lacks is no reason to fail what is done."""
        try:
            with translated():
                if valid:
                    await self._stamps.add(control, notes.revision)
                else:
                    await self._stamps.remove(control, notes.revision)
        except CoreError as error:
            return f"The record was not written: {error}"
        return ""


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Run to its end, whoever cancels meanwhile: a build that is half taken back would be left broken."""
    task = asyncio.create_task(work, name="index-take-back")
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            continue
    if (error := task.exception()) is not None:
        log.warning("index_not_taken_back error=%r", error)
