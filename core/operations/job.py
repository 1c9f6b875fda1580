"""Job: one operation that runs in this process: its newest progress, and its outcome until that is written.

Owns what the row in the store will say next. Refuses to do I/O: a report costs a few assignments, from any thread.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from core.operations.bounds import bounded_count, bounded_text
from core.operations.operation import Operation, State
from core.operations.rate import Rate

HEARTBEAT_SECONDS = 1.0
WHAT_MAX_CHARACTERS = 300


class Job:
    """A running operation; `over` is set with its outcome, before that is written."""

    def __init__(self, operation: Operation) -> None:
        self.over = asyncio.Event()
        self.over_at = 0.0
        self.task: asyncio.Task[Mapping[str, Any]] | None = None
        self.turn_lost = False
        self._operation = operation
        self._rate = Rate()
        self._changed = False
        self._written_at = time.monotonic()

    @property
    def id(self) -> int:
        """The operation's id."""
        return self._operation.id

    @property
    def key(self) -> str:
        """The key under which it runs alone."""
        return self._operation.key

    def report(self, what: str, done: int, total: int) -> None:
        """Take the work's progress; the store hears of it later."""
        if self.over.is_set():
            return
        now = time.monotonic()
        if what != self._operation.what or total != self._operation.total:
            self._rate.reset()
        self._rate.add(now, done)
        self._operation = replace(self._operation, what=what, done=done, total=total, updated_at=datetime.now(UTC))
        self._changed = True

    def snapshot(self) -> Operation:
        """The operation as it is now, in text and numbers that the store takes."""
        operation = self._operation
        rate = self._rate.per_second(time.monotonic()) if operation.running else operation.rate_per_second
        return replace(
            operation,
            what=bounded_text(operation.what, WHAT_MAX_CHARACTERS),
            done=bounded_count(operation.done),
            total=bounded_count(operation.total),
            rate_per_second=rate,
        )

    def due(self) -> bool:
        """Whether the row is to be written: something was reported, or it is time to show that this process lives."""
        return self._changed or time.monotonic() - self._written_at >= HEARTBEAT_SECONDS

    def written(self) -> None:
        """Note that the row says what is known."""
        self._changed = False
        self._written_at = time.monotonic()

    def cancel(self, operator: str) -> None:
        """Ask the work to end, in the name of whoever asked first."""
        if not self._operation.cancelled_by:
            self._operation = replace(self._operation, cancelled_by=operator)
        self.stop()

    def stop(self) -> None:
        """Cancel the work's task."""
        if self.task is not None:
            self.task.cancel()

    def end(self, state: State, *, result: Mapping[str, Any] | None = None, error: str = "", next_step: str = "") -> None:
        """Set the outcome; the first one stays."""
        if self.over.is_set():
            return
        self._operation = replace(self.snapshot(), state=state, result=result, error=bounded_text(error))
        now = datetime.now(UTC)
        self._operation = replace(self._operation, next_step=bounded_text(next_step), updated_at=now, finished_at=now)
        self.over_at = time.monotonic()
        self.over.set()
