"""Rate: how fast something moves now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.operations import Operation
from core.operations.rate import Rate

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _fed(*samples: tuple[float, int]) -> Rate:
    rate = Rate()
    for at, done in samples:
        rate.add(at, done)
    return rate


def _operation(**changes: Any) -> Operation:
    given: dict[str, Any] = {
        "id": 1, "kind": "import", "key": "k", "title": "t", "operator": "o", "parameters": {}, "commands": (),
        "resumable": False, "state": "running", "what": "rows", "done": 0, "total": 0, "rate_per_second": None,
        "started_at": NOW, "updated_at": NOW + timedelta(seconds=4), "finished_at": None, "cancelled_by": None,
        "result": None, "error": "", "next_step": "", "host": "h", "pid": 1,
    }  # fmt: skip
    return Operation(**{**given, **changes})


def test_there_is_no_rate_before_two_reports() -> None:
    """One point has no slope."""
    assert Rate().per_second(0.0) is None
    assert _fed((0.0, 5)).per_second(1.0) is None


def test_the_rate_is_that_of_the_window_and_not_since_the_start() -> None:
    """Slow for a minute, fast for ten seconds: fast."""
    slow = [(float(second), second) for second in range(60)]
    fast = [(60.0 + second, 60 + 1_000 * second) for second in range(12)]

    assert _fed(*slow, *fast).per_second(71.0) == pytest.approx(1_000)


def test_a_stalled_job_moves_at_nothing() -> None:
    """When a whole window has passed without a word the rate is 0."""
    assert _fed((0.0, 0), (1.0, 100)).per_second(2.0) == pytest.approx(100)
    assert _fed((0.0, 0), (1.0, 100)).per_second(12.0) == 0


def test_rare_reports_have_a_rate() -> None:
    """One report in half a minute is measured from the one before."""
    assert _fed((0.0, 0), (30.0, 300), (60.0, 900)).per_second(60.0) == pytest.approx(20)


def test_going_back_starts_anew() -> None:
    """Another table counts from 0 again: no negative rate."""
    assert _fed((0.0, 0), (1.0, 1_000), (2.0, 10), (3.0, 20)).per_second(3.0) == pytest.approx(10)


def test_many_reports_keep_few_samples() -> None:
    """A million reports a second cost no memory."""
    rate = _fed(*((number / 10_000, number) for number in range(300_000)))

    assert len(rate._samples) <= 103
    assert rate.per_second(30.0) == pytest.approx(10_000, rel=0.01)


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({"done": 25, "total": 100, "rate_per_second": 5.0}, 15.0),
        ({"done": 120, "total": 100, "rate_per_second": 5.0}, 0.0),
        ({"done": 25, "total": 0, "rate_per_second": 5.0}, None),
        ({"done": 25, "total": 100, "rate_per_second": 0.0}, None),
        ({"done": 25, "total": 100, "rate_per_second": None}, None),
        ({"done": 25, "total": 100, "rate_per_second": 5.0, "state": "done"}, None),
    ],
)
def test_the_time_left_follows_from_the_rate(changes: dict[str, Any], seconds: float | None) -> None:
    """Unknown where the total or the rate is, or where nothing runs."""
    assert _operation(**changes).eta_seconds == seconds


def test_the_duration_ends_with_the_operation() -> None:
    """While it runs, with its last word."""
    assert _operation().duration_seconds == 4
    assert _operation(finished_at=NOW + timedelta(seconds=9)).duration_seconds == 9
