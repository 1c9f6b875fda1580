"""Replay: over the rows of a real store it finds what the live judge found, and what it would have found by other numbers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from core.monitor.alerts.coverage import Coverage
from core.monitor.alerts.figure_reader import FigureReader
from core.monitor.alerts.figures import looked_figures
from core.monitor.alerts.judge import CRITICAL, WARNING, Condition, Reading, judge
from core.monitor.alerts.replay import Replay, replay
from core.monitor.alerts.replay_words import rests_on
from core.monitor.alerts.rules import Rule, change
from core.monitor.alerts.uptime import Uptime, take_up_uptime
from core.monitor.alerts.window_quantile import window_p95
from core.monitor.buckets import bucket_numbers
from core.monitor.history.columns import Columns
from core.monitor.history.grains import DAY_SECONDS
from core.ports import Rows
from tests.monitor.alerts.lived import DOWN, MINUTES, SLOW, Lived, keep, opened
from tests.monitor.alerts.scenes import START, only

pytestmark = pytest.mark.xdist_group("replay")  # Forty minutes are lived once.


@pytest.fixture(scope="module")
def lived() -> Lived:
    """A console that saw slow queries, an outage of Redis and a busy machine."""
    return Lived().live()


@pytest.fixture
async def store(database_url: str, lived: Lived) -> AsyncIterator[Rows]:
    """With the rows of it."""
    async with opened(database_url) as found:
        await keep(found, lived.rows, 1, lived.began)
        yield found


async def _replayed(store: Rows, lived: Lived, rule: Rule, span_seconds: int = DAY_SECONDS) -> Replay:
    now = lived.clock.wall + 65
    figures = await FigureReader(store).read(rule, span_seconds, now)
    return replay(rule, figures, now - span_seconds)


async def test_it_finds_what_the_live_judge_found(store: Rows, lived: Lived) -> None:
    """Every firing, by ten seconds or by minutes; nothing else; who felt it, how soon, and who was woken."""
    for rule in lived.rules:
        by_minutes = rule.name in ("api_p95", "api_errors")
        found = await _replayed(store, lived, rule)
        spans = [(span.fired_at, span.over_at) for span in found.spans]
        late = 65 if by_minutes else 15
        assert len(spans) == len(lived.fired[rule.name]), rule.name
        for span, live in zip(spans, lived.fired[rule.name], strict=True):
            assert span[0] == pytest.approx(live[0], abs=late), rule.name
            assert (span[1] is None) == (live[1] is None), rule.name
            assert span[1] is None or span[1] == pytest.approx(live[1], abs=late), rule.name
    counts = {rule.name: len(lived.fired[rule.name]) for rule in lived.rules}
    assert counts == {"redis": 1, "cpu": 1, "database_p95": 1, "api_errors": 1, "api_p95": 1, "uptime": 0}


async def test_the_figures_of_one_firing(store: Rows, lived: Lived) -> None:
    """Slow queries: begun with the first slow slot, told within a minute, felt by those that were slow."""
    (rule,) = only("database_p95")
    found = await _replayed(store, lived, rule)
    (span,) = found.spans
    assert span.begun_at == lived.began + SLOW.start
    assert found.detection_seconds == (span.fired_at - span.begun_at,) * 2
    assert span.fired_at - span.begun_at <= 60
    assert (span.level, found.critical, found.woken, span.felt) == (CRITICAL, 1, 1, len(SLOW) * 2)
    (cpu,) = (await _replayed(store, lived, only("cpu")[0])).spans
    assert (cpu.level, cpu.critical_at) == (WARNING, None)


async def test_other_numbers(store: Rows, lived: Lived) -> None:
    """A limit beyond all, no critical level, a longer pending, a repeat, switched off; by minutes over two weeks the same."""
    (rule,) = only("database_p95")
    replays = {
        "far": change(rule, {"warning": 1.0, "critical": 2.0}),
        "asleep": change(rule, {"critical": None, "warning_pending_seconds": 60}),
        "patient": change(rule, {"critical_pending_seconds": 3_600, "warning_pending_seconds": 3_600}),
        "off": change(rule, {"enabled": False}),
        "nagging": replace(rule, repeat_seconds=30),
    }
    found = {name: await _replayed(store, lived, edited) for name, edited in replays.items()}
    assert {name: len(item.spans) for name, item in found.items()} == {
        "far": 0, "asleep": 1, "patient": 0, "off": 0, "nagging": 1,
    }  # fmt: skip
    assert (found["asleep"].woken, found["asleep"].spans[0].level, found["nagging"].woken > 2) == (0, WARNING, True)
    assert found["far"].detection_seconds is None
    by_minutes = await _replayed(store, lived, rule, 14 * DAY_SECONDS)
    assert by_minutes.spans[0].fired_at == pytest.approx(lived.fired[rule.name][0][0], abs=65)


def _naive(rule: Rule, values: list[float]) -> list[Condition]:
    """Every step judged, none left out."""
    condition, found = Condition(), []
    for number, value in enumerate(values):
        condition = judge(rule, condition, Reading(value, 1), START + 5 * (number + 1))
        found.append(condition)
    return found


def test_what_rests_is_left_out_without_a_difference() -> None:
    """A figure that wanders around its limit: the same firings as with every step judged."""
    (rule,) = only("cpu")
    values = 0.75 + 0.12 * np.sin(np.arange(6_000) / 100) + np.random.default_rng(3).normal(0, 0.02, 6_000)
    looks = values.reshape(-1, 2)
    own = Columns(
        np.ones(3_000, np.bool_),
        np.full(3_000, 2),
        looks.sum(axis=1),
        looks.max(axis=1),
        np.zeros(0, np.int32),
        np.zeros(0, np.uint16),
        np.zeros(0, np.uint32),
    )
    figures = looked_figures(rule, own, START + np.arange(10, 30_001, 10))
    found = replay(rule, figures, START)
    levels = np.array([item.level for item in _naive(rule, figures.value.tolist())])
    fired = np.flatnonzero((levels > 0) & (np.concatenate(([0], levels[:-1])) == 0))
    assert [span.fired_at for span in found.spans] == [START + 5 * (place + 1) for place in fired.tolist()]
    assert len(found.spans) > 5


def test_two_looks_of_a_slot_lie_as_those_before() -> None:
    """Their order is not stored: what is like the look before comes first."""
    (rule,) = only("redis")
    looks = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    none = np.zeros(0, np.uint16)
    own = Columns(np.ones(4, np.bool_), np.full(4, 2), looks.sum(axis=1), looks.max(axis=1), none, none, none)
    assert looked_figures(rule, own, START + np.arange(10, 41, 10)).value.tolist() == looks.ravel().tolist()


def test_the_p95_of_a_window_is_the_nearest_rank() -> None:
    """Also where a twentieth of the samples is no whole number; of 19 there is none."""
    values = np.array([0.001 * 1.1**number for number in range(21)])
    rows = np.array([0] * 19 + [1] * 2)
    own = Columns(
        np.ones(2, np.bool_), np.array([19, 2]), np.zeros(2), np.array([values[18], values[20]]), rows,
        bucket_numbers(values).astype(np.uint16), np.ones(21, np.uint32),
    )  # fmt: skip
    found = window_p95(own, np.array([1, 2]))
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(values[19], rel=0.0101)


async def test_a_restart_and_a_gap(store: Rows, lived: Lived) -> None:
    """A console that has just started is not judged; what lasted before a gap does not last over it."""
    (rule,) = only("database_p95")
    later = lived.began + SLOW.start - 10
    await store.execute("history_process", 2, "host", 2, "console", _at(later), int(lived.clock.wall))
    (span,) = (await _replayed(store, lived, replace(rule, warm_up_seconds=60))).spans
    assert span.fired_at >= later + 60

    gap = lived.began + SLOW.start + 20
    await store.execute("DELETE FROM console.metric_slots WHERE second >= $1 AND second < $2", int(gap), int(gap) + 90)
    figures = await FigureReader(store).read(rule, DAY_SECONDS, lived.clock.wall + 65)
    assert int(np.count_nonzero(figures.own.known)) * 10 == MINUTES * 60 - 90
    assert replay(rule, figures, 0.0).spans == ()


def test_how_much_history_there_is() -> None:
    """From the first slot on; a gap at the end counts, one that is no longer than a restart does not."""
    known = np.ones(100, np.bool_)
    for missing in (slice(10), slice(20, 25), slice(40, 60), slice(85, 100)):
        known[missing] = False
    found = Coverage.of(known, 1_000, 10)
    assert (found.asked_seconds, found.known_seconds, found.first) == (1_000, 500, 1_100)
    assert (found.gaps, found.gap_seconds) == (((1_400, 1_600), (1_850, 2_000)), 350)
    assert rests_on(found, 300) == (
        "History: 8 min of 16 min, by 10 s; samples enough to judge in 5 min of it. 2 gaps without any data, 5 min in all."
    )
    assert Coverage.of(np.zeros(10, np.bool_), 0, 10).first is None


async def test_uptime_outlives_a_restart(store: Rows, lived: Lived) -> None:
    """What the console before saw counts; the time in which none ran is not known, and not down."""
    lived.clock.advance(3_600)
    began = lived.clock.steady.now()
    uptime = Uptime()
    uptime.see(True, began + 1)
    await take_up_uptime(uptime, store, lived.clock.steady, began=began)
    reading = uptime.reading(began + 2)
    slots, down = MINUTES * 6 + 1, len(DOWN) // 10 + 1  # It ends just inside of one more.
    assert reading is not None
    assert (reading.samples, reading.felt, reading.value) == (slots, down, 1 - down / slots)
    assert reading.worst == "down for 70 s, 40 min of 24 h are known"
    assert reading.running_seconds == pytest.approx(MINUTES * 60 + 3_600, abs=15)
    later = uptime.reading(began + DAY_SECONDS - 3_000)
    assert later is not None
    assert later.samples < slots - 60


def _at(second: float) -> datetime:
    return datetime.fromtimestamp(second, UTC)
