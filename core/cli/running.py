"""Running: one operation started from a terminal, with its progress on stderr; Ctrl-C and SIGTERM cancel it."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TextIO

import uvloop

from core.cli.operator import operator
from core.database.indexes.progress import share_of
from core.errors import OperationError
from core.operations import Started, Work
from core.ports import Progress
from core.services import Services, build_services
from core.settings import Settings

# A first start loads sample data and takes its turn behind another console; PostgreSQL answers within seconds.
SET_UP_TIMEOUT_SECONDS = 120.0
TERMINAL_INTERVAL_SECONDS, LOG_INTERVAL_SECONDS = 0.2, 2.0
WIDTH = 110

Start = Callable[[Services, Callable[[Work], Work]], Awaitable[Started]]


def run_operation(start: Start) -> Mapping[str, Any]:
    """Open services, start the operation, wait for it and return its result; raises what the work raised."""
    try:
        return uvloop.run(_run(start))
    except asyncio.CancelledError:  # SIGTERM; a Ctrl-C arrives as KeyboardInterrupt by itself
        raise KeyboardInterrupt from None


async def _run(start: Start) -> Mapping[str, Any]:
    main = asyncio.current_task()
    assert main is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, main.cancel)
    line = ProgressLine(sys.stderr)
    outcome = _Outcome(line)
    async with build_services(Settings.from_env(), console=False) as services:
        await services.data.wait_set_up(SET_UP_TIMEOUT_SECONDS)
        started = await start(services, outcome.wrap)
        if not started.created:
            other = started.operation
            raise OperationError(
                f"{other.title} runs already, started by {other.operator}.",
                "Wait until it is over, or cancel it in the console.",
            )
        try:
            await services.operations.wait(started.operation.id)
        except asyncio.CancelledError:
            await services.operations.cancel(started.operation.id, operator())
            operation = await services.operations.wait(started.operation.id)
            if operation.state != "done":  # What was nearly over may be done before the cancel arrives.
                raise
        finally:
            line.end()
    return await outcome.result(services, started.operation.id)


class _Outcome:
    """Keeps what the work returned or raised: the store keeps only its message."""

    def __init__(self, line: ProgressLine) -> None:
        self._line = line
        self._result: Mapping[str, Any] | None = None
        self._error: BaseException | None = None

    def wrap(self, work: Work) -> Work:
        async def kept(progress: Progress) -> Mapping[str, Any]:
            def both(what: str, done: int, total: int) -> None:
                progress(what, done, total)
                self._line(what, done, total)

            try:
                self._result = await work(both)
            except BaseException as error:
                self._error = error
                raise
            return self._result

        return kept

    async def result(self, services: Services, operation_id: int) -> Mapping[str, Any]:
        """The result; raises the work's error, KeyboardInterrupt when another session cancelled it."""
        if self._result is not None:
            return self._result
        if self._error is not None and not isinstance(self._error, asyncio.CancelledError):
            raise self._error
        operation = await services.operations.get(operation_id)
        sys.stderr.write(f"{operation.state} by {operation.cancelled_by or 'nobody'}. {operation.error}\n")
        raise KeyboardInterrupt


class ProgressLine:
    """Writes progress with rate and time left: one line that is rewritten on a terminal, a line every two seconds elsewhere."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock, self._terminal = stream, clock, stream.isatty()
        self._what, self._started_at, self._written_at = "", 0.0, float("-inf")
        self._open = False

    def __call__(self, what: str, done: int, total: int) -> None:
        """A `Progress`."""
        now = self._clock()
        if what != self._what:
            self._what, self._started_at = what, now
        interval = TERMINAL_INTERVAL_SECONDS if self._terminal else LOG_INTERVAL_SECONDS
        finished = bool(total) and done >= total
        if now - self._written_at < interval and not finished:
            return
        self._written_at = now
        self._write(_told(what, done, total, now - self._started_at))

    def end(self) -> None:
        """End the line that is rewritten."""
        if self._open:
            self._stream.write("\n")
            self._stream.flush()
            self._open = False

    def _write(self, text: str) -> None:
        self._stream.write(f"\r{text[:WIDTH]:<{WIDTH}}" if self._terminal else f"{text}\n")
        self._stream.flush()
        self._open = self._terminal


def _told(what: str, done: int, total: int, seconds: float) -> str:
    rate = done / seconds if seconds > 0 else 0.0
    if (share := share_of(what)) and total:
        return f"{share}, {done / total:.0%}"
    parts = [f"{done:,} of {total:,} {what}, {done / total:.0%}" if total else f"{done:,} {what}"]
    if rate:
        parts.append(f"{rate:,.0f}/s")
        if total > done:
            parts.append(f"{_span((total - done) / rate)} left")
    return "   ".join(parts)


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
