"""EntryIndex: what is held under which tag, and how much of the memory each family takes.

Owns both countings, which leave nothing behind when their last entry goes. Refuses to hold entries: it knows keys and bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from sys import getsizeof
from types import MappingProxyType

from core.cache.entry import Entry

# Held to tracemalloc by tests/cache/test_memory_tier.py: an Entry with its times, its slots in the table, the queue and the
# wheel, and one of the ghost; then what one tag takes that no other entry has.
ENTRY_BYTES, TAG_BYTES = 650, 350


@dataclass(frozen=True, slots=True)
class FamilySize:
    """What one family takes of the memory."""

    entries: int
    size_bytes: int


def cost_bytes(entry: Entry) -> int:
    """What an entry takes of the memory: its value, its key and all that is kept about it."""
    return entry.size_bytes + getsizeof(entry.key) + ENTRY_BYTES + TAG_BYTES * len(entry.tags)


class EntryIndex:
    """Keys by tag, and entries and bytes by family."""

    def __init__(self) -> None:
        self._keys: dict[str, set[str]] = {}
        self._families: dict[str, list[int]] = {}  # Entries, bytes.

    def add(self, entry: Entry) -> None:
        """Count an entry."""
        size = self._families.setdefault(entry.family, [0, 0])
        size[0] += 1
        size[1] += cost_bytes(entry)
        for tag in entry.tags:
            self._keys.setdefault(tag, set()).add(entry.key)

    def remove(self, entry: Entry) -> None:
        """Count an entry no longer."""
        size = self._families[entry.family]
        size[0] -= 1
        size[1] -= cost_bytes(entry)
        if not size[0]:
            del self._families[entry.family]
        for tag in set(entry.tags):
            keys = self._keys[tag]
            keys.discard(entry.key)
            if not keys:
                del self._keys[tag]

    def keys(self, tag: str) -> tuple[str, ...]:
        """The keys of the entries with this tag."""
        return tuple(self._keys.get(tag, ()))

    def tags(self) -> tuple[str, ...]:
        """Every tag that an entry has."""
        return tuple(self._keys)

    def family_sizes(self) -> Mapping[str, FamilySize]:
        """Entries and bytes of each family that has any."""
        return MappingProxyType({family: FamilySize(*size) for family, size in self._families.items()})

    def clear(self) -> None:
        """Forget all."""
        self._keys.clear()
        self._families.clear()
