"""CacheVerdict: the cache page's first line, judged from the last 15 minutes and from what stands now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.cache.parts import CacheStats
from core.health import DependencyStatus
from core.platform.cache_figures import CacheFigures, Reads
from core.platform.units import duration, percent
from core.platform.verdict import Verdict
from core.settings import Settings

JUDGED_SECONDS = 900
READS_NEEDED = 100  # One miss more or less then moves the rate by a point.
WARM_UP_SECONDS = 300  # A process that has just started misses what nobody has read lately.
FIRST_REASONS = ("cold", "expired")
STALE_SECONDS = 10.0  # The recorder folds once a second.
TRAFFIC = "Make traffic on the Overview, or call the API."
WARM = "Press Run at a warm plan below: it loads what is most wanted before it is asked for."
REMEDIES = {
    "cold": f"Most misses are first reads. {WARM}",
    "expired": "Most misses are of expired values: warm them by a plan, or give their family a longer life.",
    "evicted": "Most misses are of values that Redis evicted before their time: give it more maxmemory.",
    "invalidated": "Most misses follow invalidations: Activity shows which imports and operators made them.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the verdict stands on; `figures` are of the last 15 minutes."""

    figures: CacheFigures
    stats: CacheStats
    dependencies: Sequence[DependencyStatus]
    recorder_age_seconds: float
    writes: bool


def judge_cache(settings: Settings, evidence: Evidence) -> Verdict:
    """The worst finding decides: what is down, then what cannot be told, then the two targets."""
    return _down(evidence) or _unknown(evidence) or _missed(settings, evidence.figures) or _fine(evidence.figures)


def cache_line(verdict: Verdict, lasting: str) -> str:
    """The first line; `lasting` is for how long it has been so, empty when that is not known."""
    if verdict.state == "fine":
        return verdict.reason
    return f"{'Not fine' if verdict.state == 'not_fine' else 'Cannot tell'}{lasting and f', {lasting}'}: {verdict.reason}"


def _down(evidence: Evidence) -> Verdict | None:
    down = {item.name: item for item in evidence.dependencies if item.state == "down"}
    stats, breaker = evidence.stats, evidence.stats.breaker
    if redis := down.get("redis"):
        reason = "Redis does not answer; this process' memory and the loaders do"
        return Verdict("not_fine", redis.since, reason, redis.next_step)
    if breaker.state == "forced_open" and evidence.writes:
        reason = "an operator keeps the cache away from Redis; memory and the loaders answer"
        return Verdict("not_fine", breaker.since, reason, "Press Use Redis again below when it is well.")
    if breaker.state in ("open", "half_open"):
        reason = f"the breaker keeps reads away from Redis: {breaker.last_error}"
        return Verdict(
            "not_fine", breaker.since, reason, "It tries again by itself every two seconds; look at the load of Redis."
        )
    if postgres := down.get("postgresql"):
        reason = "PostgreSQL does not answer, so nothing can be loaded; what is held is served, past its time too"
        return Verdict("not_fine", postgres.since, reason, postgres.next_step)
    if stats.link.state == "lost":
        reason = "no other process can be heard, so memory keeps values for moments only"
        return Verdict("not_fine", None, reason, "It reconnects by itself; the cause stands below.")
    return None


def _unknown(evidence: Evidence) -> Verdict | None:
    figures, judged = evidence.figures, evidence.figures.promised
    count = judged.hits + judged.missed
    if evidence.recorder_age_seconds > STALE_SECONDS:
        age = f"{evidence.recorder_age_seconds:.0f} s"
        return Verdict("cannot_tell", None, f"the recorder has not counted for {age}", "Read the log and restart the console.")
    if not evidence.writes:
        reason = "this Redis is only watched (MODE=watch), so nothing is stored in it and every read is loaded"
        return Verdict("cannot_tell", None, reason, "Set MODE=operate to use the cache, or look at its keys below.")
    if figures.promised.load_errors and not count:
        reason = f"{figures.promised.load_errors:,} loads failed and none went well"
        return Verdict("not_fine", None, reason, "Look at PostgreSQL on the Overview.")
    if not count:
        return Verdict("cannot_tell", None, "nothing was read in the last 15 minutes", TRAFFIC)
    if count < READS_NEEDED:
        reason = f"{count} of the {READS_NEEDED} reads that a rate needs were made in the last 15 minutes"
        return Verdict("cannot_tell", None, reason, TRAFFIC)
    return None


def _missed(settings: Settings, figures: CacheFigures) -> Verdict | None:
    rate, target = figures.promised.hit_rate, settings.target_cache_hit_rate
    if rate is not None and rate < target:
        if figures.covered_seconds < WARM_UP_SECONDS and _main_reason(figures.promised) in FIRST_REASONS:
            reason = f"warming up, {figures.covered_seconds} s after the start: {_said(figures.promised)}"
            return Verdict("cannot_tell", None, reason, WARM)
        reason = f"{_said(figures.promised)}, the target is {percent(target)}"
        return Verdict("not_fine", None, reason, REMEDIES.get(_main_reason(figures.promised), WARM))
    p95, limit = figures.read.p95, settings.target_cache_read_p95_seconds
    if p95 is not None and p95 >= limit:
        reason = f"a read from the cache takes {duration(p95)} (P95), the target is {duration(limit)}"
        advice = "Look at the load of Redis and of this process; more memory for this process spares round trips."
        return Verdict("not_fine", None, reason, advice)
    return None


def _fine(figures: CacheFigures) -> Verdict:
    p95 = figures.read.p95
    speed = f", P95 of a read {duration(p95)}" if p95 is not None else ""
    return Verdict("fine", None, f"{_said(figures.promised)} in the last 15 minutes{speed}")


def _said(reads: Reads) -> str:
    return f"{percent(reads.hit_rate)} of {reads.hits + reads.missed:,} reads hit"


def _main_reason(reads: Reads) -> str:
    return max(reads.misses, key=lambda reason: reads.misses[reason], default="")
