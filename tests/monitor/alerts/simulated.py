"""SimulatedPlatform: a platform in made time, whose requests go through the real recorder, readings and book of alerts.

Owns the traffic (Poisson arrivals, lognormal times) and what a fault does to the figures around it: a slow query fills the
pool, a lost Redis sends its reads to PostgreSQL, a pool that is full makes requests wait and then fail.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from core.health import DependencyState, DependencyStatus
from core.monitor import Recorder
from core.monitor.alerts.book import AlertBook
from core.monitor.alerts.incident import Incident
from core.monitor.alerts.judge import Reading
from core.monitor.alerts.readings import Readings
from core.monitor.alerts.telling import Message
from core.monitor.alerts.uptime import Uptime
from tests.monitor.alerts.scenes import RULES, WORDS
from tests.monitor.manual_clock import ManualClock

ROUTES = {"/api/leads": 0.5, "/api/properties": 0.3, "/api/markets": 0.2}
QUERIES = ("leads_scored", "properties_found", "markets")
POOL = 8
POOL_WAIT_SECONDS = 3.0  # DATABASE_ACQUIRE_TIMEOUT_SECONDS: then the request fails.
MEMORY_HITS, HITS = 0.75, 0.96  # Of reads: answered by memory, by memory or Redis.
SEEN_DOWN_SECONDS, SEEN_UP_SECONDS = 4, 2  # A ping's interval, and its time limit.
DISK_LOOK_SECONDS = 30
TICK_SECONDS = 5
SLOW_SECONDS = 0.1

Times = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What a second is like; shares from 0 to 1, times in seconds."""

    rate: float = 40.0
    claude_rate: float = 0.5
    database_factor: float = 1.0
    slow_query_seconds: float = 0.0
    answer_factor: float = 1.0
    failing_share: float = 0.0
    hit_share: float = HITS
    overloaded_share: float = 0.0
    postgresql: bool = True
    redis: bool = True
    starting: bool = False
    cpu: float = 0.3
    memory: float = 0.5
    disk: float = 0.5
    rss_bytes: float = 4e8


@dataclass(slots=True)
class Felt:
    """Requests that were slow or failed, second by second."""

    by_second: list[tuple[float, int]] = field(default_factory=list)

    def between(self, first: float, end: float) -> int:
        """How many from one steady second to another."""
        return sum(count for at, count in self.by_second if first <= at < end)


