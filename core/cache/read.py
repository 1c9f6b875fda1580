"""CacheRead: what one read of the cache answered, and from where.

Owns the words of an outcome. Hit: answered without the loader. Negative: a hit whose answer is that there is no value. Stale:
an old value in place of a failed or slow load. Error: Redis did not answer and there was no loader: neither a hit nor a miss.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

Outcome = Literal["hit", "negative", "miss", "stale", "error"]
Tier = Literal["memory", "redis", "loader", "none"]
Reason = Literal["", "cold", "expired", "evicted", "invalidated", "error", "slow"]


class CacheRead(NamedTuple):
    """`tier` is where the value came from, `reason` why it was a miss, stale or an error; the age in seconds."""

    value: Any
    outcome: Outcome
    tier: Tier
    reason: Reason = ""
    age_seconds: float = 0.0
