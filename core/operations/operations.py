"""Operations: runs what takes long, one at a time per key over all processes, and remembers who did what.

Owns the jobs of this process and their locks in the console's store. Refuses to judge another's living job: what is said to
run is interrupted only when nobody holds its lock, and the word of the process that runs it always replaces what others said.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Mapping
from typing import Any

from core.database.pool import Database
from core.database.queries import Queries
from core.errors import CoreError, DependencyError, OperationError
from core.operations.bounds import bounded_json, bounded_lines, bounded_text
from core.operations.job import Job
from core.operations.keeper import Keeper
from core.operations.operation import Choices, Operation, OperationRequest, Started, State, Work
from core.operations.pause import Pause
from core.operations.records import OperationRecords
from core.operations.session import LockSession

log = logging.getLogger(__name__)

LIST_MAX = 10_000
POLL_SECONDS = 0.5
START_POLL_SECONDS = 0.2
START_TIMEOUT_SECONDS = 8.0  # Longer than the grace, shorter than a page waits.
OUTAGE_TOLERATED_SECONDS = 60.0  # How long a watcher goes on asking a store that does not answer.
CLOSE_WORK_SECONDS = 1.0  # All services together have 4.5 s.
TITLE_MAX_CHARACTERS = 300
AGAIN = "Start it again."
GOES_ON = "Start it again: it goes on where it stopped."


class Operations:
    """Starts, watches and cancels operations, whichever process runs them."""

    def __init__(self, store: Database, queries: Queries) -> None:
        self._records = OperationRecords(store)
        self._keeper = Keeper(LockSession(store, queries))
        self._state: str = "new"

    async def open(self) -> None:
        """Start; nothing is connected before there is a job."""
        self._state = "open"
        await self._keeper.open()

    async def close(self) -> None:
        """Cancel the jobs of this process, stamp those that did not get done as interrupted, let go of the locks."""
        self._state = "closed"
        tasks = [job.task for job in self._keeper.jobs() if job.task is not None and not job.over.is_set()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_WORK_SECONDS)
        for job in self._keeper.jobs():
            job.end("interrupted", error="The console ended while it ran.", next_step=_again(job.snapshot()))
        await self._keeper.close()

    async def start(self, request: OperationRequest, work: Work, pause: Pause | None = None) -> Started:
        """Run `work`, unless an operation with this key runs already, in whatever process: then that one is returned.

        A work that waits for `pause` between its steps can be held by an operator.
        Raises OperationError before the store is set up or when it cannot be told whether one runs, DependencyError when the
        store is down.
        """
        if self._state != "open":
            raise OperationError(f"{request.title}: operations are not open.", "Wait until the console has started.")
        bounded = (*_bounded(request), pause is not None)
        try:
            async with asyncio.timeout(START_TIMEOUT_SECONDS):
                while True:
                    started = await self._keeper.attempt(bounded, lambda job: self._run(job, work, pause))
                    if started is not None:
                        return started
                    await asyncio.sleep(START_POLL_SECONDS)
        except TimeoutError:
            raise OperationError(
                f"{request.title}: whether one runs already cannot be told now; nothing was started.", "Try again in a moment."
            ) from None

    async def cancel(self, operation_id: int, operator: str) -> Operation:
        """Ask an operation to end, whichever process runs it; OperationError when it is over already."""
        operator = bounded_text(operator, TITLE_MAX_CHARACTERS)
        if (job := self._keeper.job(operation_id)) is not None and not job.over.is_set():
            job.cancel(operator)
            return job.snapshot()
        operation = await self.get(operation_id)
        if not operation.running:
            raise OperationError(f"Operation {operation_id} is over already: {operation.state}.", "There is nothing to cancel.")
        await self._records.ask_to_cancel(operation_id, operator)
        return await self.get(operation_id)

    async def pause(self, operation_id: int, operator: str) -> Operation:
        """Hold a running operation at its next step, whichever process runs it; OperationError when it cannot be held."""
        return await self._hold(operation_id, bounded_text(operator, TITLE_MAX_CHARACTERS))

    async def resume(self, operation_id: int) -> Operation:
        """Let a held operation go on; OperationError when it is over already."""
        return await self._hold(operation_id, None)

    async def get(self, operation_id: int) -> Operation:
        """One operation as last known; OperationError when there is none."""
        if (job := self._keeper.job(operation_id)) is not None:
            return job.snapshot()
        return await self._records.get(operation_id)

    async def _hold(self, operation_id: int, operator: str | None) -> Operation:
        operation = await self.get(operation_id)
        if not operation.running:
            raise OperationError(f"Operation {operation_id} is over already: {operation.state}.", "There is nothing to hold.")
        if not operation.pausable:
            raise OperationError(f"{operation.title}: this cannot be paused.", "Cancel it, and start it again later.")
        if (job := self._keeper.job(operation_id)) is not None:
            job.hold(operator)
            self._keeper.wake()
            return job.snapshot()
        await self._records.ask_to_hold(operation_id, operator)
        return await self.get(operation_id)

    async def list(
        self,
        *,
        limit: int = 100,
        kind: str | None = None,
        state: State | None = None,
        operator: str | None = None,
        before_id: int | None = None,
    ) -> tuple[Operation, ...]:
        """Operations of all processes, newest first, at most 10,000."""
        asked = {"kind": kind, "state": state, "operator": operator, "before_id": before_id}
        filters = {name: value for name, value in asked.items() if value is not None}
        jobs = self._keeper.jobs()  # Before the rows: one that ends meanwhile is let go, and its row may be the older word.
        found = await self._records.list(max(1, min(limit, LIST_MAX)), filters)
        own = {job.id: job.snapshot() for job in (*jobs, *self._keeper.jobs())}
        newest = (own.get(operation.id, operation) for operation in found)
        return tuple(operation for operation in newest if state is None or operation.state == state)

    async def choices(self) -> Choices:
        """The kinds and operators that a list can be narrowed to."""
        return await self._records.choices()

    async def wait(self, operation_id: int) -> Operation:
        """Return when the operation is over; DependencyError when the store of another's operation stays away for a minute."""
        if (job := self._keeper.job(operation_id)) is not None:
            await job.over.wait()
            return job.snapshot()
        answered_at = time.monotonic()
        while True:
            try:
                operation = await self.get(operation_id)
                answered_at = time.monotonic()
                if not operation.running:
                    return operation
            except DependencyError:
                if time.monotonic() - answered_at > OUTAGE_TOLERATED_SECONDS:
                    raise
            await asyncio.sleep(POLL_SECONDS)

    def running_here(self) -> tuple[Operation, ...]:
        """The operations that this process runs now; no I/O, safe from any thread."""
        return tuple(job.snapshot() for job in self._keeper.jobs() if not job.over.is_set())

    def _run(self, job: Job, work: Work, pause: Pause | None) -> None:
        job.pause = pause

        async def call() -> Mapping[str, Any]:
            return await work(job.report)

        job.task = asyncio.create_task(call(), name=f"operation-{job.id}-{job.key}")
        job.task.add_done_callback(lambda task: self._ended(job, task))

    def _ended(self, job: Job, task: asyncio.Task[Mapping[str, Any]]) -> None:
        """Turn the end of the task into the outcome."""
        if task.cancelled():
            self._cancelled(job)
        elif (error := task.exception()) is None:
            job.end("done", result=bounded_json(task.result() or {}))
        elif isinstance(error, CoreError):
            job.end("failed", error=str(error), next_step=error.next_step)
        else:
            log.error("operation_crashed id=%s key=%s", job.id, job.key, exc_info=error)
            job.end(
                "failed", error=f"{type(error).__name__}: {error}", next_step="Report this with the log, which has the details."
            )
        self._keeper.wake()

    def _cancelled(self, job: Job) -> None:
        operation = job.snapshot()
        if operation.cancelled_by:
            job.end("cancelled", next_step=GOES_ON if operation.resumable else "")
        elif self._state == "closed":
            job.end("interrupted", error="The console ended while it ran.", next_step=_again(operation))
        elif job.turn_lost:
            error = "The store did not answer for so long that another operation took its turn; it was ended."
            job.end("interrupted", error=error, next_step="Wait until the other one is over, then start it again.")
        else:
            job.end("failed", error="The work cancelled itself.", next_step="Report this with the log, which has the details.")


def _again(operation: Operation) -> str:
    return GOES_ON if operation.resumable else AGAIN


def _bounded(request: OperationRequest) -> tuple[object, ...]:
    """The request as the arguments of the query that remembers it."""
    words = (request.kind, request.key, request.title, request.operator)
    return (
        *(bounded_text(word, TITLE_MAX_CHARACTERS) for word in words),
        bounded_json(request.parameters),
        list(bounded_lines(request.commands)),
        request.resumable,
        socket.gethostname(),
        os.getpid(),
    )
