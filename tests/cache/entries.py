"""Entries for tests of the memory tier, and the read that TieredCache does without the tier."""

from __future__ import annotations

from core.cache.entry import MOST_FREQUENCY, Entry
from core.cache.memory_tier.tier import MemoryTier


def entry_of(key: str, *, now: float, size_bytes: int = 100, life: float = 60.0, tags: tuple[str, ...] = ()) -> Entry:
    """An entry whose value is its key; fresh for `life` seconds and reserve for as long again."""
    return Entry(
        key=key,
        family=key.partition(":")[0],
        value=key,
        copy=None,
        refresh_at=now + life,
        expires_at=now + life,
        gone_at=now + 2 * life,
        stored_at=now,
        size_bytes=size_bytes,
        tags=tags,
    )


def read(tier: MemoryTier, key: str) -> bool:
    """Whether the key is held; a hit raises its frequency."""
    entry = tier.entries.get(key)
    if entry is None:
        return False
    if entry.frequency < MOST_FREQUENCY:
        entry.frequency += 1
    return True
