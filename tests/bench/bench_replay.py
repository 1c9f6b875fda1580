"""What a rule's replay costs: the first time, when the history is read, and at the next edit, when it is only judged again.

The load is that of a console with 200 requests a second: 62 series, five records a request. The rows are of ten minutes of it,
in which one minute is slow, so that rules fire six times an hour.
"""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from core.database.pool import Database, PoolSettings
from core.database.queries import Queries
from core.monitor import Recorder
from core.monitor.alerts.figure_reader import FigureReader
from core.monitor.alerts.looks import KINDS, look_metric
from core.monitor.alerts.replay import replay
from core.monitor.alerts.rules import Rule, change, load_rules
from core.monitor.history.collector import SlotCollector
from core.monitor.history.grains import DAY_SECONDS, StoredSlot
from core.monitor.history.partitions import Partitions
from core.monitor.history.writer import add_slots
from core.settings import Settings
from tests.bench.held import held
from tests.monitor.manual_clock import START, ManualClock

ROUTES, QUERIES, FAMILIES, OTHERS, PER_SECOND = 14, 20, 10, 18, 1_000
DAYS = 14
NOW = START - START % DAY_SECONDS + 20 * DAY_SECONDS
RULES = {rule.name: rule for rule in load_rules(Settings())}
ASKED = {
    "database_p95": {"warning": 0.06},
    "api_p95": {"warning": 0.08, "critical_pending_seconds": 60},
    "api_errors": {"warning": 0.02},
    "cache_hit_rate": {"warning": 0.8},
    "cpu": {"warning": 0.7},
}


def _series(recorder: Recorder) -> list[object]:
    keys = [("api_request_seconds", (f"/api/{n}",)) for n in range(ROUTES)]
    keys += [("database_query_seconds", (f"query {n}",)) for n in range(QUERIES)]
    keys += [("cache_read_seconds", (f"family {n}", "memory")) for n in range(FAMILIES)]
    keys += [(f"metric_{n}_seconds", ()) for n in range(OTHERS)]
    return [recorder.handle(*key) for key in keys]


@pytest.fixture(scope="module")
def collected() -> tuple[list[StoredSlot], list[StoredSlot]]:
    """The rows of ten minutes: tens, minutes."""
    clock, chance = ManualClock(), random.Random(3)
    recorder = Recorder(clock.steady)
    handles, collector = _series(recorder), SlotCollector(recorder, 1)
    values = [chance.lognormvariate(-5, 1.2) for _ in range(20_000)]
    looked = [rule for rule in RULES.values() if rule.kind in KINDS]
    for second in range(610):
        slow = 20.0 if 300 <= second < 360 else 1.0
        for place in range(PER_SECOND):
            handles[(place * place + second) % len(handles)].record(values[(second * 977 + place) % 20_000] * slow)  # type: ignore[attr-defined]
        recorder.count("api_errors", 20 if slow > 1 else 1, ("/api/1", "5xx"))
        recorder.count("cache_answers", 300 if slow > 1 else 950, ("promised", "hit"))
        recorder.count("cache_answers", 700 if slow > 1 else 50, ("promised", "miss"))
        for rule in looked if second % 5 == 0 else ():
            recorder.record(look_metric(rule), 0.9 if slow > 1 else 0.3)
        clock.advance(1)
        recorder.fold()
        collector.collect()
    rows = collector.take()
    return [row for row in rows if row.grain_seconds == 10][1:61], [row for row in rows if row.grain_seconds == 60][1:11]


@asynccontextmanager
async def _store(url: str) -> AsyncIterator[Database]:
    store = Database(url, Queries(), PoolSettings(max_size=2, command_timeout_seconds=60.0))
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def _fill(store: Database, kind: list[StoredSlot], days: int) -> None:
    grain = kind[0].grain_seconds
    for first in range(int(NOW) - days * DAY_SECONDS, int(NOW), 500 * grain):
        seconds = range(first, min(first + 500 * grain, int(NOW)), grain)
        rows = [replace(kind[(second // grain) % len(kind)], second=second) for second in seconds]
        await Partitions(store).ensure(rows)
        await add_slots(store, rows)


async def _measured(store: Database, rule: Rule, span_seconds: int) -> str:
    """The words of it: CPU and wall time of the first answer, CPU of judging it and of the next edit."""
    cpu, began = time.process_time(), time.perf_counter()
    figures = await FigureReader(store).read(rule, span_seconds, NOW + 5)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - began
    times, fired = list[float](), list[int]()
    for edited in (rule, change(rule, ASKED[rule.name])):
        before = time.thread_time()
        found = replay(edited, figures, NOW - span_seconds)
        times.append(time.thread_time() - before)
        fired.append(len(found.spans))
    _, loop_held = await held(lambda: FigureReader(store).read(rule, span_seconds, NOW + 5))
    reading = f"read {wall * 1e3:.0f} ms ({cpu * 1e3:.0f} ms CPU, the loop held {loop_held * 1e3:.0f} ms)"
    judging = f"judged {times[0] * 1e3:.0f} ms (fired {fired[0]}), next edit {times[1] * 1e3:.0f} ms (fired {fired[1]})"
    return f"{rule.name}, {span_seconds // 3_600} h by {figures.slot_seconds} s: {reading}, {judging}"


async def test_a_replay(database_url: str, collected: tuple[list[StoredSlot], list[StoredSlot]]) -> None:
    """A day and two weeks of each kind of rule."""
    tens, minutes = collected
    async with _store(database_url) as store:
        await _fill(store, tens, 2)
        await _fill(store, minutes, DAYS + 1)
        await store.execute("VACUUM ANALYZE console.metric_slots")
        began = datetime.fromtimestamp(NOW - 20 * DAY_SECONDS, UTC)
        await store.execute("history_process", 1, "host", 1, "console", began, int(NOW))
        for span_seconds in (DAY_SECONDS, DAYS * DAY_SECONDS):
            for name in ASKED:
                print(f"\n{await _measured(store, RULES[name], span_seconds)}", end="")
