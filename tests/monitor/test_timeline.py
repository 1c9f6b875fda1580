"""Histories: at most 600 points, gaps where nothing happened, and as sharp as the samples allow."""

from __future__ import annotations

import random

import pytest

from core.monitor import Recorder
from tests.monitor.manual_clock import START, ManualClock


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still."""
    return ManualClock()


@pytest.fixture
def recorder(clock: ManualClock) -> Recorder:
    """A recorder on that clock, folded by hand."""
    return Recorder(clock.steady)


def _run(recorder: Recorder, clock: ManualClock, seconds: int, per_second: int, value: float = 0.01) -> None:
    for _ in range(seconds):
        for _ in range(per_second):
            recorder.record("request_seconds", value, ("a",))
        clock.advance(1)
        recorder.fold()


@pytest.mark.parametrize(("window_seconds", "points", "step"), [(60, 60, 1), (300, 150, 2), (3_600, 360, 10)])
def test_a_window_has_its_points(recorder: Recorder, clock: ManualClock, window_seconds: int, points: int, step: int) -> None:
    """Times are the ends of even steps, the last of them just over; before the start nothing is known."""
    _run(recorder, clock, 40, per_second=30)

    history = recorder.history("request_seconds", window_seconds)

    assert len(history.times) == len(history.p95) == len(history.rates) == points
    assert history.times[-1] == START + 40
    assert {late - early for early, late in zip(history.times, history.times[1:], strict=False)} == {step}
    known = 40 // step
    assert history.rates[-known:] == (30.0,) * known
    assert set(history.rates[:-known]) <= {None}
    assert history.p95[-1] == pytest.approx(0.01, rel=0.01)


def test_a_gap_is_none_for_a_latency_and_zero_for_a_rate(recorder: Recorder, clock: ManualClock) -> None:
    """No sample is not a latency of zero."""
    _run(recorder, clock, 10, per_second=30)
    _run(recorder, clock, 10, per_second=0)
    _run(recorder, clock, 10, per_second=30)

    history = recorder.history("request_seconds", 300)

    assert history.rates[-15:] == (30.0,) * 5 + (0.0,) * 5 + (30.0,) * 5
    assert [value is None for value in history.p50[-15:]] == [False] * 5 + [True] * 5 + [False] * 5


def test_few_samples_borrow_from_the_last_minute(recorder: Recorder, clock: ManualClock) -> None:
    """One request a second: P95 is known once 20 came, over as many seconds as that takes; P99 would need 100."""
    _run(recorder, clock, 60, per_second=1)

    history = recorder.history("request_seconds", 300)

    assert [value is not None for value in history.p95[-30:]] == [False] * 9 + [True] * 21
    assert set(history.p99) == {None}


def test_many_samples_borrow_nothing(recorder: Recorder, clock: ManualClock) -> None:
    """Under load a point is its own step, so that a change shows at once."""
    _run(recorder, clock, 10, per_second=100, value=0.01)
    _run(recorder, clock, 2, per_second=100, value=0.5)

    history = recorder.history("request_seconds", 300)

    assert history.p99[-2:] == pytest.approx((0.01, 0.5), rel=0.01)


def test_a_refresh_equals_a_fresh_look(clock: ManualClock) -> None:
    """Points that were kept and points that are computed anew are the same, in every window."""
    watched, fresh, chance = Recorder(clock.steady), Recorder(clock.steady), random.Random(3)
    for second in range(900):
        for _ in range(chance.choice((0, 0, 1, 4, 40))):
            value, label = chance.lognormvariate(-4, 1), (chance.choice("abc"),)
            for recorder in (watched, fresh):
                recorder.record("request_seconds", value, label)
        clock.advance(chance.choice((1, 1, 1, 0.4, 2.6)))
        for recorder in (watched, fresh):
            recorder.fold()
        if second % 7 == 0:
            for window_seconds in (60, 300, 3_600):
                watched.history("request_seconds", window_seconds)

    for window_seconds in (60, 300, 3_600):
        assert watched.history("request_seconds", window_seconds) == fresh.history("request_seconds", window_seconds)


def test_one_label_and_what_was_never_recorded(recorder: Recorder, clock: ManualClock) -> None:
    """A series by its labels; an unknown one is empty, not an error, and is not kept."""
    _run(recorder, clock, 4, per_second=30)
    recorder.record("request_seconds", 9.0, ("b",))
    clock.advance(2)
    recorder.fold()

    assert sum(recorder.history("request_seconds", 60, ("a",)).counts) == 120
    assert sum(recorder.history("request_seconds", 60).counts) == 121
    unknown = recorder.history("never_recorded", 60, ("x",))
    assert (sum(unknown.counts), set(unknown.p50)) == (0, {None})
    assert len(recorder._points) == 2
