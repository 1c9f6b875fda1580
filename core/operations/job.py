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
from core.operations.pause import Pause
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
        self.pause: Pause | None = None
        self._hold_unsaid = False
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

    def hold(self, operator: str | None) -> None:
        """Hold the work in the name of an operator, or let it go on with None; the store hears of it later."""
        self._hold_unsaid = self._changed = True
        self._hold(operator)

    def hold_word(self) -> tuple[bool, str | None]:
        """Whether the store is still to hear who holds the work, and who does."""
        return self._hold_unsaid, self._operation.paused_by

    def heard(self, said: tuple[bool, str | None], stored: str | None) -> None:
        """Take what the store answered to `said`: another process may hold the work, or let it go on."""
        if said == self.hold_word():
            self._hold_unsaid = False
            self._hold(stored)

    def _hold(self, operator: str | None) -> None:
        if self.pause is None or operator == self._operation.paused_by:
            return
        self._operation = replace(self._operation, paused_by=operator, updated_at=datetime.now(UTC))
        self._rate.reset()  # The time that it was held is no measure of its speed.
        self.pause.hold(operator is not None)

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
        self._operation = replace(self.snapshot(), state=state, result=result, error=bounded_text(error), paused_by=None)
        now = datetime.now(UTC)
        self._operation = replace(self._operation, next_step=bounded_text(next_step), updated_at=now, finished_at=now)
        self.over_at = time.monotonic()
        self.over.set()
