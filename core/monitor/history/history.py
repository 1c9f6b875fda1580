"""MetricHistory: what every process measured, in the console's store: by ten seconds, minutes and hours.

Owns its keeping and its reading. Refuses to be asked too often: an answer is kept for some seconds and shared by all who look,
and while the store is away the last one stays, with its age.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from core.errors import CoreError
from core.monitor.history.codec import StoredKey
from core.monitor.history.grains import DAY_SECONDS, HOURS, MINUTES
from core.monitor.history.partitions import Partitions
from core.monitor.history.reader import HistoryReader, HistoryView, Question, question
from core.monitor.history.rollup import RollUp
from core.monitor.history.writer import HistoryWriter, ProcessInfo, WriterStats
from core.monitor.recorder import Recorder
from core.monitor.timeline import History
from core.monitor.windows import Labels
from core.ports import Rows
from core.tasks import end_tasks

log = logging.getLogger(__name__)

# The windows of the charts beyond the recorder's hour, and their steps: at most 360 points each.
CHART_STEPS_SECONDS = {21_600: 60, DAY_SECONDS: 240, 7 * DAY_SECONDS: 3_600, 14 * DAY_SECONDS: 3_600}
KEPT_ANSWERS = 32
PROCESSES_KEPT_SECONDS = 10.0
KEEP_SECONDS = 60.0  # Between two looks at what is to be merged.
DROP_SECONDS = 3_600.0
FIRST_SECONDS = 20.0  # By then a first start has made the schema.
RETRY_SECONDS = 30.0

Role = Literal["console", "serve"]


@dataclass(frozen=True, slots=True)
class ChartHistory:
    """Several series in one window; `age_seconds` is how long ago the store answered, `error` why it has not since."""

    view: HistoryView
    age_seconds: float
    error: str = ""


@dataclass(slots=True)
class _Answer:
    view: HistoryView
    at: float
    error: str = ""
    tried_at: float = 0.0


class MetricHistory:
    """Bound to the loop that opened it."""

    def __init__(
        self,
        store: Rows,
        recorder: Recorder,
        *,
        role: Role = "console",
        wall: Callable[[], float] = time.time,
        kept_seconds: Callable[[int], float] | None = None,
        labelled: frozenset[str] = frozenset(),
    ) -> None:
        """`kept_seconds` says how long an answer about a window is kept; `labelled` as SlotCollector has it."""
        number = random.SystemRandom().getrandbits(59)
        self.process = ProcessInfo(number, socket.gethostname(), os.getpid(), role, datetime.now(UTC))
        self._store = store
        self._wall = wall
        self._kept_seconds = kept_seconds or _kept_seconds
        self._writer = HistoryWriter(store, recorder, self.process, labelled=labelled)
        self._reader = HistoryReader(store)
        self._partitions = Partitions(store)
        self._rollup = RollUp(store, self._partitions)
        self._answers: OrderedDict[tuple[object, ...], _Answer] = OrderedDict()
        self._processes: tuple[float, tuple[ProcessInfo, ...]] = (float("-inf"), ())
        self._reading = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start writing, and in the console also merging and dropping."""
        await self._writer.open()
        if self.process.role == "console" and self._task is None:
            self._task = asyncio.create_task(self._keep(), name="history keeper")

    async def close(self) -> None:
        """Write what waits, and end."""
        if self._task is not None:
            await end_tasks([self._task])
            self._task = None
        await self._writer.close()

    def stats(self) -> WriterStats:
        """What became of the rows of this process."""
        return self._writer.stats()

    async def history(
        self,
        metric: str,
        window_seconds: int,
        labels: Labels | None = None,
        *,
        step_seconds: int | None = None,
        process: int | None = None,
    ) -> History:
        """One metric over time, of all processes or of one; raises DependencyError, SchemaError or QueryError.

        The steps are those that the charts have for the window, else all of it in one: exact, however long.
        """
        step_seconds = step_seconds or CHART_STEPS_SECONDS.get(window_seconds, window_seconds)
        asked = question([(metric, labels)], window_seconds, step_seconds, self._wall(), process)
        return (await self._reader.read(asked)).histories[0]

    async def charts(self, keys: Sequence[StoredKey], window_seconds: int, process: int | None = None) -> ChartHistory:
        """Several series in a window of the charts, for all who look; raises CoreError only when there never was an answer."""
        key = (tuple(keys), window_seconds, process)
        async with self._reading:  # One reads, the others find what it read.
            answer = self._answers.get(key)
            if answer is None or time.monotonic() - answer.tried_at >= self._kept_seconds(window_seconds):
                step_seconds = CHART_STEPS_SECONDS[window_seconds]
                answer = await self._renewed(key, answer, question(keys, window_seconds, step_seconds, self._wall(), process))
        return ChartHistory(answer.view, time.monotonic() - answer.at, answer.error)

    async def processes(self) -> tuple[ProcessInfo, ...]:
        """The processes that wrote in the last two weeks, the last to write first, as of at most 10 s ago; raises CoreError."""
        at, known = self._processes
        if time.monotonic() - at >= PROCESSES_KEPT_SECONDS:
            rows = await self._store.fetch_all("history_processes", int(self._wall()) - MINUTES.kept_days * DAY_SECONDS)
            known = tuple(ProcessInfo(row["id"], row["host"], row["pid"], row["role"], row["started_at"]) for row in rows)
            self._processes = time.monotonic(), known
        return known

    async def _renewed(self, key: tuple[object, ...], known: _Answer | None, asked: Question) -> _Answer:
        now = time.monotonic()
        try:
            answer = _Answer(await self._reader.read(asked), now, tried_at=now)
        except CoreError as error:
            if known is None:
                raise
            answer = replace(known, error=str(error), tried_at=now)
        self._answers[key] = answer
        self._answers.move_to_end(key)
        while len(self._answers) > KEPT_ANSWERS:
            self._answers.popitem(last=False)
        return answer

    async def _keep(self) -> None:
        """Merge each minute, drop each hour; a store that is away is tried again."""
        await asyncio.sleep(FIRST_SECONDS)
        dropped_at, said = float("-inf"), ""
        while True:
            try:
                await self._rollup.run(self._wall())
                if time.monotonic() - dropped_at >= DROP_SECONDS:
                    dropped_at = time.monotonic()
                    await self.drop_old()
                said, pause = "", KEEP_SECONDS
            except Exception as error:  # noqa: BLE001 - nothing ends the keeper; what it was is logged.
                if not said:
                    log.warning("history_keeping_waits error=%r", str(error) or type(error).__name__)
                said, pause = str(error), RETRY_SECONDS
            await asyncio.sleep(pause)

    async def drop_old(self) -> None:
        """Drop what is older than its grain is kept."""
        await self._partitions.drop_old(self._wall())
        await self._store.execute("history_processes_expire", int(self._wall()) - HOURS.kept_days * DAY_SECONDS)


def _kept_seconds(window_seconds: int) -> float:
    """How long an answer is kept: ten seconds, and of longer windows a sixth of a step, at most a minute."""
    return min(60.0, max(10.0, CHART_STEPS_SECONDS[window_seconds] / 6))
