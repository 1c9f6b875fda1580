"""Replay: asks a query again with the parameter sets that it was really asked with, and measures each.

Owns the low duty: one connection, one statement at a time, pauses of several times what the statement took, an end in time,
and an end as soon as the platform's own queries become slower. Every set is explained once and timed in rounds; a set counts
with the median of its rounds, so that one disturbance decides nothing.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import asyncpg

from core.database.explain import Explained, explain, timed
from core.database.failures import translated
from core.database.plan_tree import PlanNode
from core.database.samples import ParameterSet
from core.errors import UsageError
from core.ports import Progress

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

ROUNDS = 3
DUTY = 0.2  # The share of one connection's time that is used.
PAUSE_LEAST_SECONDS = 0.002
TIMEOUT_SECONDS = 5.0
MOST_SECONDS = 120.0
RISE, RISE_LEAST_SECONDS = 1.5, 0.005

Compose = Callable[[ParameterSet], tuple[str, tuple[object, ...]]]
LiveP95 = Callable[[], float | None]
"""The platform's own P95 in seconds, of the last minute; None: too few queries to tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How gently it is done."""

    rounds: int = ROUNDS
    duty: float = DUTY
    timeout_seconds: float = TIMEOUT_SECONDS
    most_seconds: float = MOST_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredSet:
    """One parameter set: the median of its rounds in seconds, its rows, its pages and its plan."""

    asked: ParameterSet
    seconds: float
    rounds: int
    rows: int
    pages: int
    pages_read: int
    plan: PlanNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """One measurement of a query; `stopped` says why it ended before its time, empty when it did not."""

    query: str
    sets: tuple[MeasuredSet, ...]
    wanted_sets: int
    measured_at: datetime
    seconds: float
    stopped: str

    @property
    def slowest(self) -> MeasuredSet:
        """The set that took longest."""
        return max(self.sets, key=lambda item: item.seconds)


class Replay:
    """One measurement; `connect` gives a connection of its own."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], live_p95: LiveP95, pace: Pace | None = None) -> None:
        self._connect, self._live_p95 = connect, live_p95
        self._pace = pace or Pace()

    async def run(self, query: str, sets: Sequence[ParameterSet], compose: Compose, progress: Progress) -> Replayed:
        """Measure the query with these sets; raises UsageError without any, QueryError, DependencyError."""
        if not sets:
            raise UsageError(
                f"No parameters of {query} were seen since the start.", "Make traffic on the Overview, or call the HTTP API."
            )
        watch = _Watch(self._pace, self._live_p95)
        connection = await self._connect()
        try:
            with translated():
                measured = await self._measure(connection, sets, compose, watch, progress)
        finally:
            connection.terminate()
        return Replayed(
            query=query,
            sets=tuple(measured),
            wanted_sets=len(sets),
            measured_at=datetime.now(UTC),
            seconds=watch.seconds,
            stopped=watch.stopped,
        )

    async def _measure(
        self, connection: Connection, sets: Sequence[ParameterSet], compose: Compose, watch: _Watch, progress: Progress
    ) -> list[MeasuredSet]:
        """Explained and timed once each, in turn; then timed in further rounds while there is time."""
        limit, total = self._pace.timeout_seconds, len(sets) * self._pace.rounds
        plans: list[Explained] = []
        times: list[list[float]] = []
        for done in range(total):
            if watch.over():
                break
            turn, place = divmod(done, len(sets))
            if turn and place >= len(plans):
                break
            sql, args = compose(sets[place])
            began = time.perf_counter()
            if not turn:
                plans.append(await explain(connection, sql, args, limit))  # It also fetches the pages, before and after alike.
                times.append([])
            seconds, _rows = await timed(connection, sql, args, limit)
            times[place].append(seconds)
            progress("runs", done + 1, total)
            await watch.rest(time.perf_counter() - began)
        return [_measured(sets[place], plan, times[place]) for place, plan in enumerate(plans)]


class _Watch:
    """The pauses, and the reasons to end early."""

    def __init__(self, pace: Pace, live_p95: LiveP95) -> None:
        self._pace, self._live_p95 = pace, live_p95
        self._started = time.monotonic()
        self._at_start = live_p95()
        self.stopped = ""

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def over(self) -> bool:
        if self.seconds > self._pace.most_seconds:
            self.stopped = f"its time of {self._pace.most_seconds:g} s was over"
        now, before = self._live_p95(), self._at_start
        if now is not None and before is None:
            self._at_start = now
        elif now is not None and before is not None and now > max(before * RISE, before + RISE_LEAST_SECONDS):
            self.stopped = f"the platform's own P95 rose from {before * 1000:.1f} to {now * 1000:.1f} ms"
        return bool(self.stopped)

    async def rest(self, busy_seconds: float) -> None:
        await asyncio.sleep(max(PAUSE_LEAST_SECONDS, busy_seconds * (1 / self._pace.duty - 1)))


def _measured(asked: ParameterSet, explained: Explained, times: Sequence[float]) -> MeasuredSet:
    return MeasuredSet(
        asked=asked,
        seconds=statistics.median(times),
        rounds=len(times),
        rows=explained.rows,
        pages=explained.hit + explained.read,
        pages_read=explained.read,
        plan=explained.plan,
    )
