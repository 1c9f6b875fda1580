"""The warm schedule: when a run starts, on days whose clocks change too, what is missed, and when it is tried again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from core.cache.warming.plans import WarmPlan, ready_by_of
from core.cache.warming.schedule import PastRun, Scheduled, judge, lead_seconds, ready_hours, retry_seconds

PLAN = WarmPlan(name="mornings", title="Mornings", keys=("lead:1",), ready_by=ready_by_of("08:00", "America/Chicago"))
READY = datetime(2026, 3, 3, 14, 0, tzinfo=UTC)  # 08:00 in Chicago, in winter.
YESTERDAY = PastRun(
    number=1, plan="mornings", state="done", started_at=READY - timedelta(days=1, seconds=60),
    finished_at=READY - timedelta(days=1), ready_at=READY - timedelta(days=1), seconds=60.0,
)  # fmt: skip


def stands(now: datetime, *runs: PastRun) -> Scheduled:
    """How the schedule stands after these runs, newest first."""
    judged = judge(PLAN, (*runs, YESTERDAY), now)
    assert judged is not None
    return judged


def attempt(state: str, after: datetime = READY - timedelta(seconds=100), **changes: object) -> PastRun:
    """A run for the hour of today."""
    given = {
        "number": 2,
        "started_at": after,
        "finished_at": after + timedelta(seconds=10),
        "ready_at": READY,
        "error": "It broke.",
    }
    return replace(YESTERDAY, state=state, **{**given, **changes})


def test_it_starts_before_the_hour():
    """As much earlier as the last runs took, half as much again, and thirty seconds."""
    assert lead_seconds([YESTERDAY]) == 120.0
    early, now = stands(READY - timedelta(seconds=121)), stands(READY - timedelta(seconds=120))
    assert (early.state, early.next_starts_at) == ("ready", READY - timedelta(seconds=120))
    assert (now.state, now.ready_at, now.missed) == ("due", READY, False)


def test_the_longest_of_the_last_runs_counts():
    """Runs that were not done say nothing; nobody starts more than six hours early."""
    runs = [replace(YESTERDAY, seconds=seconds) for seconds in (10.0, 300.0, 20.0)]
    assert lead_seconds([replace(YESTERDAY, state="failed", seconds=9_000.0), *runs]) == 480.0
    assert lead_seconds([replace(YESTERDAY, seconds=90_000.0)]) == 6 * 3600.0
    assert lead_seconds([]) == 210.0


@pytest.mark.parametrize(
    ("zone", "at", "day", "hour"),
    [
        ("America/Chicago", "08:00", datetime(2026, 3, 7, 12, tzinfo=UTC), "2026-03-07T14:00"),  # The day before the change.
        ("America/Chicago", "08:00", datetime(2026, 3, 8, 12, tzinfo=UTC), "2026-03-08T13:00"),  # The day of it.
        (
            "America/Chicago",
            "02:30",
            datetime(2026, 3, 8, 12, tzinfo=UTC),
            "2026-03-08T08:30",
        ),  # An hour that is skipped: 03:30.
        (
            "America/Chicago",
            "01:30",
            datetime(2026, 11, 1, 12, tzinfo=UTC),
            "2026-11-01T06:30",
        ),  # One that comes twice: the first.
        ("Europe/Berlin", "08:00", datetime(2026, 10, 25, 12, tzinfo=UTC), "2026-10-25T07:00"),
        ("Asia/Kolkata", "08:00", datetime(2026, 3, 8, 12, tzinfo=UTC), "2026-03-08T02:30"),
        ("Pacific/Kiritimati", "08:00", datetime(2026, 3, 8, 12, tzinfo=UTC), "2026-03-08T18:00"),  # Their 9 March.
    ],
)
def test_the_hour_is_one_of_a_zone(zone, at, day, hour):
    """The clocks on the wall of that zone count."""
    hours = ready_hours(ready_by_of(at, zone), day)
    assert f"{hours[2]:%Y-%m-%dT%H:%M}" == hour
    assert hours == sorted(hours)


def test_each_day_has_its_hour_once():
    """Through a whole year, minute after hour: the hours follow each other by 23 to 25 hours, and none is skipped."""
    now, seen = datetime(2026, 1, 1, tzinfo=UTC), []
    for step in range(24 * 365):
        judged = judge(PLAN, (), now + timedelta(hours=step))
        assert judged is not None
        if not seen or seen[-1] != judged.ready_at:
            seen.append(judged.ready_at)
    assert len(seen) in (365, 366)
    assert {later - earlier for earlier, later in pairwise(seen)} == {
        timedelta(hours=23), timedelta(hours=24), timedelta(hours=25)
    }  # fmt: skip


def test_what_is_done_is_not_due():
    """One that was done in time is ready; one that was done later was late, and no longer missed."""
    now = READY + timedelta(hours=1)
    in_time = stands(now, attempt("done"))
    assert (in_time.state, in_time.late_seconds, in_time.missed, in_time.to_be_shown) == ("ready", 0.0, False, False)
    late = stands(now, attempt("done", READY + timedelta(minutes=20)))
    assert (late.state, late.late_seconds, late.missed) == ("ready", 1_210.0, False)


def test_a_quick_run_does_not_move_its_hour():
    """Begun two minutes early because the last one was slow, done in a second: it is not begun again, nor is yesterday's."""
    quick = attempt("done", READY - timedelta(seconds=119), seconds=1.0)
    slow_before = replace(YESTERDAY, seconds=1.0)
    judged = judge(PLAN, (quick, slow_before), READY - timedelta(seconds=100))
    assert judged is not None
    assert (judged.state, judged.ready_at) == ("ready", READY)


