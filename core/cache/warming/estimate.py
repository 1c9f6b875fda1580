"""WarmEstimate: what a run of a plan would do, before it does it.

Owns no behaviour but the comparison of the expiry with the hour at which the keys are wanted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class Measured:
    """What loads were measured to take: how many, the seconds that passed, and those of all loads together."""

    loaded: int
    seconds: float
    load_seconds: float
    p95_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class FamilyEstimate:
    """The keys of one family in a plan, those that would be loaded, and the shortest and longest life of a value."""

    family: str
    keys: int
    to_load: int
    least_life_seconds: float
    most_life_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmEstimate:
    """`basis` says what the times stand on: the last run, a sample of `sampled` loads, or nothing (then they are None).

    `load_seconds` is the loader's time for all keys, `loads_per_second` what the database would see. The expiries are
    those of a run that starts now.
    """

    plan: str
    keys: int
    already_warm: int
    refused: int
    beyond_limit: int
    reasons: tuple[str, ...]
    basis: Literal["last_run", "sample", "none"]
    sampled: int
    load_seconds_each: float | None
    seconds: float | None
    loads_per_second: float | None
    load_seconds: float | None
    families: tuple[FamilyEstimate, ...]
    first_keys: tuple[str, ...]
    first_expires_at: datetime | None
    last_expires_at: datetime | None
    wanted_at: datetime | None

    @property
    def to_load(self) -> int:
        """Keys that a run would load."""
        return self.keys - self.already_warm

    @property
    def spare_seconds(self) -> float | None:
        """How long after the hour at which they are wanted the first entries expire; negative: before it."""
        if self.wanted_at is None or self.first_expires_at is None:
            return None
        return (self.first_expires_at - self.wanted_at).total_seconds()
