"""WriteBehind: rows that are written to a database later, in batches, so that nobody who adds one waits.

Owns the queue and its one writer. While the database is away rows wait, and follow when it is back. Refuses to grow without
bound: when it is full the oldest make room, and their number is said.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from core.errors import CoreError, QueryError
from core.tasks import end_tasks

log = logging.getLogger(__name__)

T = TypeVar("T")
Write = Callable[[Sequence[T]], Awaitable[None]]

BATCH = 100  # Making 100 rows of attempts holds the loop for 7 ms.
COLLECT_SECONDS = 0.2  # From the first row to its batch.
RETRY_SECONDS = 2.0
LAST_SECONDS = 2.0  # That an end may take to write what waits.


@dataclass(frozen=True, slots=True)
class WriteBehindStats:
    """Rows that wait, were written, made room (dropped) or were refused by the database; the error that holds them up now."""

    waiting: int
    written: int
    dropped: int
    refused: int
    error: str


class WriteBehind(Generic[T]):
    """Bound to the loop that opened it; `write` raises CoreError, and may be asked twice for the same rows."""

    def __init__(self, name: str, write: Write[T], *, most: int = 20_000, collect_seconds: float = COLLECT_SECONDS) -> None:
        self._name = name
        self._write = write
        self._most = most
        self._collect_seconds = collect_seconds
        self._rows: deque[T] = deque()
        self._some = asyncio.Event()
        self._batch: list[T] = []
        self._written = self._dropped = self._refused = 0
        self._error = ""
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start the writer."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def close(self) -> None:
        """End the writer, then write what waits once more; what the database does not take then is lost, and logged."""
        if self._task is not None:
            await end_tasks([self._task])
        try:
            async with asyncio.timeout(LAST_SECONDS):
                while self._rows or self._batch:
                    await self._write_batch()
        except (CoreError, TimeoutError) as error:
            log.warning("%s_lost rows=%s error=%r", self._name.replace(" ", "_"), self.stats().waiting, str(error))

    def add(self, row: T) -> None:
        """Have a row written soon."""
        if len(self._rows) >= self._most:
            self._rows.popleft()
            self._dropped += 1
        self._rows.append(row)
        self._some.set()

    def stats(self) -> WriteBehindStats:
        """What became of the rows so far."""
        return WriteBehindStats(len(self._rows) + len(self._batch), self._written, self._dropped, self._refused, self._error)

    async def _run(self) -> None:
        while True:
            await self._some.wait()
            await asyncio.sleep(self._collect_seconds)
            try:
                while self._rows or self._batch:
                    await self._write_batch()
            except Exception as error:  # noqa: BLE001 - no row may end the writer; what it was is logged and shown.
                self._say(error)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._say(None)

    async def _write_batch(self) -> None:
        """Write the oldest rows; a batch that the database did not get is the next one again."""
        while self._rows and len(self._batch) < BATCH:
            self._batch.append(self._rows.popleft())
        try:
            await self._write(self._batch)
            self._written += len(self._batch)
        except QueryError:
            await self._write_singly(self._batch)
        self._batch = []
        if not self._rows:
            self._some.clear()

    async def _write_singly(self, batch: Sequence[T]) -> None:
        """One row that the database refuses keeps no other back."""
        refusals = []
        for row in batch:
            try:
                await self._write([row])
                self._written += 1
            except QueryError as error:
                refusals.append(str(error))
        self._refused += len(refusals)
        if refusals:
            log.warning("%s_refused rows=%s error=%r", self._name.replace(" ", "_"), len(refusals), refusals[0])

    def _say(self, error: Exception | None) -> None:
        """Log once for each change of state."""
        said = "" if error is None else str(error) or type(error).__name__
        if bool(said) != bool(self._error):
            level = logging.WARNING if said else logging.INFO
            log.log(level, "%s %s", self._name.replace(" ", "_"), f"waits error={said!r}" if said else "goes_on")
        self._error = said
