"""Pauses: how long the process stood still: the lag of the services' loop, and the collector's pauses.

Owns one task on the loop and one callback of the collector; both cost about a microsecond each time.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable

from core.ports import Record
from core.tasks import end_tasks

LAG_SECONDS = 0.1  # A stall that is shorter may fall between two looks.


class LoopLag:
    """How much later than asked for a timer of this loop fires."""

    def __init__(self, record: Record) -> None:
        self._record = record.handle("loop_lag_seconds").record
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start measuring the loop that this runs on."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="loop lag")

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            await end_tasks([self._task])
            self._task = None

    async def _run(self) -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(LAG_SECONDS)
            self._record(max(0.0, time.perf_counter() - began - LAG_SECONDS))


class GcPauses:
    """The time that each collection took, in which no other line of Python ran."""

    def __init__(self, record: Record) -> None:
        self._record = record.handle("gc_pause_seconds").record
        self._began = 0.0
        self._callback: Callable[[str, dict[str, int]], None] = self._seen

    def open(self) -> None:
        """Start measuring."""
        if self._callback not in gc.callbacks:
            gc.callbacks.append(self._callback)

    def close(self) -> None:
        """Stop."""
        if self._callback in gc.callbacks:
            gc.callbacks.remove(self._callback)

    def _seen(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
        elif self._began:
            self._record(time.perf_counter() - self._began)
            self._began = 0.0
