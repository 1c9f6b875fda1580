"""MemoryCounts: what memory evicted, refused and should have kept, told to the recorder once a second.

Owns nothing but the last totals: windows are the recorder's.
"""

from __future__ import annotations

from core.cache.memory_tier.tier import MemoryTier
from core.ports import Record


class MemoryCounts:
    """`fold` is called by the recorder's thread."""

    def __init__(self, memory: MemoryTier, record: Record) -> None:
        self._memory = memory
        self._record = record
        self._told = {"cache_evictions": 0, "cache_refused": 0, "cache_ghost_hits": 0}

    def fold(self) -> None:
        """Count what has happened since the last call."""
        stats = self._memory.stats()
        totals = {"cache_evictions": stats.evictions, "cache_refused": stats.refused, "cache_ghost_hits": stats.ghost_hits}
        for metric, total in totals.items():
            if total > self._told[metric]:
                self._record.count(metric, total - self._told[metric])
        self._told = totals
