"""Keeper: keeps the rows and the locks of this process's jobs true, through outages of the store.

Owns the lock session and the one task that writes: progress at most twice a second, a heartbeat every second, outcomes until
they are written. Refuses to run a job on whose key another operation has taken the lock meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from core.database.failures import translated
from core.errors import CoreError, DependencyTimeout, OperationError, QueryError, SchemaError
from core.operations.job import Job
from core.operations.operation import Started
from core.operations.records import GRACE_SECONDS, operation_of, schema_needed
from core.operations.session import LockSession

log = logging.getLogger(__name__)

TICK_SECONDS = 0.5
TICK_TIMEOUT_SECONDS = 5.0
ATTEMPT_TIMEOUT_SECONDS = 5.0
RETRY_MOST_SECONDS = 2.0  # Below the grace, or an owner would be judged between two tries.
OUTCOME_KEPT_SECONDS = 3_600.0
CLOSE_SECONDS = 1.0


class Keeper:
    """The jobs of this process; everything that touches the lock session goes through one mutex."""

    def __init__(self, session: LockSession) -> None:
        self._session = session
        self._jobs: dict[int, Job] = {}
        self._mutex = asyncio.Lock()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self._closed = False

    async def open(self) -> None:
        """Start the task; it sleeps while there is no job."""
        self._task = asyncio.create_task(self._keep(), name="operations-keeper")

    async def close(self) -> None:
        """Write the outcomes that are there, within a second, and let go of the locks."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=CLOSE_SECONDS / 2)
        try:
            async with asyncio.timeout(CLOSE_SECONDS), self._mutex:
                if self._jobs:
                    await self._session.ensure()
                for job in self.jobs():
                    await self._settle(job)
        except (TimeoutError, CoreError) as error:
            log.warning("operations_outcomes_not_written jobs=%s error=%r", len(self._jobs), str(error))
        finally:
            self._session.drop()

    def jobs(self) -> tuple[Job, ...]:
        """Those that run, and those whose outcome is not written yet; safe from any thread."""
        return tuple(self._jobs.values())

    def job(self, operation_id: int) -> Job | None:
        """The job of this process with that id."""
        return self._jobs.get(operation_id)

    def wake(self) -> None:
        """Look at the jobs now."""
        self._wake.set()

    async def attempt(self, request: tuple[object, ...], run: Callable[[Job], None]) -> Started | None:
        """Start the request's job, or find the one that runs under its key; None: cannot be told yet, ask again."""
        key = str(request[1])
        async with self._mutex:
            if self._closed:
                raise OperationError("The console is ending; nothing was started.", "Start it again and try then.")
            try:
                async with asyncio.timeout(ATTEMPT_TIMEOUT_SECONDS):
                    with schema_needed():
                        return await self._find(key) or await self._create(key, request, run)
            except TimeoutError:
                self._session.drop()
                raise DependencyTimeout("The console's store did not answer in time; nothing was started.") from None
            except BaseException:
                # Whatever was taken or half inserted goes with the session; the other jobs take their locks again.
                self._session.drop()
                raise
            finally:
                self.wake()

    async def _find(self, key: str) -> Started | None:
        own = next((job for job in self.jobs() if job.key == key), None)
        if own is None:
            return None
        if not own.over.is_set():
            return Started(own.snapshot(), created=False)
        await self._session.ensure()
        await self._settle(own)
        return None

    async def _create(self, key: str, request: tuple[object, ...], run: Callable[[Job], None]) -> Started | None:
        """Insert the row while the key's lock is held: who has the lock and finds no row may start."""
        await self._session.ensure()
        await self._session.fetch("operations_sweep", GRACE_SECONDS)
        running = await self._session.fetch("operation_of_key", key)
        if running is not None:
            return Started(operation_of(running), created=False) if running["held"] else None
        with translated():
            async with self._session.connection.transaction():
                if not await self._session.take(key):
                    return None
                # Between the look and the lock another process may have started one and died.
                if await self._session.fetch("operation_of_key", key) is not None:
                    await self._session.give_back(key)
                    return None
                row = await self._session.fetch("operation_start", *request)
        job = Job(operation_of(row))
        self._jobs[job.id] = job
        run(job)
        return Started(job.snapshot(), created=True)

    async def _keep(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._pause()):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                async with self._mutex, asyncio.timeout(TICK_TIMEOUT_SECONDS):
                    await self._tick()
                self._answered()
            except (CoreError, TimeoutError) as error:
                self._failed(error)
            except Exception as error:
                log.exception("operations_keeper_crashed")
                self._failed(error)

    def _pause(self) -> float | None:
        if not self._jobs:
            return None
        return min(TICK_SECONDS * 2.0**self._failures, RETRY_MOST_SECONDS)

    async def _tick(self) -> None:
        if self._jobs:
            await self._session.ensure()
        for job in self.jobs():
            try:
                await self._attend(job)
            except (QueryError, SchemaError) as error:
                # One row that the store refuses keeps no other job waiting.
                log.error("operation_not_written id=%s key=%s error=%r", job.id, job.key, str(error))
        if not self._jobs:
            self._session.drop()

    async def _attend(self, job: Job) -> None:
        if job.over.is_set():
            await self._settle(job)
        elif await self._holds(job) and job.due():
            await self._write(job)

    async def _holds(self, job: Job) -> bool:
        """Whether the job has its lock, taken again if the connection broke; a job whose turn another took is ended."""
        if self._session.holds(job.key):
            return True
        if job.turn_lost:
            return False
        taken = await self._session.take(job.key)
        other = await self._session.fetch("operation_of_key", job.key)
        if other is None or other["id"] == job.id:
            return taken
        log.error("operation_turn_lost id=%s key=%s other=%s", job.id, job.key, other["id"])
        await self._session.give_back(job.key)
        job.turn_lost = True
        job.stop()
        return False

    async def _write(self, job: Job) -> None:
        operation = job.snapshot()
        job.written()
        progress = (operation.what, operation.done, operation.total, operation.rate_per_second)
        hold_word = job.hold_word()
        row = await self._session.fetch("operation_progress", job.id, *progress, *hold_word)
        if row is None:
            return
        job.heard(hold_word, row["paused_by"])
        if row["cancelled_by"] and not operation.cancelled_by:
            job.cancel(str(row["cancelled_by"]))

    async def _settle(self, job: Job) -> None:
        """Write the outcome, release the lock, forget the job; an outcome that cannot be written in an hour is logged."""
        operation = job.snapshot()
        age_seconds = time.monotonic() - job.over_at
        if age_seconds > OUTCOME_KEPT_SECONDS:
            log.error("operation_outcome_lost id=%s key=%s state=%s", job.id, job.key, operation.state)
        else:
            await self._session.fetch(
                "operation_finish", job.id, age_seconds, operation.state, operation.what, operation.done, operation.total,
                operation.rate_per_second, operation.cancelled_by, operation.result, operation.error, operation.next_step,
            )  # fmt: skip
        await self._session.give_back(job.key)
        self._jobs.pop(job.id, None)

    def _answered(self) -> None:
        if self._failures:
            log.info("operations_store_back tries=%s", self._failures)
        self._failures = 0

    def _failed(self, error: Exception) -> None:
        self._session.drop()
        if not self._failures:
            log.warning("operations_store_lost error=%r", str(error) or type(error).__name__)
        self._failures = min(self._failures + 1, 10)