def test_an_operators_own_run_counts_when_it_is_in_time():
    """One that somebody started within the lead is taken for the schedule's; an hour earlier it is not."""
    own = attempt("done", ready_at=None)
    assert stands(READY, own).state == "ready"
    assert stands(READY, replace(own, started_at=READY - timedelta(hours=1))).state == "due"


def test_a_missed_hour_is_caught_up_and_shown():
    """A console that comes up at noon starts what was due in the morning."""
    noon = stands(READY + timedelta(hours=4))
    assert (noon.due, noon.missed, noon.to_be_shown) == (True, True, True)
    assert "No console was running" in noon.reason


def test_a_failure_is_tried_again():
    """After thirty seconds, then after twice as long; it is shown from its first failure on."""
    failed = stands(READY - timedelta(seconds=80), attempt("failed"))
    assert (failed.state, failed.missed, failed.to_be_shown, failed.reason) == ("failed", False, True, "It broke.")
    assert failed.try_at == READY - timedelta(seconds=60)
    assert stands(READY - timedelta(seconds=60), attempt("failed")).due
    twice = stands(READY - timedelta(seconds=60), attempt("interrupted"), attempt("failed"))
    assert (twice.state, twice.attempts, twice.try_at) == ("failed", 2, READY - timedelta(seconds=30))
    assert stands(READY, attempt("failed"), attempt("failed")).missed
    assert (retry_seconds(1), retry_seconds(4), retry_seconds(50)) == (30.0, 240.0, 3600.0)


def test_what_runs_and_what_was_cancelled():
    """Neither is started again; both are missed when the hour has passed."""
    running, cancelled = attempt("running", finished_at=None), attempt("cancelled", cancelled_by="Ann")
    assert stands(READY - timedelta(seconds=1), running).state == "running"
    assert not stands(READY - timedelta(seconds=1), running).missed
    assert stands(READY, running).missed
    stopped = stands(READY, cancelled)
    assert (stopped.state, stopped.missed, stopped.reason) == ("cancelled", True, "Ann cancelled it.")


def test_a_new_schedule_begins_with_the_next_hour():
    """An hour that was set in the afternoon was not missed in the morning."""
    new = judge(PLAN, (), READY + timedelta(hours=4))
    assert new is not None
    assert (new.state, new.to_be_shown, new.next_ready_at) == ("waiting", False, READY + timedelta(days=1))
    assert judge(PLAN, (), READY - timedelta(seconds=1)).due
    by_hand = replace(YESTERDAY, ready_at=None)
    assert judge(PLAN, (by_hand,), READY + timedelta(hours=4)).state == "waiting"
    assert judge(replace(PLAN, ready_by=None), (), READY) is None
