"""What the history costs: bytes a day, CPU a second, and the time of a chart of 24 hours.

The load is that of a process of `serve` with 200 requests a second: 18 metrics, 44 labelled series, seven of the metrics
judged by rules. The rows of a day are made of ten minutes of it.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import orjson
import pytest

from core.database.pool import Database, PoolSettings
from core.database.queries import Queries
from core.monitor import Recorder
from core.monitor.alerts.fleet import Fleet
from core.monitor.history.collector import SlotCollector
from core.monitor.history.grains import DAY_SECONDS, StoredSlot
from core.monitor.history.history import MetricHistory
from core.monitor.history.partitions import Partitions
from core.monitor.history.rollup import RollUp
from core.monitor.history.writer import add_slots
from tests.bench.held import held
from tests.monitor.manual_clock import START, ManualClock

METRICS, LABELS, PER_SECOND = 18, 44, 1_000  # Five records a request.
JUDGED = frozenset(
    f"metric_{number}_seconds" for number in range(7)
)  # Their labelled series are in the rows of ten seconds, too.
MOST_BYTES_A_DAY = 200_000_000
CHARTED = [(f"metric_{number}_seconds", None) for number in range(4)]
NOW = START - START % DAY_SECONDS + 2 * DAY_SECONDS


class Load:
    """A recorder that is recorded to as under load, second by second."""

    def __init__(self) -> None:
        self.clock, chance = ManualClock(), random.Random(3)
        self.recorder = Recorder(self.clock.steady)
        self.values = [chance.lognormvariate(-5, 1.2) for _ in range(20_000)]
        series = [(f"metric_{n % METRICS}_seconds", (f"label_{n}",) if n < LABELS else ()) for n in range(LABELS + METRICS)]
        self.handles = [self.recorder.handle(metric, labels) for metric, labels in series]
        self.fold_seconds: list[float] = []

    def second(self) -> None:
        """One second of requests, and its fold."""
        number = int(self.clock.monotonic)
        for place in range(PER_SECOND):
            self.handles[(place * place + number) % len(self.handles)].record(self.values[(number * 977 + place) % 20_000])
        self.clock.advance(1)
        began = time.thread_time()
        self.recorder.fold()
        self.fold_seconds.append(time.thread_time() - began)


@pytest.fixture(scope="module")
def collected() -> tuple[list[StoredSlot], list[StoredSlot]]:
    """The rows of ten minutes: tens, minutes; with what making them costs."""
    load = Load()
    collector, costs = SlotCollector(load.recorder, 1, JUDGED), list[float]()
    for _ in range(610):
        load.second()
        began = time.thread_time()
        collector.collect()
        costs.append(time.thread_time() - began)
    rows = collector.take()
    tens = [row for row in rows if row.grain_seconds == 10][1:]
    minutes = [row for row in rows if row.grain_seconds == 60][1:]
    each = sum(costs) / len(costs)
    fold = sum(load.fold_seconds) / len(load.fold_seconds)
    print(f"\nfold {fold * 1e3:.2f} ms a second, rows {each * 1e3:.2f} ms a second, the dearest {max(costs) * 1e3:.1f} ms")
    print(f"a row of ten seconds {_mean(tens, 'totals'):.0f} + {_mean(tens, 'labelled'):.0f} B, ", end="")
    print(f"of a minute {_mean(minutes, 'totals'):.0f} + ", end="")
    print(f"{_mean(minutes, 'labelled'):.0f} B of {METRICS} metrics and {LABELS} labelled series")
    assert fold + each < 0.01
    return tens, minutes


def _mean(rows: list[StoredSlot], column: str) -> float:
    return sum(len(getattr(row, column)) for row in rows) / len(rows)


@asynccontextmanager
async def _store(url: str) -> AsyncIterator[Database]:
    store = Database(url, Queries(), PoolSettings(max_size=2, command_timeout_seconds=60.0))
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def _day(store: Database, collected: tuple[list[StoredSlot], list[StoredSlot]], processes: int) -> None:
    """A day of rows of so many processes."""
    for kind in collected:
        grain = kind[0].grain_seconds
        seconds = range(int(NOW) - DAY_SECONDS, int(NOW), grain)
        rows = [
            replace(kind[(second // grain) % len(kind)], second=second, process=process)
            for second in seconds
            for process in range(1, processes + 1)
        ]
        await Partitions(store).ensure(rows)
        for first in range(0, len(rows), 500):
            await add_slots(store, rows[first : first + 500])
    await store.execute("VACUUM ANALYZE console.metric_slots")


async def test_a_day(database_url: str, collected: tuple[list[StoredSlot], list[StoredSlot]]) -> None:
    """Bytes on disk of one process, indexes and TOAST included; what hours cost; a chart of each window."""
    async with _store(database_url) as store:
        await _day(store, collected, 1)
        began = time.process_time()
        made = await RollUp(store, Partitions(store)).run(NOW + 300)
        print(f"\n{made} hours merged, {(time.process_time() - began) / made * 1e3:.0f} ms of CPU each", end="")
        size = await store.fetch_value(
            "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class AS c"
            " WHERE c.relname LIKE 'metric_slots%' AND c.relkind = 'r'"
        )
        print(f"\na day: {float(size) / 1e6:.1f} MB", end="")
        assert size < MOST_BYTES_A_DAY
        await _charts(store, 1)
        took, loop_held = await held(
            lambda: add_slots(store, [replace(row, process=9, second=int(NOW) - 60) for row in collected[0][:1]])
        )
        print(f"\na row written: {took * 1e3:.1f} ms, the loop held {loop_held * 1e3:.2f} ms")


async def test_a_fleet(database_url: str, collected: tuple[list[StoredSlot], list[StoredSlot]]) -> None:
    """The same of five processes together."""
    async with _store(database_url) as store:
        await _day(store, collected, 5)
        await RollUp(store, Partitions(store)).run(NOW + 300)
        await _charts(store, 5)


@pytest.mark.parametrize("processes", [5, 64])
async def test_judging_a_fleet(database_url: str, collected: tuple[list[StoredSlot], list[StoredSlot]], processes: int) -> None:
    """What the console pays for ten seconds of so many others: one look at their rows, and one cut of a metric."""
    clock, tens = ManualClock(), collected[0]
    own, spent = Recorder(clock.steady), list[float]()
    async with _store(database_url) as store:
        fleet = Fleet(store, own, 0, JUDGED, clock=lambda: clock.monotonic)
        for number in range(36):
            clock.advance(10)
            own.fold()
            second = int(own.closed_until()) // 10 * 10 - 10
            rows = [replace(tens[(number + one) % len(tens)], second=second, process=one + 1) for one in range(processes)]
            await Partitions(store).ensure(rows)
            await add_slots(store, rows)
            began = time.process_time()
            await fleet.look()
            spent.append(time.process_time() - began)
    window, _ = own.cut("metric_1_seconds", 300)
    began = time.perf_counter()
    found = fleet.cut("metric_1_seconds", window)
    cut = time.perf_counter() - began
    look = statistics.median(spent)
    print(f"\n{processes} others: a look {look * 1e3:.1f} ms of CPU in ten seconds, a cut {cut * 1e3:.1f} ms", end="")
    assert (fleet.stats().processes, bool(found)) == (1 + processes, True)
    assert look < 0.2


async def _charts(store: Database, processes: int) -> None:
    history = MetricHistory(store, Recorder(), wall=lambda: NOW + 5.0, kept_seconds=lambda _: 0.0)
    asked = {"one metric": CHARTED[:1], "four": CHARTED, "one labelled": [("metric_0_seconds", ("label_0",))]}
    for window in (21_600, DAY_SECONDS, 7 * DAY_SECONDS):
        for words, keys in asked.items():
            times = [await held(lambda keys=keys, window=window: history.charts(keys, window)) for _ in range(5)]
            took, loop_held = (statistics.median(column) for column in zip(*times, strict=True))
            which = f"{processes} processes, {window // 3600} h, {words}"
            print(f"\n{which}: {took * 1e3:.0f} ms, the loop held {loop_held * 1e3:.1f} ms", end="")
    plan = await store.fetch_all(
        "EXPLAIN (ANALYZE, SERIALIZE, FORMAT JSON) SELECT second, process, totals FROM console.metric_slots"
        f" WHERE grain_seconds = 60 AND second >= {int(NOW) - DAY_SECONDS} AND second < {int(NOW)} ORDER BY second"
    )
    in_postgres = _milliseconds(plan[0][0])
    print(f"\n{processes} processes, 24 h in PostgreSQL: {in_postgres:.1f} ms", end="")
    assert in_postgres < 100 * processes


def _milliseconds(plan: object) -> float:
    found = orjson.loads(plan) if isinstance(plan, str) else plan
    return float(found[0]["Execution Time"])  # type: ignore[index]
