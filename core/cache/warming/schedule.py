"""WarmSchedule: when each plan's next run starts so that its keys are warm at the hour at which they are wanted.

Owns the arithmetic of days, zones and attempts, over runs that others remember. Refuses to keep a state of its own: what was
run is judged anew at each look, so that a restart changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from core.cache.warming.plans import ReadyBy, WarmPlan

MARGIN_FACTOR, MARGIN_SECONDS = 1.5, 30.0  # On top of what the longest of the last runs took.
UNKNOWN_SECONDS = 120.0  # Before there was a run.
MOST_LEAD_SECONDS = 6 * 3600.0
LOOKED_AT = 5  # Runs that the estimate stands on.
RETRY_FIRST_SECONDS, RETRY_MOST_SECONDS = 30.0, 3600.0

RunState = Literal["running", "done", "failed", "cancelled", "interrupted"]
ScheduleState = Literal["waiting", "due", "running", "ready", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """One run as it is remembered; `ready_at` is the hour for which it was scheduled, None for one that somebody started."""

    number: int
    plan: str
    state: RunState
    started_at: datetime
    finished_at: datetime | None = None
    ready_at: datetime | None = None
    seconds: float = 0.0  # Without pauses; 0 when it is not known.
    error: str = ""
    cancelled_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """One plan's hour, in UTC: the one whose time to start has come last, and the next.

    `waiting`: it never ran, and begins with the next hour. `due`: to be started now. `failed`: to be tried again at `try_at`.
    `missed`: the hour has passed and the keys were not warm; `late_seconds` is by how much they became warm too late.
    """

    plan: str
    title: str
    state: ScheduleState
    ready_by: ReadyBy
    ready_at: datetime
    starts_at: datetime
    next_ready_at: datetime
    next_starts_at: datetime
    missed: bool = False
    late_seconds: float = 0.0
    attempts: int = 0
    try_at: datetime | None = None
    reason: str = ""
    run: int | None = None

    @property
    def due(self) -> bool:
        """Whether a run is to be started now."""
        return self.state == "due"

    @property
    def to_be_shown(self) -> bool:
        """Whether an operator must know: missed, failed, or cancelled before it was done."""
        return self.missed or self.state in ("failed", "cancelled")


def judge(plan: WarmPlan, runs: Iterable[PastRun], now: datetime) -> Scheduled | None:
    """How a plan's schedule stands; None for a plan without one. `runs` newest first, of any plan."""
    if plan.ready_by is None:
        return None
    own = [run for run in runs if run.plan == plan.name]
    lead = timedelta(seconds=lead_seconds(own))
    hours = ready_hours(plan.ready_by, now)
    tried = {run.ready_at for run in own}  # A run that was quicker than expected does not make its hour one to come.
    begun = [hour for hour in hours if hour - lead <= now or hour in tried]
    ready_at, next_at = begun[-1], hours[len(begun)]
    attempts = [run for run in own if _counts(run, ready_at, lead)]
    return _stands(plan, plan.ready_by, attempts, (ready_at, next_at), lead, now, new=tried <= {None})


def lead_seconds(runs: Sequence[PastRun]) -> float:
    """How long before the hour a run starts: the longest of the last runs that were done, and a margin."""
    known = [run.seconds for run in runs if run.state == "done" and run.seconds > 0][:LOOKED_AT]
    longest = max(known, default=UNKNOWN_SECONDS)
    return min(MARGIN_FACTOR * longest + MARGIN_SECONDS, MOST_LEAD_SECONDS)


def ready_hours(ready_by: ReadyBy, now: datetime) -> list[datetime]:
    """The hour on the days around now, in UTC: as much later as the clocks skip, and the first where they have it twice."""
    today = now.astimezone(ready_by.zone).date()
    return [_hour(ready_by, today + timedelta(days=days)) for days in (-2, -1, 0, 1, 2)]


def retry_seconds(attempts: int) -> float:
    """The wait after so many attempts that failed."""
    return float(min(RETRY_FIRST_SECONDS * 2.0 ** min(attempts - 1, 20), RETRY_MOST_SECONDS))


def _hour(ready_by: ReadyBy, day: date) -> datetime:
    # PEP 495: with fold 0 a time in a gap has the offset from before it, one that occurs twice is the first.
    return datetime.combine(day, ready_by.at, ready_by.zone).astimezone(UTC)


def _counts(run: PastRun, ready_at: datetime, lead: timedelta) -> bool:
    """A run for this hour, or one that somebody started in time for it."""
    if run.ready_at is not None:
        return run.ready_at == ready_at
    return run.started_at >= ready_at - lead and run.state in ("done", "running")


def _stands(
    plan: WarmPlan,
    ready_by: ReadyBy,
    attempts: Sequence[PastRun],
    hours: tuple[datetime, datetime],
    lead: timedelta,
    now: datetime,
    *,
    new: bool,
) -> Scheduled:
    ready_at, next_at = hours
    newest = attempts[0] if attempts else None
    failures = sum(run.state in ("failed", "interrupted") for run in attempts)
    state, try_at, late_seconds, reason = _state(attempts, failures, ready_at, now)
    if new and state == "due" and now >= ready_at:
        state, try_at, reason = "waiting", None, ""
    return Scheduled(
        plan=plan.name,
        title=plan.title,
        state=state,
        ready_by=ready_by,
        ready_at=ready_at,
        starts_at=ready_at - lead,
        next_ready_at=next_at,
        next_starts_at=next_at - lead,
        missed=state not in ("ready", "waiting") and now >= ready_at,
        late_seconds=late_seconds,
        attempts=len(attempts),
        try_at=try_at,
        reason=reason,
        run=newest.number if newest else None,
    )


def _state(
    attempts: Sequence[PastRun], failures: int, ready_at: datetime, now: datetime
) -> tuple[ScheduleState, datetime | None, float, str]:
    """The state, when it is tried again, by how much it was late, and why."""
    done = [run for run in attempts if run.state == "done"]
    if done:
        first = min((run.finished_at or run.started_at) for run in done)
        return "ready", None, max(0.0, (first - ready_at).total_seconds()), ""
    if any(run.state == "running" for run in attempts):
        return "running", None, 0.0, ""
    if not attempts:
        reason = "No console was running when it was time." if now >= ready_at else ""
        return "due", now, 0.0, reason
    newest = attempts[0]
    if newest.state == "cancelled":
        return "cancelled", None, 0.0, f"{newest.cancelled_by or 'An operator'} cancelled it."
    try_at = (newest.finished_at or newest.started_at) + timedelta(seconds=retry_seconds(failures))
    return "due" if now >= try_at else "failed", try_at, 0.0, newest.error
