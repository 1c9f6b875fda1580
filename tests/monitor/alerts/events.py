"""Events: what breaks a simulated platform, with the cause that is to be named, and what happens on good days."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.monitor.alerts.simulated import SimulatedPlatform, Weather

HOUR = 3_600
GIGABYTE = 1e9


@dataclass(frozen=True)
class Fault:
    """What it changes, from its second `after_seconds` on beyond a critical limit."""

    cause: str
    changes: Mapping[str, Any]
    after_seconds: int = 0

    def weather(self, good: Weather) -> Callable[[int], Weather]:
        """Second by second; a change that is a function takes the second."""

        def of(second: int) -> Weather:
            return replace(good, **{name: value(second) if callable(value) else value for name, value in self.changes.items()})

        return of


FAULTS = {
    "slow SQL: one query takes seconds": Fault("database_p95", {"slow_query_seconds": 2.5}),
    "slow SQL: the whole database": Fault("database_p95", {"database_factor": 40.0}),
    "Redis stopped": Fault("redis", {"redis": False}),
    "PostgreSQL stopped": Fault("postgresql", {"postgresql": False}),
    "an error burst": Fault("api_errors", {"failing_share": 0.3}),
    "memory of the process grows": Fault(
        "process_memory", {"rss_bytes": lambda second: min(4e8 + 2e8 * second, 3.6e9)}, after_seconds=13
    ),
    "memory of the machine grows": Fault("memory", {"memory": lambda second: min(0.5 + 0.04 * second, 0.98)}, after_seconds=12),
    "a full disk": Fault("disk", {"disk": 0.995}),
    "a full disk, and PostgreSQL gives up": Fault("disk", {"disk": 0.995, "postgresql": False}),
    "Claude answers 529": Fault("claude_failures", {"overloaded_share": 0.9, "claude_rate": 1.0}),
    "slow requests and nothing else": Fault("api_p95", {"answer_factor": 500.0}),
}


def _deploy(platform: SimulatedPlatform) -> None:
    """Refused for a moment, then slow while caches and connections are made."""
    platform.recorder.count("marks", 1, ("deploy",))
    good = platform.good
    platform.run(24, lambda second: replace(good, answer_factor=600.0, failing_share=0.6 if second < 8 else 0.0))


def _restart(platform: SimulatedPlatform) -> None:
    """The console ends and starts; its servers start with it, and its memory is empty."""
    good = platform.good
    platform.run(8, replace(good, starting=True))
    platform.start()
    platform.run(6, replace(good, starting=True))
    platform.run(25, replace(good, answer_factor=30.0, hit_share=0.3, database_factor=4.0))
    platform.run(150, replace(good, hit_share=0.6))


def _set_clock(seconds: float) -> Callable[[SimulatedPlatform], None]:
    def set_it(platform: SimulatedPlatform) -> None:
        platform.clock.wall += seconds
        platform.run(60)

    return set_it


def _expensive_search(platform: SimulatedPlatform) -> None:
    """One user, one search after the other for three minutes, each three seconds long."""

    def searching(second: int) -> Weather:
        if second % 12 == 0:
            platform.recorder.record("api_request_seconds", 3.0, ("/api/properties",))
            platform.recorder.record("database_query_seconds", 2.9, ("properties_found",))
        return platform.good

    platform.run(180, searching)


def _slow_request(platform: SimulatedPlatform) -> None:
    platform.recorder.record("api_request_seconds", 45.0, ("/api/leads",))
    platform.recorder.record("database_query_seconds", 44.0, ("leads_scored",))


def _asleep(seconds: float, *, monotonic: bool) -> Callable[[SimulatedPlatform], None]:
    """Nothing runs for a time, then no connection holds any more."""

    def sleep(platform: SimulatedPlatform) -> None:
        platform.sleep(seconds, monotonic=monotonic)
        platform.run(5, replace(platform.good, postgresql=False, redis=False, answer_factor=500.0))

    return sleep


def _for(seconds: int, **changes: Any) -> Callable[[SimulatedPlatform], None]:
    return lambda platform: platform.run(seconds, replace(platform.good, **changes))


HARMLESS: dict[str, Callable[[SimulatedPlatform], None]] = {
    "a deploy and its mark": _deploy,
    "ten very slow seconds": _for(10, answer_factor=600.0),
    "twenty seconds of errors": _for(20, failing_share=1.0),
    "an empty night": _for(HOUR, rate=0.01, claude_rate=0.0),
    "the clock is set forward": _set_clock(7_200.0),
    "the clock is set back": _set_clock(-7_200.0),
    "a restart of the console": _restart,
    "a warm run at full CPU": _for(300, cpu=1.0, database_factor=2.0, answer_factor=3.0),
    "an index build": _for(300, cpu=1.0, database_factor=2.4, disk=0.7),
    "a single slow request": _slow_request,
    "Redis is gone for five seconds": _for(5, redis=False),
    "PostgreSQL is gone for six seconds": _for(6, postgresql=False),
    "traffic that stops": _for(600, rate=0.0, claude_rate=0.0),
    "a suspended machine": _asleep(HOUR, monotonic=False),
    "a process that was stopped and goes on": _asleep(300.0, monotonic=True),
    "one user with an expensive search": _expensive_search,
    "Claude is overloaded for ten seconds": _for(10, overloaded_share=1.0, claude_rate=1.0),
}
