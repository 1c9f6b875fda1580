"""RedisWindow: what all users asked of Redis in the last five minutes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from core.cache.redis_tier import RedisTier
from core.cache.redis_tier.counters import RedisCounters
from core.platform.server_figure import NEARLY_SECONDS, Differences, ServerFigure, none
from core.platform.units import duration, percent, size

LOOKUPS, COMMANDS = "cache_hit_rate", "cache_read_p95"  # The rules that they stand beside.
RATE = ServerFigure(statistic="share", unit="share")
MEAN = ServerFigure(statistic="mean", unit="seconds")
NO_RIGHT = "This user may not run INFO. Give the right: ACL SETUSER (the user of REDIS_URL) +info"
OF_ALL = "Lookups of all users that came to Redis: what memory answers is not among them, leases and tags are."


class RedisWindow:
    """Keeps the last look and the differences before it."""

    def __init__(self, redis: RedisTier) -> None:
        self._redis = redis
        self._last: tuple[float, RedisCounters] | None = None
        self._differences: Differences[RedisCounters] = Differences()
        self._anew = ""

    def nothing(self) -> Mapping[str, ServerFigure]:
        """Before the first look."""
        return {LOOKUPS: RATE, COMMANDS: MEAN}

    async def look(self, clock: Callable[[], float]) -> Mapping[str, ServerFigure]:
        """Raises DependencyError."""
        counters = await self._redis.counters()
        if counters is None:
            self._last = None
            self._differences.clear()
            return {LOOKUPS: none(RATE, NO_RIGHT), COMMANDS: none(MEAN, NO_RIGHT)}
        self._take(clock(), counters)
        seconds = self._differences.covered_seconds()
        if not seconds:
            note = f"{self._anew} {RATE.note}".strip()
            return {LOOKUPS: none(RATE, note), COMMANDS: none(MEAN, note)}
        moved = self._differences.moved()
        anew = self._anew if seconds < NEARLY_SECONDS else ""
        return {LOOKUPS: _lookups(moved, seconds, anew), COMMANDS: _commands(moved, seconds, anew)}

    def _take(self, now: float, counters: RedisCounters) -> None:
        last, self._last = self._last, (now, counters)
        if last is None:
            return
        then, before = last
        moved = counters.moved(before)
        if moved is not None:
            self._differences.add(then, now, moved)
            return
        self._differences.clear()
        why = "its counters were reset" if counters.run == before.run else "Redis was restarted, or another one answers"
        self._anew = f"Counted anew since {datetime.now(UTC):%H:%M:%S} UTC: {why}."


def _lookups(moved: tuple[RedisCounters, ...], seconds: float, anew: str) -> ServerFigure:
    hits = sum(item.hits for item in moved)
    every = hits + sum(item.misses for item in moved)
    if not every:
        return none(RATE, f"Nothing was looked up in Redis in the last {duration(seconds)}. {anew}".strip())
    evicted, newest = sum(item.evicted for item in moved), moved[-1]
    room = f"{size(newest.used_bytes)} of {size(newest.max_bytes)} used" if newest.max_bytes else "no limit of memory"
    full = f"{evicted:,} keys were evicted, {room}." if evicted else ""
    return ServerFigure(
        text=f"{percent(hits / every)} of {every:,} lookups",
        statistic="share",
        value=hits / every,
        unit="share",
        samples=every,
        window_seconds=seconds,
        note=" ".join(part for part in (OF_ALL, full, anew) if part),
    )


def _commands(moved: tuple[RedisCounters, ...], seconds: float, anew: str) -> ServerFigure:
    calls, spent = sum(item.calls for item in moved), sum(item.seconds for item in moved)
    if not calls:
        return none(MEAN, f"No command came to Redis in the last {duration(seconds)}. {anew}".strip())
    return ServerFigure(
        text=f"mean {duration(spent / calls)} of {calls:,} commands",
        statistic="mean",
        value=spent / calls,
        unit="seconds",
        samples=calls,
        window_seconds=seconds,
        note=f"{calls / seconds:,.1f} a second; inside of Redis, without the way there. {anew}".strip(),
    )
