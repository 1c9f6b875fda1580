"""The cache page's first line: what is down, what cannot be told, the two targets, and what to press."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from core.cache.coherence.backplane import BackplaneStats
from core.cache.coherence.outbox import OutboxStats
from core.cache.memory_tier import MemoryStats
from core.cache.parts import CacheStats, Drift
from core.health import DependencyStatus
from core.monitor import SeriesSnapshot
from core.platform.cache_figures import CacheFigures, Reads
from core.platform.cache_verdict import READS_NEEDED, Evidence, cache_line, judge_cache
from core.platform.verdict import Verdict
from core.resilience import BreakerStats
from core.settings import Settings

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
LINK = BackplaneStats(
    state="found", since_seconds=60, heartbeat_age_seconds=0.5, echo_seconds=0.001, messages=1, bad_messages=0,
    listener_errors=0, losses=0, processes=1, clock_known=True, problem="",
)  # fmt: skip
BREAKER = BreakerStats(
    name="redis", state="closed", since=NOW, calls=0, failures=0, slow=0, failure_rate=0.0, slow_rate=0.0, refused=0, trials=0,
    retry_in_seconds=None, last_error="",
)  # fmt: skip


def evidence(
    reads: Reads, *, p95: float | None = 0.001, covered: int = 900, down: str = "", breaker: Any = BREAKER, **more: Any
) -> Evidence:
    """What a healthy console would find, but for what is told."""
    figures = CacheFigures(
        window_seconds=900, covered_seconds=covered, promised=reads, paid=Reads(),
        read=SeriesSnapshot("cache_read_seconds", (), reads.hits, 1.0, p95=p95), evictions=0, refused=0, ghost_hits=0,
    )  # fmt: skip
    stats = CacheStats(
        memory=MemoryStats(1, 1, 10, 10, 0, 0, 0), link=more.pop("link", LINK), breaker=breaker,
        outbox=OutboxStats(0, 0, False), drift=Drift(), loads=0,
    )  # fmt: skip
    dependencies = [
        DependencyStatus(
            name=name, title=name, where="x", state="down" if name == down else "up", since=NOW, next_step="Start it."
        )
        for name in ("postgresql", "redis")
    ]
    known = {"recorder_age_seconds": 0.5, "writes": True, **more}
    return Evidence(figures=figures, stats=stats, dependencies=dependencies, **known)


def judged(*arguments: Any, **more: Any) -> Verdict:
    """The verdict under the default targets."""
    return judge_cache(Settings(), evidence(*arguments, **more))


GOOD = Reads(memory_hits=900, redis_hits=60, negatives=5, misses={"cold": 30, "expired": 5})


def test_fine_tells_the_rate_and_the_speed() -> None:
    """Negative answers are hits; the line is a sentence of its own."""
    verdict = judged(GOOD)

    assert verdict.state == "fine"
    assert cache_line(verdict, "").startswith("96.5\u00a0% of 1,000 reads hit in the last 15 minutes, P95 of a read 1\u00a0ms")


def test_a_rate_is_never_rounded_up_to_its_target() -> None:
    """899 of 999 is 89.98 %, and said as less than 90 %."""
    verdict = judged(Reads(memory_hits=899, misses={"expired": 100}))

    assert (verdict.state, "89.9\u00a0%" in verdict.reason) == ("not_fine", True)


def test_errors_and_stale_answers_are_neither() -> None:
    """They move no rate."""
    assert judged(replace(GOOD, errors=5_000, stale=5_000)).state == "fine"


@pytest.mark.parametrize(
    ("reason", "remedy"), [("cold", "Run"), ("expired", "longer life"), ("evicted", "maxmemory"), ("invalidated", "Activity")]
)
def test_a_missed_rate_says_what_most_misses_need(reason: str, remedy: str) -> None:
    """Each main reason has its own next step."""
    verdict = judged(Reads(memory_hits=700, misses={reason: 290, "other": 10}))

    assert verdict.state == "not_fine"
    assert remedy in verdict.next_step


def test_warming_up_is_no_breach() -> None:
    """In the first minutes first reads are missed; later the same is a breach."""
    for reason, early in (("cold", "cannot_tell"), ("expired", "cannot_tell"), ("evicted", "not_fine")):
        reads = Reads(memory_hits=700, misses={reason: 300})
        assert judged(reads, covered=60).state == early
        assert judged(reads, covered=899).state == "not_fine"


def test_too_few_reads_tell_nothing() -> None:
    """None, and one less than enough."""
    assert "nothing was read" in judged(Reads(), p95=None).reason
    assert f"{READS_NEEDED - 1} of the {READS_NEEDED}" in judged(Reads(memory_hits=READS_NEEDED - 1)).reason
    assert judged(Reads(memory_hits=READS_NEEDED)).state == "fine"


def test_loads_that_only_fail_are_a_breach() -> None:
    """There is neither a hit nor a miss, and yet it is not fine."""
    assert judged(Reads(load_errors=7), p95=None).state == "not_fine"


def test_slow_reads_are_a_breach() -> None:
    """At the target it is missed."""
    verdict = judged(GOOD, p95=0.005)

    assert (verdict.state, "5\u00a0ms (P95)" in verdict.reason) == ("not_fine", True)


def test_what_is_down_comes_before_every_figure() -> None:
    """Each with its own next step and since when."""
    assert judged(GOOD, down="redis") == Verdict(
        "not_fine", NOW, "Redis does not answer; this process' memory and the loaders do", "Start it."
    )
    assert "nothing can be loaded" in judged(GOOD, down="postgresql").reason
    assert "operator keeps" in judged(GOOD, breaker=replace(BREAKER, state="forced_open")).reason
    assert "boom" in judged(GOOD, breaker=replace(BREAKER, state="open", last_error="boom")).reason
    assert "no other process" in judged(GOOD, link=replace(LINK, state="lost")).reason


def test_a_watched_redis_is_no_fault() -> None:
    """Its breaker is held open by the settings; the line says so, and not that somebody did it."""
    verdict = judged(Reads(), breaker=replace(BREAKER, state="forced_open"), writes=False)

    assert (verdict.state, "MODE=watch" in verdict.reason) == ("cannot_tell", True)


def test_a_recorder_that_stands_still_tells_nothing() -> None:
    """Old figures are not judged."""
    assert "has not counted for 60 s" in judged(GOOD, recorder_age_seconds=60.0).reason
