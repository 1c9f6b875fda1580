"""Marks: what happened, for every chart of a process, read at most every few seconds and shared by all who look.

Owns the marks that people and programs make: they are stored at once, or wait in memory while the store is away, and are
shown either way. Runs, builds, imports and remedies are read out of the operations, incidents out of the alerts: nothing is
kept twice.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from core.errors import CoreError, DependencyDown, DependencyError, SchemaError
from core.monitor.alerts.incident import Incident
from core.monitor.marks.mark import PAST_MOST_SECONDS, Mark, new_mark
from core.monitor.marks.records import MarkRecords
from core.monitor.marks.timeline import Timeline
from core.tasks import end_tasks

log = logging.getLogger(__name__)

READ_SECONDS = 3.0
ADD_SECONDS = 2.0  # Who makes a mark waits no longer; it is stored later then.
VIEW_SECONDS = 2.0
LAST_SECONDS = 1.0
DROP_SECONDS = 86_400.0
WAITING_MOST = 1_000
SAME_SECONDS = 60.0  # As in the query `add_mark`.

OLD_SCHEMA = "Start the console once: it brings its schema up to date."
AWAY = (DependencyError, SchemaError, TimeoutError)
Stored = Literal["new", "known", "waiting"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkParts:
    """What marks stand on; incidents in seconds of the wall clock, `store_ready` says whether the store has its tables."""

    records: MarkRecords
    incidents: Callable[[], Iterable[Incident]] = tuple
    store_ready: Callable[[], bool] = lambda: True
    wall: Callable[[], float] = time.time
    read_seconds: float = READ_SECONDS


@dataclass(frozen=True, slots=True)
class Added:
    """A mark that was made: stored as a new one, known already, or waiting for the store."""

    mark: Mark
    stored: Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class MarksView:
    """All marks of the last two weeks, oldest first; `version` changes with them, `age_seconds` None: never read."""

    marks: tuple[Mark, ...]
    version: int
    age_seconds: float | None
    waiting: int
    error: str

    def between(self, first: float, end: float) -> tuple[Mark, ...]:
        """Those of which a part lies between two moments, in seconds since 1970."""
        return tuple(mark for mark in self.marks if mark.at <= end and mark.last >= first)


class Marks:
    """Bound to the loop that opened it; `look` is safe from any thread."""

    def __init__(self, parts: MarkParts, *, drops: bool = True) -> None:
        self._parts, self._drops = parts, drops
        self._timeline = Timeline()
        self._waiting: list[Mark] = []
        self._waited = self._version = 0
        self._marks: tuple[Mark, ...] = ()
        self._read_at: float | None = None
        self._tried_at = self._dropped_at = float("-inf")
        self._error = ""
        self._turn = asyncio.Lock()
        self._adding = asyncio.Lock()  # Of two equal ones at once the second is to find the first.
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start; nothing is read before somebody looks."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._run(), name="marks")

    async def close(self) -> None:
        """Stop, and write what waits if the store answers at once."""
        self._loop = None
        if self._task is not None:
            await end_tasks([self._task])
        if self._waiting:
            try:
                async with asyncio.timeout(LAST_SECONDS), self._turn:
                    await self._write()
            except (CoreError, TimeoutError) as error:
                log.warning("marks_lost waiting=%s error=%r", len(self._waiting), str(error))

    async def add(self, kind: str, text: str, *, who: str, at: datetime | None = None, link: str = "") -> Added:
        """Make a mark, now or at a moment; the same one within a minute is that one.

        While the store is away it waits here and is shown. Raises UsageError, and DependencyDown where it cannot wait: in a
        command that ends, or behind a thousand others.
        """
        mark = new_mark(kind, text, who, at, link, self._parts.wall())
        if (same := next((item for item in self._waiting if _same(item, mark)), None)) is not None:
            return Added(same, "waiting")
        try:
            async with asyncio.timeout(ADD_SECONDS), self._adding:
                stored, created = await self._parts.records.add(mark)
        except AWAY as error:
            return Added(self._wait(mark, error), "waiting")
        self._timeline.put(stored)
        self._show()
        return Added(stored, "new" if created else "known")

    def look(self) -> MarksView:
        """What is known, without I/O; what is older than a few seconds is read anew meanwhile."""
        if time.monotonic() - self._tried_at > self._parts.read_seconds and (loop := self._loop) is not None:
            self._tried_at = time.monotonic()
            loop.call_soon_threadsafe(self._wake.set)
        age = None if self._read_at is None else time.monotonic() - self._read_at
        return MarksView(
            marks=self._marks, version=self._version, age_seconds=age, waiting=len(self._waiting), error=self._error
        )

    async def view(self) -> MarksView:
        """What is known, not older than a few seconds where the store answers within two."""
        if self._read_at is None or time.monotonic() - self._read_at > self._parts.read_seconds:
            try:
                async with asyncio.timeout(VIEW_SECONDS):
                    await self._refresh(self._parts.read_seconds)
            except TimeoutError:
                self._say("The console's store does not answer in time.")
        return self.look()

    async def between(self, first: float, end: float) -> tuple[Mark, ...]:
        """The marks of which a part lies between two moments of the last two weeks, oldest first."""
        return (await self.view()).between(first, end)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._refresh(0.0)
            await asyncio.sleep(self._parts.read_seconds)
            if self._waiting:
                self._wake.set()

    async def _refresh(self, most_seconds: float) -> None:
        """Write what waits and read what is new, one at a time; what another has just read is not read again."""
        async with self._turn:
            if self._read_at is not None and time.monotonic() - self._read_at <= most_seconds:
                return
            self._tried_at = time.monotonic()
            try:
                if self._parts.store_ready():
                    await self._write()
                    await self._timeline.read(self._parts.records, self._parts.wall())
                    await self._drop()
                    self._read_at = time.monotonic()
                    self._say("")
            except Exception as error:  # noqa: BLE001 - nothing may end the reading; what it was is logged and shown.
                self._say(str(error) or type(error).__name__)
            self._show()

    async def _write(self) -> None:
        for mark in tuple(self._waiting):
            try:
                stored, _ = await self._parts.records.add(mark)
                self._timeline.put(stored)
            except AWAY:
                raise
            except CoreError as error:  # Words that the store cannot hold: one mark keeps no other back.
                log.warning("mark_refused text=%r error=%r", mark.text, str(error))
            self._waiting.remove(mark)

    async def _drop(self) -> None:
        if self._drops and time.monotonic() - self._dropped_at > DROP_SECONDS:
            await self._parts.records.drop()
            self._dropped_at = time.monotonic()

    def _wait(self, mark: Mark, error: Exception) -> Mark:
        if self._loop is None or len(self._waiting) >= WAITING_MOST:
            why = str(error) or "it did not answer in time."
            step = OLD_SCHEMA if isinstance(error, SchemaError) else "Wait until the console's store answers."
            raise DependencyDown(f"The mark cannot be kept: {why}", step) from error
        self._waited += 1
        waiting = replace(mark, key=f"waiting:{self._waited}")
        self._waiting.append(waiting)
        self._show()
        self._wake.set()
        return waiting

    def _show(self) -> None:
        since = self._parts.wall() - PAST_MOST_SECONDS
        known = self._timeline.marks(self._waiting, self._parts.incidents())
        marks = tuple(mark for mark in known if mark.last >= since)
        if marks != self._marks:
            self._marks, self._version = marks, self._version + 1

    def _say(self, error: str) -> None:
        """Log once for each change of state."""
        if bool(error) != bool(self._error):
            log.warning("marks_store_%s error=%r", "away" if error else "back", error)
        self._error = error


def _same(one: Mark, other: Mark) -> bool:
    words = (one.kind, one.text, one.who, one.link) == (other.kind, other.text, other.who, other.link)
    return words and abs(one.at - other.at) <= SAME_SECONDS
