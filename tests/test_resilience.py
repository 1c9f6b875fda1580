"""CircuitBreaker: when it opens, how it finds out that the server is well again, and what an operator may do."""

from __future__ import annotations

import asyncio
import threading

import pytest

from core.errors import BreakerOpen, DependencyDown, DependencyError, QueryError
from core.resilience import BreakerEvent, CircuitBreaker

DOWN = DependencyDown("Connection refused.")


class Time:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    """The breaker's clock."""
    return Time()


@pytest.fixture
def breaker(time) -> CircuitBreaker:
    """Opens at 5 of 10 failures or 8 of 10 slow calls; 1 s, then 2, then 3."""
    return CircuitBreaker("redis", slow_call_seconds=0.1, minimum_calls=10, open_seconds_most=3.0, clock=time)


def fail(breaker: CircuitBreaker, times: int) -> None:
    """Calls that were allowed and failed."""
    for _ in range(times):
        assert breaker.allow()
        breaker.failure(0.001, DOWN)


def answer(breaker: CircuitBreaker, times: int) -> None:
    """Calls that were allowed and answered."""
    for _ in range(times):
        assert breaker.allow()
        breaker.success(0.001)


def answer_late(breaker: CircuitBreaker, time: Time, times: int) -> None:
    """Calls that were allowed and answered after a tenth of a second."""
    for _ in range(times):
        assert breaker.allow()
        time.now += 0.1
        breaker.success(0.1)


def test_it_opens_at_the_rate_of_failures(breaker):
    """Half of ten calls; it says what it saw, and when it tries again."""
    answer(breaker, 5)
    fail(breaker, 4)
    assert breaker.state == "closed"
    fail(breaker, 1)
    assert not breaker.allow()
    stats = breaker.stats()
    assert (stats.state, stats.calls, stats.failures, stats.failure_rate) == ("open", 10, 5, 0.5)
    assert (stats.refused, stats.retry_in_seconds, stats.last_error) == (1, 1.0, "Connection refused.")
    assert breaker.events()[-1].reason == "5 of 10 calls failed, the last with: Connection refused."


def test_too_few_calls_prove_nothing(breaker):
    """Nine failures of nine calls leave it closed; the tenth call, though it is answered, completes the picture."""
    fail(breaker, 9)
    assert breaker.state == "closed"
    answer(breaker, 1)
    assert breaker.state == "open"


def test_it_opens_at_the_rate_of_slow_calls(breaker, time):
    """A server that answers everything, but late, is worth no wait."""
    answer(breaker, 2)
    answer_late(breaker, time, 7)
    assert breaker.state == "closed"
    answer_late(breaker, time, 1)
    assert breaker.state == "open"
    assert breaker.events()[-1].reason == "8 of 10 calls took 0.1 s or more"


def test_old_calls_leave_the_window(breaker, time):
    """Failures of more than ten seconds ago do not count, those within do."""
    fail(breaker, 9)
    time.now += 5.0
    answer(breaker, 1)
    assert breaker.state == "open"
    breaker.automatic("ana")
    fail(breaker, 9)
    time.now += 10.1
    stats = breaker.stats()
    assert (stats.calls, stats.failures, stats.slow) == (0, 0, 0)
    answer(breaker, 1)
    fail(breaker, 8)
    assert breaker.state == "closed"


def test_a_window_slides_in_tenths(breaker, time):
    """One call a second for a minute: ten or eleven are counted at any time."""
    for _ in range(60):
        answer(breaker, 1)
        assert breaker.stats().calls <= 11
        time.now += 1.0
    assert 9 <= breaker.stats().calls <= 10


def test_a_good_trial_closes_it(breaker, time):
    """After a second three calls are let through; two good answers are enough, since the third cannot change the verdict."""
    fail(breaker, 10)
    time.now += 0.99
    assert not breaker.allow()
    time.now += 0.01
    assert [breaker.allow() for _ in range(4)] == [True, True, True, False]
    assert breaker.state == "half_open"
    breaker.success(0.001)
    assert breaker.state == "half_open"
    breaker.success(0.001)
    assert (breaker.state, breaker.stats().calls) == ("closed", 0)


def test_failed_trials_wait_longer_each_time(breaker, time):
    """1, 2, 3, 3 seconds: at most three, so that a server that is back is used within five; it is still one outage."""
    fail(breaker, 10)
    opened = breaker.stats().since
    waits = []
    for _ in range(4):
        waits.append(breaker.stats().retry_in_seconds)
        time.now += waits[-1]
        fail(breaker, 2)
    assert waits == [1.0, 2.0, 3.0, 3.0]
    assert (breaker.stats().trials, breaker.stats().since) == (4, opened)
    assert [event.new for event in breaker.events()] == ["open"]
    time.now += 3.0
    answer(breaker, 2)
    fail(breaker, 10)
    assert breaker.stats().retry_in_seconds == 1.0


def test_a_slow_trial_fails(breaker, time):
    """Back, but as slow as before."""
    fail(breaker, 10)
    time.now += 1.0
    answer_late(breaker, time, 3)
    assert breaker.state == "open"


def test_a_trial_may_take_its_time_between_calls(breaker, time):
    """At one call a minute the verdict still comes: outcomes of a trial do not grow old."""
    fail(breaker, 10)
    time.now += 60.0
    answer(breaker, 1)
    time.now += 60.0
    answer(breaker, 1)
    assert breaker.state == "closed"


