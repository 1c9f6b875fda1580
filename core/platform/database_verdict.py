"""DatabaseVerdict: the database page's first line, judged from the last five minutes and from what stands now."""

from __future__ import annotations

from dataclasses import dataclass

from core.database.pool import TRANSACTION, DatabaseStats
from core.database.sessions import ServerSessions
from core.database.statements import AD_HOC
from core.health import DependencyStatus
from core.monitor import SeriesSnapshot
from core.platform.panel import Panel
from core.platform.query_figures import QueryFigures
from core.platform.units import duration
from core.platform.verdict import Verdict
from core.resilience import BreakerStats
from core.settings import Settings

JUDGED_SECONDS = 300
SAMPLES_NEEDED = 20  # What a P95 needs.
BLOCKED_SECONDS = 1.0  # A lock that is held for less is work.
STALE_SECONDS = 10.0  # The recorder folds once a second.
TRAFFIC = "Make traffic on the Overview, or call the API."


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """What stands now, and what a window of time brought: times, waits and figures of queries are of that window."""

    status: DependencyStatus
    breaker: BreakerStats | None
    pool: DatabaseStats
    times: SeriesSnapshot
    waits: SeriesSnapshot
    queries: tuple[QueryFigures, ...]
    sessions: Panel[ServerSessions]
    age_seconds: float


def judge_database(settings: Settings, facts: DatabaseFacts) -> Verdict:
    """The worst finding decides: no answer, somebody held up, no free connection, then the promised P95."""
    return (
        _down(facts)
        or _blocked(facts)
        or _waiting(facts)
        or _unknown(facts)
        or _missed(settings, facts)
        or _fine(settings, facts)
    )


def _down(facts: DatabaseFacts) -> Verdict | None:
    status, breaker = facts.status, facts.breaker
    if status.state == "down":
        return Verdict("not_fine", status.since, "PostgreSQL does not answer", status.next_step)
    if breaker is not None and breaker.state == "forced_open":
        return Verdict(
            "not_fine", breaker.since, "an operator keeps queries away from PostgreSQL", "Set it to automatic again."
        )
    if breaker is not None and breaker.state in ("open", "half_open"):
        reason = f"the breaker keeps queries away from PostgreSQL: {breaker.last_error}"
        return Verdict("not_fine", breaker.since, reason, "It tries again by itself within seconds; look at the server's load.")
    if status.state == "starting":
        return Verdict("cannot_tell", None, "PostgreSQL is starting")
    return None


def _blocked(facts: DatabaseFacts) -> Verdict | None:
    found = facts.sessions.value
    if found is None or facts.sessions.error or not found.blocked:
        return None
    longest = found.blocked[0].waiting_seconds or 0.0
    if longest < BLOCKED_SECONDS:
        return None
    root = found.trees[0]
    holder = root.session.application or root.session.user if root.session else ""
    by = f" by {holder} ({root.pid})" if holder else f" by session {root.pid}"
    count = len(found.blocked)
    who = "1 session waits" if count == 1 else f"{count} sessions wait"
    reason = f"{who} for a lock, the longest for {duration(longest)}, held up{by}"
    return Verdict("not_fine", None, reason, "Look at Sessions below: who waits for whom, and what ends it.")


def _waiting(facts: DatabaseFacts) -> Verdict | None:
    pool = facts.pool
    if not pool.waiting:
        return None
    who = "1 request waits" if pool.waiting == 1 else f"{pool.waiting} requests wait"
    longest = max(facts.queries, key=lambda item: item.total_seconds, default=None)
    hint = f"{longest.name} takes the most time: look at its plan" if longest else "Look for what holds the connections"
    reason = f"{who} for a connection, all {pool.max_size} of the pool are busy"
    return Verdict("not_fine", None, reason, f"{hint}, or raise DATABASE_POOL_MAX where PostgreSQL has room.")


def _unknown(facts: DatabaseFacts) -> Verdict | None:
    if facts.age_seconds > STALE_SECONDS:
        age = f"{facts.age_seconds:.0f} s"
        return Verdict("cannot_tell", None, f"the recorder has not counted for {age}", "Read the log and restart the console.")
    count = facts.times.count
    if count < SAMPLES_NEEDED:
        asked = "no query was asked" if not count else f"{count} of the {SAMPLES_NEEDED} queries that a P95 needs were asked"
        return Verdict("cannot_tell", None, f"{asked} in the last 5 minutes", TRAFFIC)
    return None


def _missed(settings: Settings, facts: DatabaseFacts) -> Verdict | None:
    p95, target = facts.times.p95, settings.target_database_p95_seconds
    if p95 is None or p95 < target:
        return None
    slowest = next((item for item in facts.queries if (item.times.p95 or item.times.max or 0.0) >= target), None)
    reason = f"P95 is {duration(p95)}, the target is {duration(target)}"
    if slowest is None:
        return Verdict("not_fine", None, reason, "Look at the slowest queries below.")
    share = f"{slowest.name} alone takes {slowest.share:.0%} of the time"
    named = slowest.name not in (TRANSACTION, AD_HOC)
    step = "Choose it below: its plan shows which rows it reads." if named else "Whole server below shows its statements."
    return Verdict("not_fine", None, f"{reason}; {share}", step)


def _fine(settings: Settings, facts: DatabaseFacts) -> Verdict:
    times, target = facts.times, settings.target_database_p95_seconds
    reason = f"P95 {duration(times.p95)} of {times.count:,} queries in the last 5 minutes, target {duration(target)}"
    return Verdict("fine", None, f"{reason}; nobody waits" if not facts.sessions.error else reason)
