"""ManualClock: time that moves only when a test says so."""

from __future__ import annotations

from core.monitor.clock import SteadyClock

START = 1_700_000_000.0  # Divisible by ten, so that steps of a chart begin with it.


class ManualClock:
    """A monotonic and a wall clock that a test moves together or apart."""

    def __init__(self, wall: float = START) -> None:
        self.monotonic = 5_000.0
        self.wall = wall
        self.steady = SteadyClock(lambda: self.monotonic, lambda: self.wall)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.monotonic += seconds
        self.wall += seconds
