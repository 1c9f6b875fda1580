"""Fleet: the console judges what other processes measured, each sample once, in time, and never old rows as new ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.database.pool import Database, PoolSettings
from core.database.queries import Queries
from core.monitor import Recorder
from core.monitor.alerts.book import AlertBook
from core.monitor.alerts.fleet import Fleet
from core.monitor.alerts.judge import Reading
from core.monitor.alerts.readings import Readings
from core.monitor.alerts.rules import judged_metrics
from core.monitor.history.collector import SlotCollector
from core.monitor.history.partitions import Partitions
from core.monitor.history.writer import add_slots
from tests.monitor.alerts.scenes import RULES, WORDS, only
from tests.monitor.manual_clock import ManualClock

OWN, ROUTE = 1, "/api/leads"
METRICS = judged_metrics(RULES)


class Platform:
    """A console and processes of `serve` in made time, over a real store; the console looks every five seconds."""

    def __init__(self, store: Database, workers: int, *, behind_seconds: float = 0.0) -> None:
        self.clock, self.store = ManualClock(), store
        self.there = ManualClock(self.clock.wall - behind_seconds)  # The clock of the others' host.
        self.own = Recorder(self.clock.steady)
        self.workers = [Recorder(self.there.steady) for _ in range(workers)]
        self.collectors = [SlotCollector(item, OWN + 1 + n, METRICS) for n, item in enumerate(self.workers)]
        self.own_rows = SlotCollector(self.own, OWN, METRICS)
        self.fleet = Fleet(store, self.own, OWN, METRICS, clock=lambda: self.clock.monotonic)
        self.readings = Readings(self.own, lambda: (), {}, self.clock.steady.now, lambda: self.clock.wall, self.fleet)
        self.writes = True

    async def second(self, seconds: float = 0.0, *, errors: int = 0) -> None:
        """Ten requests of each worker that took so long; rows are written two seconds late, as in life."""
        for worker in self.workers:
            for _ in range(10 if seconds else 0):
                worker.record("api_request_seconds", seconds, (ROUTE,))
                worker.record("database_query_seconds", seconds, ("lead_list",))
            worker.count("api_errors", errors, (ROUTE, "5xx"))
        for clock in (self.clock, self.there):
            clock.advance(1)
        for recorder in (*self.workers, self.own):
            recorder.fold()
        if self.writes:
            for collector in (*self.collectors, self.own_rows):
                collector.collect()
                if rows := [row for row in collector.take() if row.grain_seconds == 10]:
                    await Partitions(self.store).ensure(rows)
                    await add_slots(self.store, rows)
        if int(self.clock.monotonic) % 5 == 0:
            await self.fleet.look()

    async def run(self, seconds: int, took: float = 0.0, *, errors: int = 0) -> None:
        """Let time pass."""
        for _ in range(seconds):
            await self.second(took, errors=errors)

    def take(self, rule: str) -> Reading:
        """The reading of one rule."""
        return self.readings.take(only(rule))[rule]


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Database]:
    """The console's store."""
    opened = Database(database_url, Queries(), PoolSettings(max_size=1))
    await opened.open()
    yield opened
    await opened.close()


async def test_slow_workers_are_told_within_a_minute(store: Database) -> None:
    """Five processes become slow: the console, which serves nobody itself, is critical; when they are well it is over."""
    platform = Platform(store, 5)
    book = AlertBook(only("api_p95"), WORDS)

    async def judged(took: float, until: int, at_most: int) -> int:
        """Seconds until the rule is at this level."""
        for second in range(at_most):
            await platform.second(took)
            if second % 5 == 0:
                book.tick(platform.readings.take(book.rules), platform.clock.steady.now())
                if book.incidents.conditions["api_p95"].level == until:
                    return second
        return -1

    assert await judged(0.02, 2, 180) == -1
    assert 0 < await judged(0.9, 2, 120) <= 60
    reading = book.incidents.conditions["api_p95"].reading
    assert (reading.value, reading.processes) == (pytest.approx(0.9, rel=0.01), 6)
    assert 0 < await judged(0.02, 0, 600) <= 420


