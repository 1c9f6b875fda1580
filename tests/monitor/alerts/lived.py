"""Lived: forty minutes of a console in made time, judged as they passed, with the rows that its history got of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from core.database.pool import Database, PoolSettings
from core.database.queries import Queries
from core.health import DependencyStatus
from core.monitor import Recorder
from core.monitor.alerts.book import AlertBook
from core.monitor.alerts.looks import record_looks
from core.monitor.alerts.readings import Readings
from core.monitor.alerts.uptime import Uptime
from core.monitor.history.collector import SlotCollector
from core.monitor.history.grains import StoredSlot
from core.monitor.history.partitions import Partitions
from core.monitor.history.writer import add_slots
from core.ports import Rows
from tests.monitor.alerts.scenes import WORDS, only
from tests.monitor.manual_clock import START, ManualClock

JUDGED = ("redis", "cpu", "database_p95", "api_errors", "api_p95", "uptime")
MINUTES = 40
SLOW, DOWN, BUSY = range(900, 1_020), range(1_500, 1_560), range(1_080, 1_440)
Fired = tuple[float, float | None]


class Lived:
    """`fired` are the times that each rule fired in, from and to, as the live judge had it; seconds since 1970."""

    def __init__(self, began: float = START) -> None:
        self.clock = ManualClock(began)
        self.began = self.clock.wall
        self.recorder = Recorder(self.clock.steady)
        self.uptime = Uptime(self.recorder)
        self.rules = only(*JUDGED)
        self.book = AlertBook(self.rules, WORDS)
        self.fired: dict[str, list[Fired]] = {name: [] for name in JUDGED}
        self._readings = Readings(
            self.recorder, self._dependencies, {"uptime": self._ready}, self.clock.steady.now, lambda: self.clock.wall
        )
        self._collector = SlotCollector(self.recorder, 1)
        self._second = 0
        self.rows: list[StoredSlot] = []

    def live(self) -> Lived:
        """Let it pass, up to its rows."""
        for self._second in range(MINUTES * 60):
            self._serve()
            self.clock.advance(1)
            self.recorder.fold()
            if self._second % 5 == 4:
                self._judge()
            if self._second % 10 == 9:
                self._collector.collect()
        self._collector.finish()
        self.rows = self._collector.take()
        return self

    def _serve(self) -> None:
        slow = self._second in SLOW
        for number in range(6):
            self.recorder.record("database_query_seconds", 0.4 if slow and number < 2 else 0.01, ("q",))
            self.recorder.record("api_request_seconds", 0.6 if slow and number < 2 else 0.02, ("/api/leads",))
        self.recorder.record("api_request_seconds", 0.001, ("/readyz",))
        if slow:
            self.recorder.count("api_errors", 1, ("/api/leads", "5xx"))
        self.recorder.gauge("system_cpu_share", 0.9 if self._second in BUSY else 0.4)

    def _judge(self) -> None:
        readings, now = self._readings.take(self.rules), self.clock.steady.now()
        before = {name: condition.level for name, condition in self.book.incidents.conditions.items()}
        self.book.tick(readings, now)
        record_looks(self.recorder, self.rules, readings)
        for name, condition in self.book.incidents.conditions.items():
            if condition.level and not before[name]:
                self.fired[name].append((now, None))
            elif before[name] and not condition.level:
                self.fired[name][-1] = (self.fired[name][-1][0], now)

    def _dependencies(self) -> tuple[DependencyStatus, ...]:
        at = datetime.fromtimestamp(self.clock.wall, UTC)
        state: Any = "down" if self._second in DOWN else "up"
        return (DependencyStatus(name="redis", title="Redis", where="", state=state, since=at, checked_at=at),)

    def _ready(self, now: float) -> Any:
        self.uptime.see(self._second not in DOWN, now)
        return self.uptime.reading(now)


async def keep(store: Rows, rows: list[StoredSlot], process: int, started: float) -> None:
    """Put rows into the store, with the console that wrote them."""
    await Partitions(store).ensure(rows)
    await add_slots(store, rows)
    begun = datetime.fromtimestamp(started, UTC)
    await store.execute("history_process", process, "host", 1, "console", begun, rows[-1].second)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """A store."""
    store = Database(url, Queries(), PoolSettings(max_size=1))
    await store.open()
    try:
        yield store
    finally:
        await store.close()
