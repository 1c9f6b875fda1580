"""The memory tier: what one process holds, bounded by bytes and entries."""

from core.cache.memory_tier.tier import MemoryStats, MemoryTier

__all__ = ["MemoryStats", "MemoryTier"]
