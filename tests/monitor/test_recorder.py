"""The recorder: nothing lost, windows exact, honest about what it does not know."""

from __future__ import annotations

import logging
import math
import threading
from dataclasses import replace

import numpy as np
import pytest

from core.monitor import Recorder
from core.monitor.registry import MAX_SERIES
from core.monitor.windows import summary
from tests.monitor.manual_clock import START, ManualClock
from tests.support import wait_until_async


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still."""
    return ManualClock()


@pytest.fixture
def recorder(clock: ManualClock) -> Recorder:
    """A recorder on that clock, folded by hand."""
    return Recorder(clock.steady)


def _second(recorder: Recorder, clock: ManualClock, values: list[float], seconds: int = 1) -> None:
    """Record, then let the second end and fold it."""
    for value in values:
        recorder.record("request_seconds", value)
    clock.advance(seconds)
    recorder.fold()


async def test_five_threads_lose_nothing() -> None:
    """1.5 million appends from five threads, while the recorder's thread folds, are all counted."""
    recorder, each = Recorder(), 300_000
    await recorder.open()

    def work(number: int) -> None:
        handle = recorder.handle("request_seconds", (str(number % 2),))
        for _ in range(each):
            handle.record(0.01)
            recorder.count("requests")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    await wait_until_async(lambda: not any(thread.is_alive() for thread in threads), 60)
    await recorder.close()

    snapshot = recorder.snapshot(300)
    assert snapshot.total("request_seconds").count == 5 * each
    assert [item.count for item in snapshot.series] == [3 * each, 2 * each]
    assert snapshot.counted("requests") == 5 * each
    assert recorder.stats().dropped_values == 0


async def test_the_thread_folds_by_itself_and_close_takes_what_is_left() -> None:
    """Open starts one thread, close ends it and folds the rest; both may be called twice."""
    recorder = Recorder()
    await recorder.open()
    await recorder.open()
    recorder.record("request_seconds", 0.1)
    await wait_until_async(lambda: recorder.snapshot(60).total("request_seconds").count == 1)
    assert recorder.stats().running

    recorder.record("request_seconds", 0.1)
    await recorder.close()
    await recorder.close()

    assert recorder.snapshot(60).total("request_seconds").count == 2
    assert not recorder.stats().running
    assert not [thread for thread in threading.enumerate() if thread.name == "recorder"]


@pytest.mark.parametrize("window_seconds", [60, 300, 3_600])
def test_windows_are_exact(recorder: Recorder, clock: ManualClock, window_seconds: int) -> None:
    """A window holds the samples of its seconds and no other."""
    for second in range(3_700):
        _second(recorder, clock, [second / 1000])

    total = recorder.total("request_seconds", window_seconds)

    expected = np.arange(3_700 - window_seconds, 3_700) / 1000
    assert total.count == window_seconds
    assert total.rate_per_second == pytest.approx(1.0)
    assert total.mean == pytest.approx(expected.mean())
    assert total.max == 3.699
    assert total.p95 == pytest.approx(expected[math.ceil(0.95 * window_seconds) - 1], rel=0.01)


def test_a_long_window_is_the_sum_of_its_tens(clock: ManualClock) -> None:
    """Whether summed of minutes or of tens, wherever in a minute it begins, and with a long gap inside."""
    clock.advance(7)
    recorder = Recorder(clock.steady)
    for second in range(4_000):
        _second(recorder, clock, [second / 1000] if second % 7 and not 600 < second < 2_000 else [])
        if second % 997 == 3 or 3_680 < second < 3_700:
            for window_seconds in (900, 3_600):
                window, [(_, slots)] = recorder.cut("request_seconds", window_seconds)
                whole, total = summary("request_seconds", (), slots, window), recorder.total("request_seconds", window_seconds)
                assert replace(total, mean=None) == replace(whole, mean=None)
                assert total.mean == pytest.approx(whole.mean)


def test_a_rate_is_over_the_time_that_was_watched(recorder: Recorder, clock: ManualClock) -> None:
    """Ten seconds after the start, 50 requests are 5 a second, not 50 in five minutes."""
    for _ in range(10):
        _second(recorder, clock, [0.01] * 5)

    assert recorder.total("request_seconds", 300).rate_per_second == pytest.approx(5.0)
    assert recorder.snapshot(300).covered_seconds == 10


def test_labels_are_kept_apart_and_merge_exactly(recorder: Recorder, clock: ManualClock) -> None:
    """The total over labels is the distribution of all values, not a mean of quantiles."""
    fast, slow = [0.001] * 900, [1.0] * 100
    for label, values in (("fast", fast), ("slow", slow)):
        for value in values:
            recorder.record("request_seconds", value, (label,))
    clock.advance(1)
    recorder.fold()

    snapshot = recorder.snapshot(60)
    assert [(item.labels, item.count) for item in snapshot.series] == [(("fast",), 900), (("slow",), 100)]
    assert snapshot.total("request_seconds").p50 == pytest.approx(0.001, rel=0.01)
    assert snapshot.total("request_seconds").p95 == pytest.approx(1.0, rel=0.01)
    assert snapshot.total("request_seconds") == recorder.total("request_seconds", 60)