class SimulatedPlatform:
    """Time passes in `run`; what was told so far, with the steady second, is in `told`."""

    def __init__(self, seed: int, rate: float = 40.0) -> None:
        self.clock = ManualClock()
        self.told: list[tuple[float, Message]] = []
        self.felt = Felt()
        self.good = Weather(rate=rate)
        self._chance = np.random.default_rng(seed)
        self._known = dict.fromkeys(("postgresql", "redis"), (True, 0.0))
        self._backlog = 0.0
        self._pool_share = 0.1
        self._disk = self.good.disk
        self._redis_lost = 0
        self._starting = False
        self.start()

    def start(self) -> None:
        """A console that has just started: nothing recorded, nothing known but what its store gives back."""
        kept = getattr(self, "book", None)
        self.recorder = Recorder(self.clock.steady)
        self.uptime = Uptime()
        probes = {
            "database_pool": lambda _now: Reading(self._pool_share, samples=1),
            "claude_queue": lambda _now: Reading(0.0, samples=1),
            "missed_warm": lambda _now: Reading(0.0, samples=1),
            "uptime": self._ready,
        }
        self.readings = Readings(self.recorder, self._dependencies, probes, self.clock.steady.now, lambda: self.clock.wall)
        self.book = AlertBook(RULES, WORDS)
        for incident in kept.incidents.open.values() if kept else ():
            self.book.incidents.restore(incident, self.now)

    @property
    def now(self) -> float:
        """Steady seconds."""
        return self.clock.steady.now()

    @property
    def incidents(self) -> list[Incident]:
        """All that there were, but those that became a part of another."""
        found = [*self.book.incidents.resolved, *self.book.incidents.open.values()]
        return [item for item in found if "It is a part of" not in item.story[-1].text]

    @property
    def woken(self) -> list[float]:
        """When somebody was woken."""
        return [at for at, message in self.told if message.kind in ("critical", "repeat")]

    def run(self, seconds: int, weather: Callable[[int], Weather] | Weather | None = None) -> None:
        """Let seconds pass; the weather may depend on the second since the call."""
        for second in range(seconds):
            found = weather(second) if callable(weather) else weather
            self._pass_second(found or self.good)

    def sleep(self, seconds: float, *, monotonic: bool) -> None:
        """The process stands still: a stopped process, or a suspended machine, whose monotonic clock stands too."""
        self.clock.wall += seconds
        self.clock.monotonic += seconds if monotonic else 0.0

    def _pass_second(self, weather: Weather) -> None:
        self._starting = weather.starting
        self._look(weather)
        if not weather.starting:
            self._serve(weather)
            self._ask_claude(weather)
        self.clock.advance(1)
        self.recorder.fold()
        if int(self.now) % TICK_SECONDS == 0:
            told = self.book.tick(self.readings.take(self.book.rules), self.now, self.clock.steady.shift_seconds())
            self.told += [(self.now, message) for message in told]

    def _look(self, weather: Weather) -> None:
        """What Health and the system monitor see of this second."""
        for name, up in (("postgresql", weather.postgresql), ("redis", weather.redis)):
            state, since = self._known[name]
            if state == up:
                self._known[name] = (state, self.now)
            elif self.now - since >= (SEEN_UP_SECONDS if up else SEEN_DOWN_SECONDS):
                self._known[name] = (up, self.now)
        self._redis_lost = 0 if weather.redis else self._redis_lost + 1
        if int(self.now) % DISK_LOOK_SECONDS == 0:
            self._disk = weather.disk
        for metric, value in (
            ("system_cpu_share", min(1.0, weather.cpu + self._chance.normal(0, 0.02))),
            ("system_memory_used_share", weather.memory),
            ("system_disk_used_share", self._disk),
            ("process_rss_bytes", weather.rss_bytes),
        ):
            self.recorder.gauge(metric, value)

    def _serve(self, weather: Weather) -> None:
        felt = 0
        for (route, share), query in zip(ROUTES.items(), QUERIES, strict=True):
            requests = int(self._chance.poisson(weather.rate * share))
            times, misses = self._read_cache(weather, requests)
            lost = self._query(weather, query, times[: len(misses)], misses) if misses.size else 0
            times = (times + self._times(requests, 0.0015, 0.5)) * weather.answer_factor
            failed = lost + int(self._chance.binomial(requests - lost, weather.failing_share))
            if failed:
                self.recorder.count("api_errors", failed, (route, "5xx"))
            _append(self.recorder.handle("api_request_seconds", (route,)).record, times)
            felt += min(requests, int((times > SLOW_SECONDS).sum()) + failed)
        self.felt.by_second.append((self.now, felt))

    def _read_cache(self, weather: Weather, requests: int) -> tuple[Times, Times]:
        """What reading took, and the misses of it, which come first."""
        hits = weather.hit_share if weather.redis else min(MEMORY_HITS, weather.hit_share)
        missed = int(self._chance.binomial(requests, 1 - hits))
        in_memory = int(self._chance.binomial(requests - missed, MEMORY_HITS / HITS if weather.redis else 1.0))
        memory = self._times(in_memory, 2e-5, 0.4)
        redis = self._times(requests - missed - in_memory, 8e-4, 0.4)
        # The first reads after its loss wait for their time limit; then the breaker is open.
        waits = np.full(missed, 0.1 if 0 < self._redis_lost <= 2 else 0.0)
        handle = self.recorder.handle
        _append(handle("cache_read_seconds", ("leads", "memory")).record, memory)
        _append(handle("cache_read_seconds", ("leads", "redis")).record, redis)
        self.recorder.count("cache_answers", requests - missed, ("promised", "hit"))
        self.recorder.count("cache_answers", missed, ("promised", "miss"))
        return np.concatenate((waits, memory, redis)), waits

    def _query(self, weather: Weather, query: str, times: Times, misses: Times) -> int:
        """Add what the database took to the times of the misses; returns how many failed."""
        count = len(misses)
        if not weather.postgresql:
            return count
        took = self._times(count, 0.006, 0.7) * weather.database_factor
        if query == QUERIES[0] and weather.slow_query_seconds:
            took = took + self._times(count, weather.slow_query_seconds, 0.3)
        self._backlog = max(0.0, min(POOL_WAIT_SECONDS, self._backlog + (took.sum() - POOL / len(QUERIES)) / POOL))
        self._pool_share = min(1.0, took.sum() * len(QUERIES) / POOL) + self._backlog
        lost = count if self._backlog >= POOL_WAIT_SECONDS else 0
        times += took + self._backlog if not lost else POOL_WAIT_SECONDS
        if not lost:
            _append(self.recorder.handle("database_query_seconds", (query,)).record, took)
        return lost

    def _ask_claude(self, weather: Weather) -> None:
        for _ in range(int(self._chance.poisson(weather.claude_rate))):
            failed = self._chance.random() < weather.overloaded_share
            self.recorder.count("claude_answers", 1, ("claude", "overloaded" if failed else "made"))
            if not failed:
                seconds = float(self._chance.lognormal(np.log(1.2), 0.4))
                self.recorder.record("claude_answer_seconds", seconds, ("claude", "interactive", "made"))

    def _dependencies(self) -> tuple[DependencyStatus, ...]:
        at = datetime.fromtimestamp(self.clock.wall, UTC)
        state: DependencyState = "starting" if self._starting else "up"
        up = DependencyStatus(name="", title="", where="", state=state, since=at, checked_at=at)
        down = replace(up, state="down", error="Refused.")
        return tuple(replace(up if state else down, name=name) for name, (state, _) in self._known.items())

    def _ready(self, now: float) -> Reading | None:
        self.uptime.see(None if self._starting else all(up for up, _ in self._known.values()), now)
        return self.uptime.reading(now)

    def _times(self, count: int, middle: float, spread: float) -> Times:
        return self._chance.lognormal(np.log(middle), spread, count)


def _append(record: Callable[[float], None], values: Times) -> None:
    deque(map(record, values.tolist()), maxlen=0)
