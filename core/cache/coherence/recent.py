"""RecentChanges: what was changed in the last seconds, so that a value read or loaded before a change is not stored after it.

Owns the numbers of the changes. Refuses in doubt: what it has forgotten counts as changed. Bound to one event loop.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable


class RecentChanges:
    """Remembers each changed key and tag for `keep_seconds`, at most `max_items` of them; every call is O(1)."""

    def __init__(
        self, keep_seconds: float = 30.0, max_items: int = 100_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._keep_seconds = keep_seconds
        self._max_items = max_items
        self._clock = clock
        # A key, or a tag in a tuple -> number of its last change, when, version; in the order of the numbers.
        self._changes: OrderedDict[str | tuple[str], tuple[int, float, int]] = OrderedDict()
        self._number = 0
        self._forgotten = 0

    def __len__(self) -> int:
        return len(self._changes)

    def mark(self) -> int:
        """Taken before a read or a load begins: the number of the last change."""
        return self._number

    def key_changed(self, key: str, version: int) -> None:
        """The key now has this version; 0: it is gone."""
        self._remember(key, version)

    def tag_changed(self, tag: str, generation: int) -> None:
        """The tag now has this generation; 0: a new one that is not known."""
        self._remember((tag,), generation)

    def everything_changed(self) -> None:
        """Nothing that was read or loaded before now may be stored."""
        self._number += 1
        self._forgotten = self._number
        self._changes.clear()

    def may_store(self, mark: int, key: str, version: int, tags: Iterable[tuple[str, int]] = ()) -> bool:
        """Whether, since the mark, neither the key nor a tag changed to another version or generation than these."""
        if mark == self._number:
            return True
        if mark < self._forgotten:
            return False
        changes = self._changes
        change = changes.get(key)
        if change is not None and change[0] > mark and change[2] != version:
            return False
        for tag, generation in tags:
            change = changes.get((tag,))
            if change is not None and change[0] > mark and change[2] != generation:
                return False
        return True

    def _remember(self, what: str | tuple[str], version: int) -> None:
        now, changes = self._clock(), self._changes
        self._number += 1
        changes[what] = (self._number, now, version)
        changes.move_to_end(what)
        too_old = now - self._keep_seconds
        # At most two go for one that comes: no call pays for many, and old ones do no harm.
        for _ in range(2):
            number, at, _version = next(iter(changes.values()))
            if at >= too_old and len(changes) <= self._max_items:
                break
            changes.popitem(last=False)
            self._forgotten = number