def test_not_enough_samples_is_a_state(recorder: Recorder, clock: ManualClock) -> None:
    """Counts come with every quantile; one that means nothing is None."""
    _second(recorder, clock, [0.01] * 19)
    total = recorder.total("request_seconds", 60)
    assert (total.count, total.p95, total.p99) == (19, None, None)
    assert total.p50 == pytest.approx(0.01, rel=0.01)

    unknown = recorder.total("never_recorded", 60)
    assert (unknown.count, unknown.rate_per_second, unknown.mean, unknown.p50, unknown.max) == (0, 0.0, None, None, None)


def test_beyond_200_series_label_values_share_one(
    recorder: Recorder, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is lost, the refusal is counted, and said once."""
    with caplog.at_level(logging.WARNING):
        for number in range(MAX_SERIES + 50):
            recorder.record("request_seconds", 0.01, (f"/{number}",))
        recorder.count("requests", 2, ("late",))
        recorder.gauge("temperature", 1.0, ("late",))
    clock.advance(1)
    recorder.fold()

    snapshot = recorder.snapshot(60)
    assert snapshot.total("request_seconds").count == MAX_SERIES + 50
    assert next(item.count for item in snapshot.series if item.labels == ("other",)) == 50
    assert [(item.metric, item.labels, item.delta) for item in snapshot.counters] == [("requests", ("other",), 2)]
    assert recorder.stats().refused_series == 52
    assert [record.message for record in caplog.records if "recorder_full" in record.message].__len__() == 1


def test_what_rules_judge_has_the_last_places(recorder: Recorder, clock: ManualClock) -> None:
    """The first error of a day on which every place is taken is seen under its own labels."""
    recorder.reserve({"api_errors"})
    for number in range(MAX_SERIES):
        recorder.record("request_seconds", 0.01, (str(number),))
    recorder.count("api_errors", 1, ("/api/leads", "5xx"))
    _second(recorder, clock, [])
    assert recorder.snapshot(60).counted("api_errors", "/api/leads", "5xx") == 1


def test_rubbish_is_dropped_and_counted(recorder: Recorder, clock: ManualClock) -> None:
    """No value breaks the folding of the others."""
    for value in (0.5, math.nan, -1.0, math.inf, "word", None, 10**400, 1e300):
        recorder.record("request_seconds", value)  # type: ignore[arg-type]
    recorder.count("requests", -5)
    recorder.count("requests", 3)
    recorder.gauge("temperature", math.nan)
    recorder.record("request_seconds", 0.5, ["a", 1])  # type: ignore[arg-type]
    clock.advance(1)
    recorder.fold()

    snapshot = recorder.snapshot(60)
    assert snapshot.total("request_seconds").count == 2
    assert snapshot.counted("requests") == 3
    assert snapshot.gauges == ()
    assert recorder.stats().dropped_values == 8


@pytest.mark.parametrize("step_seconds", [-7_200.0, 7_200.0])
def test_a_wall_clock_that_is_set_changes_no_window(recorder: Recorder, clock: ManualClock, step_seconds: float) -> None:
    """Samples stay where they are in time; only the times that are shown follow the clock."""
    for _ in range(30):
        _second(recorder, clock, [0.01])
    clock.wall += step_seconds
    for _ in range(30):
        _second(recorder, clock, [0.01])

    assert recorder.total("request_seconds", 60).count == 60
    history = recorder.history("request_seconds", 60)
    assert history.counts == (1,) * 60
    assert history.times[-1] == START + 60 + step_seconds
    assert recorder.snapshot(60).taken_at.timestamp() == START + 60 + step_seconds


def test_a_fold_that_comes_late_loses_nothing(recorder: Recorder, clock: ManualClock) -> None:
    """After a stall of the process its samples are in the second in which they were found."""
    _second(recorder, clock, [0.01] * 10)
    _second(recorder, clock, [0.01] * 10, seconds=45)

    assert recorder.total("request_seconds", 60).count == 20
    clock.advance(0.2)
    _second(recorder, clock, [0.01] * 10, seconds=0)
    assert recorder.total("request_seconds", 60).count == 30


def test_gauges_and_counters(recorder: Recorder, clock: ManualClock) -> None:
    """A gauge is its last value with its age; a counter is how far it moved."""
    recorder.gauge("pool_idle", 3, ("platform",))
    recorder.gauge("pool_idle", 5, ("platform",))
    for _ in range(10):
        recorder.count("requests", 2, ("/a", "2xx"))
        recorder.count("requests", 1, ("/a", "5xx"))
        clock.advance(1)
        recorder.fold()

    snapshot = recorder.snapshot(60)
    assert [(item.value, item.age_seconds) for item in snapshot.gauges] == [(5.0, 10.0)]
    assert (snapshot.counted("requests"), snapshot.counted("requests", "5xx")) == (30, 10)
    assert snapshot.counters[0].rate_per_second == pytest.approx(2.0)
    assert recorder.history("requests", 60).rates[-10:] == (3.0,) * 10


def test_views_are_computed_once_per_fold(recorder: Recorder, clock: ManualClock) -> None:
    """All callers of a second share one immutable object."""
    _second(recorder, clock, [0.01])
    snapshot, history = recorder.snapshot(300), recorder.history("request_seconds", 300)
    recorder.record("request_seconds", 0.01)
    assert recorder.snapshot(300) is snapshot
    assert recorder.history("request_seconds", 300) is history

    _second(recorder, clock, [])
    assert recorder.snapshot(300) is not snapshot
    with pytest.raises(ValueError, match="one of"):
        recorder.snapshot(17)
