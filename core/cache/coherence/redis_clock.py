"""RedisClock: the time by Redis' own clock, so that no host's wall clock decides what has expired.

Owns the difference between Redis' clock and this process's monotonic one. As in NTP, of the last samples the one with the
shortest round trip is believed: its error is at most half of that (RFC 5905, clock filter).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

SAMPLES = 8  # As many as NTP keeps; eight seconds of drift are far below a millisecond.
STEP_SECONDS = 1.0  # What only a clock that was set, a suspended machine or another server explains.


class RedisClock:
    """Follows the samples that it is given; before the first one it is the wall clock of this host."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._wall = wall
        self._samples: deque[_Sample] = deque(maxlen=SAMPLES)
        self._offset_seconds: float | None = None

    @property
    def known(self) -> bool:
        """Whether Redis has ever told its time."""
        return self._offset_seconds is not None

    def now(self) -> float:
        """Seconds since the epoch."""
        offset = self._offset_seconds
        return self._wall() if offset is None else self._clock() + offset

    def sample(self, server_seconds: float, sent_at: float, received_at: float) -> None:
        """Redis said `server_seconds` between these two moments of the monotonic clock."""
        round_trip = received_at - sent_at
        found = _Sample(round_trip, server_seconds - (sent_at + received_at) / 2)
        if self._offset_seconds is not None and abs(found.offset - self._offset_seconds) > STEP_SECONDS + round_trip / 2:
            self._samples.clear()
        self._samples.append(found)
        self._offset_seconds = min(self._samples, key=lambda sample: sample.round_trip).offset


@dataclass(frozen=True, slots=True)
class _Sample:
    round_trip: float  # Seconds.
    offset: float