async def test_all_processes_are_one_distribution(store: Database) -> None:
    """Counts add up, each once, whatever the window; who felt it is counted once over all looks; own rows do not count."""
    platform = Platform(store, 2)
    platform.take("api_p95")
    felt = 0
    for number in range(120):
        platform.own.record("api_request_seconds", 0.01, (ROUTE,))
        await platform.second(0.3, errors=1)
        if number % 7 == 0:
            felt += platform.take("api_p95").felt_new
    await platform.run(15)
    reading = platform.take("api_p95")
    felt += reading.felt_new
    long = replace(only("api_p95")[0], windows=(300,))
    whole = platform.readings.take([long])["api_p95"]

    assert whole.samples == 120 * (1 + 2 * 10)
    assert felt == 120 * 20
    assert whole.worst == "/api/leads: 2,400 of 2,400"
    errors = platform.readings.take([replace(only("api_errors")[0], windows=(300,))])["api_errors"]
    assert (errors.samples, errors.felt) == (2_520, 240)
    queries = platform.readings.take([replace(only("database_p95")[0], windows=(300,))])["database_p95"]
    assert (queries.samples, queries.processes) == (2_400, 3)


@pytest.mark.parametrize("behind_seconds", [-40.0, 40.0])
async def test_another_hosts_clock_may_be_wrong(store: Database, behind_seconds: float) -> None:
    """Rows count from when they came, also where they say that they are older, or yet to come."""
    platform = Platform(store, 1, behind_seconds=behind_seconds)
    await platform.run(60, 0.3)
    reading = platform.take("api_p95")
    assert 400 <= reading.samples <= 600
    assert platform.fleet.stats().late == 0


async def test_what_no_longer_comes_ages_out(store: Database) -> None:
    """Workers that died, or a store that is away: less and less, then this process alone; what then comes is not of now."""
    platform = Platform(store, 2)
    await platform.run(60, 0.3)
    assert platform.fleet.stats().processes == 3
    platform.writes = False
    await platform.run(90, 0.3)
    assert platform.fleet.stats().processes == 1
    short = replace(only("api_p95")[0], windows=(60,))
    assert platform.readings.take([short])["api_p95"].samples == 0

    platform.workers = []
    await platform.run(80)
    platform.writes = True
    await platform.run(5)
    assert (platform.fleet.stats().late, platform.fleet.stats().processes) == (2, 1)
    assert platform.readings.take([short])["api_p95"].samples == 0
    await platform.run(330)
    assert platform.take("api_p95").samples == 0
    assert platform.readings.take([replace(short, windows=(3_600,))])["api_p95"].samples == 140 * 20


async def test_a_store_that_does_not_answer(tmp_path: Path) -> None:
    """This process alone is judged, and it is said why; nothing is raised."""
    away = Database(f"postgresql://platform@/platform?host={tmp_path}", Queries(), PoolSettings(max_size=1))
    await away.open()
    platform = Platform(away, 0)
    platform.writes = False
    for _ in range(10):
        platform.own.record("api_request_seconds", 0.3, (ROUTE,))
    await platform.run(5)
    assert "PostgreSQL cannot be reached" in platform.fleet.stats().error
    reading = platform.take("api_p95")
    assert (reading.samples, reading.processes) == (10, 1)
    await away.close()


async def test_a_process_that_ended_counts_once(store: Database) -> None:
    """Also when it is forgotten: its last rows are not found anew."""
    platform = Platform(store, 1)
    await platform.run(60, 0.3)
    platform.workers, platform.writes = [], False
    long = replace(only("api_p95")[0], windows=(3_600,))
    before = platform.readings.take([long])["api_p95"].samples
    await platform.run(360)
    assert platform.readings.take([long])["api_p95"].samples == before > 0
    assert platform.fleet.stats().late == 0


async def test_a_clock_far_ahead_hides_no_others(store: Database) -> None:
    """What the newest seconds show is that of the processes whose rows are of now."""
    platform, clock = Platform(store, 1), ManualClock()
    clock.advance(200)
    ahead = Recorder(clock.steady)
    rows = SlotCollector(ahead, 99, METRICS)
    for second in range(60):
        ahead.record("api_request_seconds", 0.01, (ROUTE,))
        clock.advance(1)
        ahead.fold()
        rows.collect()
        if made := [row for row in rows.take() if row.grain_seconds == 10]:
            await Partitions(store).ensure(made)
            await add_slots(store, made)
        await platform.second(0.9)
        if second > 30 and second % 5 == 4:
            assert platform.take("api_p95").goes_on
    assert platform.fleet.stats().late == 1
