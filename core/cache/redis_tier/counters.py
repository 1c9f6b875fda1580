"""RedisCounters: how far the counters of the whole Redis stand at one look, out of INFO: of all users, since it was started.

Owns what INFO's lines mean. Leaves out the commands of those who look or connect, and the percentiles of latencystats: they are
since the start, and of two of them no difference can be made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SECTIONS = ("server", "stats", "commandstats", "memory")
NOT_COUNTED = frozenset(
    {"info", "ping", "hello", "auth", "select", "client", "command", "config", "dbsize", "acl", "latency", "replconf", "psync"}
)
COMMAND = "cmdstat_"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisCounters:
    """One look; two of them can be compared while `run` is the same and nothing went back."""

    run: str
    hits: int
    misses: int
    evicted: int
    calls: int
    seconds: float
    used_bytes: int
    max_bytes: int

    def moved(self, before: RedisCounters) -> RedisCounters | None:
        """What was added since an earlier look; None: the counters began anew meanwhile."""
        pairs = [(getattr(self, name), getattr(before, name)) for name in ("hits", "misses", "evicted", "calls", "seconds")]
        if self.run != before.run or any(now < then for now, then in pairs):
            return None
        hits, misses, evicted, calls, seconds = (now - then for now, then in pairs)
        return RedisCounters(
            run=self.run,
            hits=hits,
            misses=misses,
            evicted=evicted,
            calls=calls,
            seconds=seconds,
            used_bytes=self.used_bytes,
            max_bytes=self.max_bytes,
        )


def counters(facts: Mapping[str, str]) -> RedisCounters:
    """Out of the lines of those sections of INFO."""
    commands = [_fields(line) for name, line in facts.items() if name.startswith(COMMAND) and _counts(name)]
    return RedisCounters(
        run=facts.get("run_id", ""),
        hits=int(facts.get("keyspace_hits", 0)),
        misses=int(facts.get("keyspace_misses", 0)),
        evicted=int(facts.get("evicted_keys", 0)),
        calls=sum(int(fields.get("calls", 0)) for fields in commands),
        seconds=sum(int(fields.get("usec", 0)) for fields in commands) / 1e6,
        used_bytes=int(facts.get("used_memory", 0)),
        max_bytes=int(facts.get("maxmemory", 0)),
    )


def _counts(name: str) -> bool:
    return name.removeprefix(COMMAND).partition("|")[0] not in NOT_COUNTED


def _fields(line: str) -> dict[str, str]:
    return dict(part.partition("=")[::2] for part in line.split(","))
