"""Readings: what the recorder, Health and the probes say, as the rules ask for it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.health import DependencyStatus
from core.monitor import Recorder
from core.monitor.alerts.judge import Reading
from core.monitor.alerts.readings import Readings
from core.monitor.alerts.uptime import Uptime
from tests.monitor.alerts.scenes import RULES, only
from tests.monitor.manual_clock import ManualClock


class Platform:
    """A recorder in made time, and readings of it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.recorder = Recorder(self.clock.steady)
        self.down: tuple[DependencyStatus, ...] = ()
        probes = {"database_pool": lambda _now: Reading(1.5, samples=1), "claude_queue": lambda _now: Reading(1 / 0)}
        self.readings = Readings(self.recorder, lambda: self.down, probes, self.clock.steady.now)

    def pass_second(self) -> None:
        """The recorder folds once a second."""
        self.clock.advance(1)
        self.recorder.fold()

    def take(self, name: str) -> Reading:
        """The reading of one rule."""
        return self.readings.take(only(name))[name]


@pytest.fixture
def platform() -> Platform:
    """One in its first second."""
    made = Platform()
    made.pass_second()
    return made


def test_p95_of_the_routes_that_are_promised(platform: Platform) -> None:
    """Claude's routes and health checks are left out; what is slow is counted, once, and named."""
    platform.take("api_p95")
    for _ in range(10):
        for _ in range(8):
            platform.recorder.record("api_request_seconds", 0.02, ("/api/markets",))
        for _ in range(2):
            platform.recorder.record("api_request_seconds", 0.3, ("/api/leads",))
            platform.recorder.record("api_claude_request_seconds", 5.0, ("/api/leads/{id}/analysis",))
            platform.recorder.record("api_request_seconds", 9.0, ("/readyz",))
        platform.pass_second()
    platform.pass_second()
    first = platform.take("api_p95")

    assert first.value == pytest.approx(0.3, rel=0.01)
    assert (first.samples, first.felt, first.felt_new) == (100, 20, 20)
    assert first.worst == "/api/leads: 20 of 20"
    assert platform.take("api_p95").felt_new == 0
    platform.clock.advance(70)
    platform.recorder.fold()
    assert platform.take("api_p95").samples == 100  # The minute is empty: the longer window says it.


def test_shares(platform: Platform) -> None:
    """Errors of requests, hits of hits and misses; nothing of nothing is no value."""
    assert platform.take("api_errors").value is None
    for _ in range(50):
        platform.recorder.record("api_request_seconds", 0.01, ("/api/leads",))
    platform.recorder.count("api_errors", 5, ("/api/leads", "5xx"))
    platform.recorder.count("api_errors", 7, ("/api/leads", "4xx"))
    for outcome, count in (("hit", 150), ("negative", 30), ("miss", 20), ("error", 9)):
        platform.recorder.count("cache_answers", count, ("promised", outcome))
    platform.recorder.count("cache_answers", 99, ("paid", "miss"))
    platform.pass_second()

    errors, hits = platform.take("api_errors"), platform.take("cache_hit_rate")
    assert (errors.value, errors.samples, errors.felt) == (0.1, 50, 5)
    assert (hits.value, hits.samples, hits.felt) == (0.9, 200, 20)


def test_what_is_not_recorded_has_no_reading(platform: Platform) -> None:
    """A gauge, a dependency or a probe that nobody knows; what is known has its age."""
    assert set(platform.readings.take(RULES)) & {"cpu", "redis", "uptime"} == set()
    platform.recorder.gauge("system_cpu_share", 0.9)
    platform.clock.advance(7)
    now = datetime.now(UTC)
    platform.down = (
        DependencyStatus(name="redis", title="Redis", where="", state="down", since=now, checked_at=now, error="Gone."),
    )
    assert platform.take("cpu") == Reading(0.9, samples=1, age_seconds=7.0, running_seconds=8.0)
    assert (platform.take("redis").value, platform.take("redis").worst) == (1.0, "Gone")
    assert platform.take("database_pool").value == 1.5
    assert platform.take("api_p95").age_seconds == 7.0


def test_a_probe_that_fails(platform: Platform) -> None:
    """It has no reading, and the other rules are judged."""
    assert platform.readings.take(only("claude_queue", "database_pool")).keys() == {"database_pool"}


def test_uptime() -> None:
    """A slot of ten seconds is down when it was down at any look; what cannot be told counts nowhere."""
    uptime = Uptime()
    assert uptime.reading(0.0) is None
    for second, ready in ((0, None), (10, True), (15, False), (20, True), (30, True), (40, True)):
        uptime.see(ready, float(second))
    reading = uptime.reading(40.0)
    assert reading is not None
    assert (reading.value, reading.samples, reading.felt) == (0.75, 4, 1)
    uptime.see(True, 86_425.0)
    later = uptime.reading(86_425.0)
    assert later is not None
    assert (later.value, later.samples) == (1.0, 3)  # Yesterday's are forgotten.
