"""Rates: the estimate of what the API still allows, with plain numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core.claude.messages import RateHeadroom
from core.claude.scheduler.concurrency import Concurrency
from core.claude.scheduler.rate_bucket import RateBucket

START = datetime(2026, 11, 23, tzinfo=UTC)


def told(remaining: int, *, limit: int = 60, reset_seconds: float | None = None) -> RateHeadroom:
    """Headers of an answer that was admitted at START."""
    return RateHeadroom(
        limit=limit, remaining=remaining, resets_at=None if reset_seconds is None else START + timedelta(seconds=reset_seconds)
    )


def test_nothing_is_limited_before_the_first_answer():
    """Not even what could never be."""
    assert RateBucket().ready_at(5.0, 1e9, 0.2) == 5.0


def test_what_was_sent_since_stays_deducted():
    """Ten remained when the first ask was admitted; four more are under way."""
    bucket = RateBucket()
    mark = bucket.take(0.0, 1)
    for at in (0.1, 0.2, 0.3, 0.4):
        bucket.take(at, 1)

    bucket.learn(1.0, mark, 0.0, told(10), START)

    assert bucket.remaining(1.0) == pytest.approx(6)
    assert bucket.remaining(3.0) == pytest.approx(8), "one a second comes back"
    assert bucket.ready_at(3.0, 1, 0.0) == 3.0
    assert bucket.ready_at(3.0, 1, 0.2) == pytest.approx(8), "twelve of sixty are kept"


def test_the_time_of_reset_tells_how_much_it_holds():
    """Four remain and it is full in six seconds, at one a second: it holds ten, and never more is saved up."""
    bucket = RateBucket()
    bucket.learn(0.0, bucket.take(0.0, 1), 0.0, told(4, reset_seconds=6), START)

    assert bucket.capacity == pytest.approx(10)
    assert bucket.remaining(100.0) == pytest.approx(10)


def test_a_slow_reset_tells_that_it_refills_slowly():
    """Thirty of sixty come back within ten minutes."""
    bucket = RateBucket()
    bucket.learn(0.0, bucket.take(0.0, 1), 0.0, told(30, reset_seconds=600), START)

    assert bucket.remaining(100.0) == pytest.approx(35)
    assert bucket.full_in(100.0) == pytest.approx(500)


def test_bad_news_is_believed_at_once_and_good_news_by_half():
    """Others use the same key; and what an old ask tells does not count after a newer one."""
    bucket = RateBucket()
    marks = [bucket.take(0.0, 1) for _ in range(4)]
    bucket.learn(0.0, marks[0], 0.0, told(40), START)
    assert bucket.remaining(0.0) == pytest.approx(37)

    bucket.learn(0.0, marks[2], 0.2, told(20), START)
    assert bucket.remaining(0.0) == pytest.approx(19)
    bucket.learn(0.0, marks[1], 0.1, told(39), START)
    assert bucket.remaining(0.0) == pytest.approx(19)
    bucket.learn(0.0, marks[3], 0.3, told(39), START)
    assert bucket.remaining(0.0) == pytest.approx(29)


def test_an_ask_larger_than_the_bucket_waits_for_a_full_one():
    """Not for ever."""
    bucket = RateBucket()
    bucket.learn(0.0, bucket.take(0.0, 10), 0.0, told(0, limit=60), START)

    assert bucket.ready_at(0.0, 1e6, 0.0) == pytest.approx(60)


def test_the_limit_grows_only_while_half_of_it_is_used():
    """By one with each full window of answers; it never goes below one, nor above its maximum."""
    concurrency = Concurrency(10, start=8)
    for _ in range(100):
        concurrency.answered(3)
    assert concurrency.limit == 8
    for _ in range(8):
        concurrency.answered(4)
    assert concurrency.limit == 9
    for _ in range(100):
        concurrency.answered(9)
    assert concurrency.limit == 10

    assert concurrency.refused(started_at=0.0, now=1.0)
    assert not concurrency.refused(started_at=1.0, now=1.5), "it began before the limit went down"
    assert concurrency.limit == 7
    for at in range(2, 20):
        concurrency.refused(float(at), float(at))
    assert (concurrency.limit, concurrency.reserved(0.2)) == (1, 0)
