"""Grains: how finely what was measured is kept, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Grain:
    """Slots of so many seconds; `kept_days` is what is surely there, `partition_days` what is dropped at a time."""

    seconds: int
    kept_days: int
    partition_days: int

    @property
    def partition_seconds(self) -> int:
        """What one partition spans."""
        return self.partition_days * DAY_SECONDS


TENS = Grain(10, 1, 1)
MINUTES = Grain(60, 14, 1)
HOURS = Grain(3_600, 400, 30)
GRAINS = (TENS, MINUTES, HOURS)


@dataclass(frozen=True, slots=True)
class StoredSlot:
    """One row of console.metric_slots; `second` is on the wall clock, as its process knew it."""

    grain_seconds: int
    second: int
    process: int
    shift_seconds: int
    parts: int
    totals: bytes
    labelled: bytes | None
