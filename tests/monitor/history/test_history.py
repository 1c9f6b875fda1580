"""History: nothing is lost or counted twice between the recorder and the charts, whatever the store does."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from core.database.pool import Database, PoolSettings
from core.database.queries import Queries
from core.errors import DependencyDown
from core.monitor import Recorder
from core.monitor.history.codec import encode
from core.monitor.history.grains import DAY_SECONDS, HOURS, MINUTES, TENS, StoredSlot
from core.monitor.history.history import MetricHistory
from core.monitor.history.partitions import Partitions
from core.monitor.history.rollup import RollUp
from core.monitor.history.writer import HistoryWriter, ProcessInfo, add_slots
from core.monitor.slots import counted, folded
from tests.monitor.manual_clock import ManualClock
from tests.servers import behind, socket_of
from tests.support import wait_until_async
from tests.tcp_proxy import TcpProxy

MIDNIGHT = 1_700_006_400
METRIC = "request_seconds"
rng = np.random.default_rng(5)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Database]:
    """The console's store, past the proxy."""
    opened = Database(database_url, Queries(), PoolSettings(max_size=2))
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still, a minute and a half before midnight."""
    return ManualClock(MIDNIGHT - 90.0)


def _pass(clock: ManualClock, recorders: list[Recorder], values: list[float]) -> None:
    """A second in which each process records its part of the values."""
    for number, value in enumerate(values):
        recorders[number % len(recorders)].record(METRIC, value, (str(number % 3),))
    clock.advance(1)
    for recorder in recorders:
        recorder.fold()


async def test_two_processes_make_one_history(store: Database, clock: ManualClock) -> None:
    """Exact over slots, processes and midnight, up to the second of their end; of one process alone, too."""
    recorders = [Recorder(clock.steady), Recorder(clock.steady)]
    processes = [MetricHistory(store, recorder, role="serve", wall=lambda: clock.wall) for recorder in recorders]
    for process in processes:
        await process.open()
    values = rng.lognormal(-4, 1, (145, 8))
    for second in values:
        _pass(clock, recorders, second.tolist())
    for process in processes:
        await process.close()
    clock.advance(300)

    reader = MetricHistory(store, Recorder(clock.steady), wall=lambda: clock.wall)
    fleet = await reader.history(METRIC, 420, step_seconds=420)
    tens = await reader.history(METRIC, 600, step_seconds=10)
    one = await reader.history(METRIC, 600, step_seconds=60, process=processes[0].process.id)
    labelled = await reader.history(METRIC, 600, ("1",), step_seconds=60)

    def true(percent: int) -> Any:
        return pytest.approx(np.sort(values.ravel())[math.ceil(values.size * percent / 100) - 1], rel=0.0101)

    assert fleet.counts == (values.size,)
    assert (fleet.p50[0], fleet.p95[0], fleet.p99[0]) == (true(50), true(95), true(99))
    assert (sum(tens.counts), sum(one.counts), sum(labelled.counts)) == (values.size, values.size // 2, 145 * 3)
    assert {count for time, count in zip(tens.times, tens.counts, strict=True) if MIDNIGHT - 80 < time <= MIDNIGHT + 50} == {80}
    assert tens.rates[-1] is None  # Nobody ran: not the same as nothing happened.
    assert {item.id for item in await reader.processes()} == {item.process.id for item in processes}


async def test_a_clock_that_is_set_loses_and_doubles_nothing(store: Database, clock: ManualClock) -> None:
    """Rows of before and after the step lie side by side, also where they tell of the same minute."""
    recorder = Recorder(clock.steady)
    history = MetricHistory(store, recorder, role="serve", wall=lambda: clock.wall)
    await history.open()
    for second in range(120):
        if second == 65:
            clock.wall -= 60
        _pass(clock, [recorder], [0.01])
    await history.close()
    await RollUp(store, Partitions(store)).run(clock.wall + 8_000)

    rows = await store.fetch_all("SELECT grain_seconds, parts, totals FROM console.metric_slots")
    clock.advance(7_500)
    assert sum(row["parts"] for row in rows if row["grain_seconds"] == 10) == 12
    assert sum((await history.history(METRIC, 14_400, step_seconds=60)).counts) == 120
    assert sum((await history.history(METRIC, 14_400, step_seconds=10)).counts) == 120


async def test_an_outage_is_bridged(
    store: Database, database_url: str, tcp_proxy: Callable[[Any], TcpProxy], clock: ManualClock
) -> None:
    """Rows wait and follow; what was read stays, with its age and the reason."""
    proxy = tcp_proxy(socket_of(database_url))
    behind_proxy = Database(behind(proxy, database_url), Queries(), PoolSettings(max_size=1))
    await behind_proxy.open()
    recorder = Recorder(clock.steady)
    writer = HistoryWriter(behind_proxy, recorder, ProcessInfo(1, "host", 1, "serve", datetime.now(UTC)), look_seconds=0.01)
    reader = MetricHistory(behind_proxy, recorder, wall=lambda: clock.wall, kept_seconds=lambda _: 0.0)
    await writer.open()
    for _ in range(20):
        _pass(clock, [recorder], [0.01])
    await wait_until_async(lambda: writer.stats().written > 0)
    before = await reader.charts([(METRIC, None)], 21_600)

    proxy.cut()
    for _ in range(100):
        _pass(clock, [recorder], [0.01])
    await wait_until_async(lambda: bool(writer.stats().error))
    during = await reader.charts([(METRIC, None)], 21_600)
    with pytest.raises(DependencyDown):
        await reader.charts([("another", None)], 21_600)
    assert (before.error, during.view is before.view) == ("", True)
    assert "reached" in during.error

    proxy.restore()
    for _ in range(11):
        _pass(clock, [recorder], [0.01])
    await wait_until_async(lambda: not writer.stats().waiting)
    await writer.close()
    await behind_proxy.close()

    clock.advance(60)
    after = await MetricHistory(store, recorder, wall=lambda: clock.wall).history(METRIC, 3_600, step_seconds=10)
    assert (sum(after.counts), writer.stats().dropped, writer.stats().error) == (131, 0, "")


async def test_a_store_that_only_reads_costs_no_rows(database_url: str, clock: ManualClock) -> None:
    """A standby that answers for the primary refuses rows that have no fault: they wait."""
    standby = Database(database_url, Queries(), PoolSettings(max_size=1, read_only=True))
    await standby.open()
    recorder = Recorder(clock.steady)
    writer = HistoryWriter(standby, recorder, ProcessInfo(1, "host", 1, "serve", datetime.now(UTC)), look_seconds=0.01)
    await writer.open()
    for _ in range(20):
        _pass(clock, [recorder], [0.01])
    await wait_until_async(lambda: bool(writer.stats().error or writer.stats().refused))
    assert "read-only" in writer.stats().error
    assert (writer.stats().refused, writer.stats().waiting > 0) == (0, True)
    await writer.close()
    await standby.close()


def _stored(grain: int, second: int, process: int, values: Any, *, labelled: bool = True) -> StoredSlot:
    slot = folded(0, np.array(values))
    blob = encode({(METRIC, ("a",)): slot, ("requests", ("a",)): counted(0, len(values))}) if labelled else None
    return StoredSlot(grain, second, process, 0, 1, encode({(METRIC, None): slot}), blob)


async def _add(store: Database, rows: list[StoredSlot]) -> None:
    await Partitions(store).ensure(rows)
    await add_slots(store, rows)


async def test_hours_are_the_sum_of_their_minutes(store: Database) -> None:
    """Also of one that comes late; what a crashed process did not sum up is made of its ten seconds."""
    values = rng.lognormal(-4, 1, (60, 50))
    minutes = [_stored(60, MIDNIGHT + 60 * number, 7, part) for number, part in enumerate(values)]
    await _add(store, minutes[:-1])
    early = MetricHistory(store, Recorder(), wall=lambda: MIDNIGHT + 3_700.0)
    assert (await early.history(METRIC, 7_200, step_seconds=3_600)).counts == (0, 59 * 50)  # Not merged yet: as minutes.
    rollup, now = RollUp(store, Partitions(store)), MIDNIGHT + 4_000.0
    assert (await rollup.run(now), await rollup.run(now)) == (1, 0)

    await _add(store, [minutes[-1], *(_stored(10, MIDNIGHT + 10 * n, 8, [0.5], labelled=False) for n in range(4))])
    assert await rollup.run(now) == 3
    late = MIDNIGHT + 5_000.0
    history = MetricHistory(store, Recorder(), wall=lambda: late)

    of_seven = await history.history(METRIC, 7_200, step_seconds=3_600, process=7)
    assert of_seven.counts == (0, 3_000)
    assert of_seven.p99[1] == pytest.approx(np.sort(values.ravel())[math.ceil(3_000 * 0.99) - 1], rel=0.0101)
    assert (await history.history("requests", 7_200, ("a",), step_seconds=3_600)).counts == (0, 3_000)
    assert (await history.history(METRIC, 7_200, step_seconds=60, process=8)).counts[-83:].count(4) == 1
    assert (await history.history(METRIC, 7_200, step_seconds=3_600)).counts == (0, 3_004)


async def test_a_partition_that_is_gone_is_made_anew(store: Database, clock: ManualClock) -> None:
    """Another console dropped what this process remembers as there."""
    recorder = Recorder(clock.steady)
    writer = HistoryWriter(store, recorder, ProcessInfo(1, "host", 1, "serve", datetime.now(UTC)), look_seconds=0.01)
    await writer.open()
    for _ in range(20):
        _pass(clock, [recorder], [0.01])
    await wait_until_async(lambda: writer.stats().written > 0)
    await store.execute(f"DROP TABLE console.metric_slots_10_{MIDNIGHT - DAY_SECONDS}")
    written = writer.stats().written
    for _ in range(10):
        _pass(clock, [recorder], [0.01])
    await wait_until_async(lambda: writer.stats().written > written or writer.stats().refused > 0)
    assert writer.stats().refused == 0
    await writer.close()


async def test_old_partitions_are_dropped_and_new_ones_made_ahead(store: Database) -> None:
    """Each grain after its own time, and the next day is there before it begins."""
    days = {grain: int(MIDNIGHT - grain.kept_days * DAY_SECONDS) for grain in (TENS, MINUTES, HOURS)}
    rows = [
        _stored(grain.seconds, since + past, 1, [0.1])
        for grain, since in days.items()
        for past in (0, -2 * grain.partition_seconds)
    ]
    await _add(store, rows)
    made = {(row["grain_seconds"], row["second"]) for row in await store.fetch_all("history_partitions")}
    assert (10, MIDNIGHT) in made

    history = MetricHistory(store, Recorder(), wall=lambda: float(MIDNIGHT))
    await history.drop_old()

    kept = await store.fetch_all("SELECT grain_seconds, second FROM console.metric_slots ORDER BY 1")
    assert [(row["grain_seconds"], row["second"]) for row in kept] == [(grain.seconds, days[grain]) for grain in days]
    await _add(store, rows[:1])  # Making them twice is no error.