def test_an_abandoned_trial_gives_its_place_back(breaker, time):
    """Three cancelled callers do not block the way for those after them."""
    fail(breaker, 10)
    time.now += 1.0
    assert [breaker.allow() for _ in range(4)] == [True, True, True, False]
    breaker.abandon()
    assert [breaker.allow() for _ in range(2)] == [True, False]


def test_trials_that_never_report_are_replaced(breaker, time):
    """Callers that died without a word hold nothing up for longer than ten seconds."""
    fail(breaker, 10)
    time.now += 1.0
    assert [breaker.allow() for _ in range(4)] == [True, True, True, False]
    time.now += 10.0
    answer(breaker, 2)
    assert breaker.state == "closed"


def test_calls_from_before_do_not_decide_a_trial(breaker, time):
    """Timeouts of calls that began before it opened arrive late; they and their cancellations are no part of the trial."""
    fail(breaker, 10)
    time.now += 1.0
    assert [breaker.allow() for _ in range(4)] == [True, True, True, False]
    for _ in range(3):
        breaker.failure(2.0, DOWN)
        breaker.abandon(2.0)
    assert (breaker.state, breaker.stats().calls, breaker.allow()) == ("half_open", 0, False)


def test_opened_by_hand_it_stays_open(breaker, time):
    """No time and no answer closes it; automatic begins anew."""
    breaker.open("ana", "moving to another host")
    time.now += 3_600.0
    assert not breaker.allow()
    assert breaker.stats().retry_in_seconds is None
    breaker.automatic("ana", "moved")
    answer(breaker, 1)
    assert breaker.state == "closed"


def test_closed_by_hand_it_stays_closed(breaker):
    """Failures are counted and refuse nothing."""
    breaker.close("ana", "the breaker is wrong")
    fail(breaker, 50)
    assert (breaker.state, breaker.stats().failures) == ("forced_closed", 50)


def test_every_change_is_remembered_and_told(time):
    """Who did it and why; a listener that fails breaks nothing, and may ask the breaker."""
    told: list[tuple[BreakerEvent, str]] = []

    def listen(event: BreakerEvent) -> None:
        told.append((event, breaker.stats().state))
        raise ValueError("a listener's own fault")

    breaker = CircuitBreaker("redis", clock=time, on_change=listen)
    breaker.open("ana", "a drill")
    breaker.automatic("ben", "over")
    fail(breaker, 10)
    events = breaker.events()
    assert [(event.old, event.new, event.who) for event in events] == [
        ("closed", "forced_open", "ana"),
        ("forced_open", "closed", "ben"),
        ("closed", "open", ""),
    ]
    assert told == list(zip(events, ["forced_open", "closed", "open"], strict=True))


def test_the_events_are_bounded(breaker):
    """A breaker that flaps for days keeps the last hundred."""
    for _ in range(150):
        breaker.open("ana", "")
        breaker.automatic("ana")
    assert len(breaker.events()) == 100


def test_guard_reports_what_its_block_does(breaker, time):
    """Errors that count are failures, others are answers, a cancellation is neither; refused, it raises BreakerOpen."""
    with breaker.guard():
        time.now += 0.2
    with pytest.raises(QueryError), breaker.guard():
        raise QueryError("No such table.")
    with pytest.raises(asyncio.CancelledError), breaker.guard():
        raise asyncio.CancelledError
    with pytest.raises(DependencyDown), breaker.guard(counts=DependencyError):
        raise DOWN
    stats = breaker.stats()
    assert (stats.calls, stats.failures, stats.slow) == (3, 1, 1)
    fail(breaker, 7)
    with pytest.raises(BreakerOpen, match="Connection refused") as refused, breaker.guard():
        pytest.fail("a refused block does not run")
    assert refused.value.next_step


def test_threads_lose_no_outcome():
    """Four threads, each outcome counted once."""
    breaker = CircuitBreaker("redis", failure_rate=2.0, slow_call_rate=2.0, window_seconds=600.0)

    def work() -> None:
        for number in range(5_000):
            assert breaker.allow()
            if number % 5:
                breaker.success(0.001)
            else:
                breaker.failure(0.001, DOWN)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = breaker.stats()
    assert (stats.calls, stats.failures) == (20_000, 4_000)


def test_failures_in_a_row_open_whatever_went_well_before(time):
    """After a busy time without faults a server that has stopped answering is left alone at once, not after the window."""
    breaker = CircuitBreaker("redis", window_seconds=10, failures_in_a_row=10, clock=time)
    time.now += 5
    for _ in range(10_000):
        breaker.success(0.001)
    for _ in range(9):
        breaker.failure(0.1, DOWN)
    breaker.success(0.001)
    for _ in range(9):
        breaker.failure(0.1, DOWN)
    assert breaker.state == "closed"
    breaker.failure(0.1, DOWN)
    assert breaker.state == "open"


def test_a_seldom_asked_server_is_left_alone_too(time):
    """With fewer calls than the window's minimum, failures in a row still open."""
    breaker = CircuitBreaker("redis", window_seconds=10, minimum_calls=10, failures_in_a_row=10, clock=time)
    for _ in range(10):
        time.now += 5
        breaker.failure(0.1, DOWN)
    assert breaker.state == "open"
