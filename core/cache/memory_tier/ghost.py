"""Ghost: which keys memory let go lately, known by their hashes alone.

Owns the order in which they are forgotten. Refuses keys and values: it is as small as a memory of what is gone can be.
"""

from __future__ import annotations

from collections import OrderedDict


class Ghost:
    """The last evictions, the oldest forgotten first; a hash that two keys share is one mistake in 2**61."""

    def __init__(self) -> None:
        self._useful_until: OrderedDict[int, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._useful_until)

    def remember(self, key: str, useful_until: float, most: int) -> None:
        """Note one eviction, and until when the entry would have been fresh; keep at most so many."""
        mark = hash(key)
        self._useful_until.pop(mark, None)
        self._useful_until[mark] = useful_until
        while len(self._useful_until) > most:
            self._useful_until.popitem(last=False)

    def knows(self, key: str, now: float) -> bool:
        """Whether this key was evicted lately, and would still be fresh."""
        return self._useful_until.get(hash(key), now) > now

    def recall(self, key: str) -> float | None:
        """Forget this key; until when its entry would have been fresh, None when it is not remembered."""
        return self._useful_until.pop(hash(key), None)

    def clear(self) -> None:
        """Forget all."""
        self._useful_until.clear()
