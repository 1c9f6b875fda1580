"""SteadyClock: seconds that never jump, and what they are on the wall clock now.

Owns the difference between the two. Slots are numbered by steady seconds, so a corrected wall clock never makes a slot twice
as full or leaves a hole; times are shown as the wall clock would have shown them, had it been right all along.
"""

from __future__ import annotations

import time
from collections.abc import Callable

TOLERATED_SECONDS = 1.0  # Below it a slow adjustment of the clock would make every displayed time tremble.


class SteadyClock:
    """Starts at the wall clock's second and then follows the monotonic clock."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._offset_seconds = wall() - monotonic()
        self._shift_seconds = 0

    def now(self) -> float:
        """Steady seconds."""
        return self._monotonic() + self._offset_seconds

    def shift_seconds(self) -> int:
        """What to add to steady seconds to get wall-clock seconds since 1970; changes only when the clock was set."""
        difference = self._wall() - self.now()
        if abs(difference - self._shift_seconds) > TOLERATED_SECONDS:
            self._shift_seconds = round(difference)
        return self._shift_seconds
