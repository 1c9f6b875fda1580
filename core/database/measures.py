"""Measures: what each query cost, as totals here and as series of the recorder.

Owns the labels: a named query has its own, statements without a name share one, or their text would be a label each.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass

import asyncpg

from core.ports import Handle, Record

GIVEN_UP = (TimeoutError, asyncpg.QueryCanceledError, asyncio.CancelledError)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryStats:
    """One query since the start: calls that were answered, rows that came back, seconds in PostgreSQL, errors by kind."""

    name: str
    calls: int
    rows: int
    seconds: float
    slowest_seconds: float
    slow: int
    errors: tuple[tuple[str, int], ...]

    @property
    def slow_share(self) -> float:
        """The share of calls that took longer than the promised time, 0 to 1."""
        return self.slow / self.calls if self.calls else 0.0


@dataclass(frozen=True, slots=True)
class RunningQuery:
    """Which query runs now, how many times at once, and for how long the first of these has."""

    name: str
    count: int
    seconds: float


class Measure:
    """The figures of one label; the time in the queue is not among them.

    A slow call that was given up is a sample too, of the time that it had: the slowest would be missing otherwise.
    """

    __slots__ = (
        "_count", "_errors", "_handle", "_label", "_running", "_slow_seconds", "calls", "rows", "seconds", "slow", "slowest",
    )  # fmt: skip

    def __init__(self, label: str, slow_seconds: float, record: Record | None) -> None:
        self._label = label
        self._slow_seconds = slow_seconds
        self._count = record.count if record else None
        self._handle: Handle | None = record.handle("database_query_seconds", (label,)) if record else None
        self._errors: Counter[str] = Counter()
        self._running: set[float] = set()
        self.calls = self.rows = self.slow = 0
        self.seconds = self.slowest = 0.0

    def began(self) -> float:
        """A call begins; returns when, which names it."""
        started = time.perf_counter()
        self._running.add(started)
        return started

    def ended(self, started: float) -> float:
        """It was answered; returns its seconds."""
        self._running.discard(started)
        return time.perf_counter() - started

    def running(self, now: float) -> RunningQuery | None:
        """What runs now of it; None: nothing."""
        started = tuple(self._running)
        return RunningQuery(self._label, len(started), now - min(started)) if started else None

    def answered(self, seconds: float, rows: int) -> None:
        """Add one answer."""
        self.calls += 1
        self.rows += rows
        self.seconds += seconds
        self.slowest = max(self.slowest, seconds)
        self.slow += self._took(seconds)

    def failed(self, error: BaseException, started: float) -> None:
        """Add one error of the driver or of the tree; a call that was cancelled is none."""
        seconds = self.ended(started)
        if isinstance(error, GIVEN_UP) and seconds > self._slow_seconds:
            self._took(seconds)
        if not isinstance(error, Exception):
            return
        self._errors[type(error).__name__] += 1
        if self._count is not None:
            self._count("database_errors", 1, (self._label,))

    def _took(self, seconds: float) -> bool:
        """Record it; says whether it was slow."""
        slow = seconds > self._slow_seconds
        if self._handle is not None:
            self._handle.record(seconds)
        if slow and self._count is not None:
            self._count("database_slow_queries", 1, (self._label,))
        return slow

    def stats(self) -> QueryStats:
        """The figures now."""
        return QueryStats(
            name=self._label,
            calls=self.calls,
            rows=self.rows,
            seconds=self.seconds,
            slowest_seconds=self.slowest,
            slow=self.slow,
            errors=tuple(sorted(self._errors.items())),
        )


class Measures:
    """The measures of one database, made when a label is first used."""

    def __init__(self, slow_seconds: float, record: Record | None) -> None:
        self._slow_seconds = slow_seconds
        self._record = record
        self._measures: dict[str, Measure] = {}
        self._wait = record.handle("database_wait_seconds") if record else None

    def of(self, label: str) -> Measure:
        """The measure of one label."""
        measure = self._measures.get(label)
        if measure is None:
            measure = self._measures[label] = Measure(label, self._slow_seconds, self._record)
        return measure

    def waited(self, seconds: float) -> None:
        """Add the time until a connection was there."""
        if self._wait is not None:
            self._wait.record(seconds)

    def running(self) -> RunningQuery | None:
        """The query whose calls have held connections longest together; a moment of the pool, safe from any thread."""
        now = time.perf_counter()
        found = (measure.running(now) for measure in tuple(self._measures.values()))
        return max((item for item in found if item is not None), key=lambda item: item.count * item.seconds, default=None)

    def stats(self) -> tuple[QueryStats, ...]:
        """Every query that was asked, the one that took most time in all first."""
        return tuple(sorted((item.stats() for item in self._measures.values()), key=lambda item: -item.seconds))
