"""Priority: how long a value lives, how early it is renewed and how it enters memory, as one policy.

Owns those numbers and the random draws. Refresh-ahead is XFetch (Vattani, Chierichetti, Lowenstein, VLDB 2015): a value is
renewed early with a probability that grows towards its expiry and with the time its load takes.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Priority = Literal["critical", "high", "normal", "low"]


@dataclass(frozen=True, slots=True)
class Policy:
    """One priority; jitter shortens a life by up to this share, so that values stored together do not expire together."""

    ttl_factor: float
    jitter: float
    refresh_beta: float  # Of XFetch: 1 is the paper's optimum, 0 never renews early.
    first_frequency: int  # How S3-FIFO receives it: 1 or more stays when it leaves the small queue.
    memory_share: float  # Part of its life that a value may spend in memory before Redis is asked again.


POLICIES: dict[Priority, Policy] = {
    "critical": Policy(ttl_factor=2.0, jitter=0.05, refresh_beta=2.0, first_frequency=2, memory_share=1.0),
    "high": Policy(ttl_factor=1.5, jitter=0.1, refresh_beta=1.5, first_frequency=1, memory_share=1.0),
    "normal": Policy(ttl_factor=1.0, jitter=0.1, refresh_beta=1.0, first_frequency=0, memory_share=1.0),
    "low": Policy(ttl_factor=0.5, jitter=0.2, refresh_beta=0.0, first_frequency=0, memory_share=0.25),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePolicy:
    """The times that hold for every family, in seconds."""

    soft_timeout_seconds: float = 0.5  # How long a load may take before a stale value is served in its place.
    hard_timeout_seconds: float = 10.0  # ... before it is cancelled.
    lease_seconds: float = 3.0  # How long a process that died during a load keeps others from storing.
    stale_seconds: float = 3600.0  # How long a value is kept beyond its expiry, for when the loader fails.
    negative_ttl_seconds: float = 30.0
    unverified_seconds: float = 2.0  # Life in memory while no other process can be heard.
    retry_seconds: float = 1.0  # After a failed load, stale values are served for this long without trying again.


def life_seconds(ttl_seconds: float, priority: Priority, draw: Callable[[], float] = random.random) -> float:
    """The logical life of a value: TTL times the factor of its priority, shortened by jitter."""
    policy = POLICIES[priority]
    return ttl_seconds * policy.ttl_factor * (1.0 - policy.jitter * draw())


def early_seconds(load_seconds: float, priority: Priority, draw: Callable[[], float] = random.random) -> float:
    """How long before its expiry a value is due for renewal.

    XFetch draws at each read; here each process draws once for each copy it holds, which keeps the spread between processes
    and costs a hit nothing. Single flight makes one renewal of many readers in any case.
    """
    return -load_seconds * POLICIES[priority].refresh_beta * math.log(1.0 - draw())
