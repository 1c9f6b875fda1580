"""Deadline: one time limit shared by all steps of a start; refuses to wait longer than it."""

from __future__ import annotations

import time
from collections.abc import Callable

POLL_SECONDS = 0.01  # a start takes 100 ms and more, so this adds little and costs nothing


class Deadline:
    """A moment on the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def remaining_seconds(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self._end - time.monotonic())

    @property
    def passed(self) -> bool:
        """True when no time is left."""
        return self.remaining_seconds <= 0.0

    def wait_for(self, condition: Callable[[], bool]) -> bool:
        """Ask `condition` until it is true; False when the time is over before."""
        while not condition():
            if self.passed:
                return False
            time.sleep(POLL_SECONDS)
        return True
