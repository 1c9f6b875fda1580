"""Deadlines: which keys are due to be dropped, found without looking at the others.

Owns a timing wheel (Varghese and Lauck, "Hashed and hierarchical timing wheels", SOSP 1987, scheme 6) whose spokes exist only
while a key is due in them. Refuses to be exact: a key is due up to WIDTH_SECONDS late.
"""

from __future__ import annotations

import heapq

WIDTH_SECONDS = 10.0  # A day of deadlines is 8,640 spokes at most; memory held 10 s too long hurts nobody.
_SLACK = 64  # Spokes that are gone and still in the heap before it is made anew.


class Deadlines:
    """Keys by the time at which they are due; adding, removing and finding the next cost the same however many there are."""

    def __init__(self) -> None:
        self._spokes: dict[int, dict[str, None]] = {}
        self._order: list[int] = []  # A heap of spokes; those that are gone meanwhile are passed over.

    def __len__(self) -> int:
        return sum(map(len, self._spokes.values()))

    def add(self, key: str, at: float) -> None:
        """Note that the key is due at this time."""
        spoke = _spoke(at)
        keys = self._spokes.get(spoke)
        if keys is None:
            keys = self._spokes[spoke] = {}
            heapq.heappush(self._order, spoke)
        keys[key] = None

    def remove(self, key: str, at: float) -> None:
        """Forget the key, which was added with this time."""
        spoke = _spoke(at)
        keys = self._spokes.get(spoke)
        if keys is None:
            return
        keys.pop(key, None)
        if keys:
            return
        del self._spokes[spoke]
        if len(self._order) > 2 * len(self._spokes) + _SLACK:
            self._order = list(self._spokes)
            heapq.heapify(self._order)

    def due(self, now: float, most: int) -> list[str]:
        """At most so many of the keys that are due; each is forgotten."""
        found: list[str] = []
        while self._order and self._order[0] < _spoke(now) and len(found) < most:
            keys = self._spokes.get(self._order[0])
            if keys:
                found.append(keys.popitem()[0])
            else:
                self._spokes.pop(heapq.heappop(self._order), None)
        return found

    def clear(self) -> None:
        """Forget all."""
        self._spokes.clear()
        self._order.clear()


def _spoke(at: float) -> int:
    return int(at // WIDTH_SECONDS)
