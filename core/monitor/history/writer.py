"""HistoryWriter: brings what this process measured into the console's store, ten seconds at a time.

Owns the rows that wait while the store is away, and follow when it is back. Refuses to hold the loop or the recorder: rows are
made on a thread, out of copies. Refuses to grow without bound: the oldest rows make room, and their number is said.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from core.errors import CoreError, QueryError
from core.monitor.history.collector import SlotCollector
from core.monitor.history.grains import MINUTES, TENS, StoredSlot
from core.monitor.history.partitions import Partitions
from core.monitor.recorder import Recorder
from core.ports import Rows
from core.tasks import end_tasks

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
LAST_SECONDS = 0.8  # That an end may take to write what waits; the others need some of the time, too.
BATCH = 60
TENS_MAX, MINUTES_MAX = 2_160, 2_880  # Six hours, two days: 20 MB at 100 series.


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """A process that writes history."""

    id: int
    host: str
    pid: int
    role: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class WriterStats:
    """Rows that wait, were written, made room (dropped) or were refused; how old the newest is; what holds them up now."""

    waiting: int
    written: int
    dropped: int
    refused: int
    newest_second: int | None
    error: str


class HistoryWriter:
    """Bound to the loop that opened it."""

    def __init__(
        self,
        store: Rows,
        recorder: Recorder,
        process: ProcessInfo,
        *,
        look_seconds: float = LOOK_SECONDS,
        labelled: frozenset[str] = frozenset(),
    ) -> None:
        """`labelled` as SlotCollector has it."""
        self._store = store
        self._process = process
        self._look_seconds = look_seconds
        self._collector = SlotCollector(recorder, process.id, labelled)
        self._partitions = Partitions(store)
        self._waiting = {TENS.seconds: deque[StoredSlot](), MINUTES.seconds: deque[StoredSlot]()}
        self._most = {TENS.seconds: TENS_MAX, MINUTES.seconds: MINUTES_MAX}
        self._written = self._dropped = self._refused = 0
        self._newest: int | None = None
        self._error = ""
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start writing."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="history writer")

    async def close(self) -> None:
        """Write what waits and the slots that have not ended; what the store does not take then is lost, and logged."""
        if self._task is None:
            return
        await end_tasks([self._task])
        self._task = None
        self._collector.finish()
        self._add(self._collector.take())
        try:
            async with asyncio.timeout(LAST_SECONDS):
                await self._write()
        except (CoreError, TimeoutError) as error:
            log.warning("history_lost rows=%s error=%r", self.stats().waiting, str(error))

    def stats(self) -> WriterStats:
        """What became of the rows so far."""
        waiting = sum(map(len, self._waiting.values()))
        return WriterStats(waiting, self._written, self._dropped, self._refused, self._newest, self._error)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._look_seconds)
            try:
                await asyncio.to_thread(self._collector.collect)
                if rows := self._collector.take():
                    self._add(rows)
                    await self._write()
                    self._say(None)
            except Exception as error:  # noqa: BLE001 - nothing ends the writer; what it was is logged and shown.
                self._say(error)

    def _add(self, rows: Sequence[StoredSlot]) -> None:
        for row in rows:
            queue = self._waiting[row.grain_seconds]
            if len(queue) >= self._most[row.grain_seconds]:
                queue.popleft()
                self._dropped += 1
            queue.append(row)

    async def _write(self) -> None:
        """Everything that waits, the oldest first."""
        for queue in self._waiting.values():
            while queue:
                batch = tuple(islice(queue, BATCH))
                await self._write_batch(batch)
                for _ in batch:
                    queue.popleft()

    async def _write_batch(self, batch: Sequence[StoredSlot]) -> None:
        try:
            await self._insert(batch)
        except QueryError:
            self._partitions.forget()
            try:
                await self._insert(batch)
            except QueryError as error:
                if error.passes:  # A standby that answers for the primary: rows wait as they do in any outage.
                    raise
                self._refused += len(batch)
                log.warning("history_refused rows=%s error=%r", len(batch), str(error))
                return
        self._written += len(batch)
        self._newest = max(self._newest or 0, batch[-1].second)

    async def _insert(self, batch: Sequence[StoredSlot]) -> None:
        await self._partitions.ensure(batch)
        await add_slots(self._store, batch)
        if self._newest is None or batch[0].grain_seconds == MINUTES.seconds:
            who = self._process
            await self._store.execute("history_process", who.id, who.host, who.pid, who.role, who.started_at, batch[-1].second)

    def _say(self, error: Exception | None) -> None:
        """Log once for each change of state."""
        said = "" if error is None else str(error) or type(error).__name__
        if bool(said) != bool(self._error):
            log.log(logging.WARNING if said else logging.INFO, "history_%s", f"waits error={said!r}" if said else "goes_on")
        self._error = said


async def add_slots(store: Rows, rows: Sequence[StoredSlot]) -> None:
    """Insert rows whose partitions are there."""
    await store.execute(
        "history_add",
        [row.grain_seconds for row in rows],
        [row.second for row in rows],
        [row.process for row in rows],
        [row.shift_seconds for row in rows],
        [row.parts for row in rows],
        [row.totals for row in rows],
        [row.labelled for row in rows],
    )
