"""Rate: how fast something moves now, over the last seconds and not since its start."""

from __future__ import annotations

from collections import deque

WINDOW_SECONDS = 10.0
SAMPLE_SECONDS = 0.1  # At most a hundred samples, however often the work reports.


class Rate:
    """Keeps (time, done) of the window; times in seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()
        self._last: tuple[float, int] | None = None

    def add(self, now: float, done: int) -> None:
        """Note how much is done; going back starts the window anew."""
        if self._last is not None and done < self._last[1]:
            self.reset()
        self._last = (now, done)
        if not self._samples or now - self._samples[-1][0] >= SAMPLE_SECONDS:
            self._samples.append(self._last)
        # The newest sample outside the window stays: it is where the window's first change is measured from.
        while len(self._samples) > 2 and now - self._samples[1][0] >= WINDOW_SECONDS:
            self._samples.popleft()

    def reset(self) -> None:
        """Forget everything: another thing is counted from now on."""
        self._samples.clear()
        self._last = None

    def per_second(self, now: float) -> float | None:
        """Done per second; None before there is a measure, 0 when nothing was reported for a whole window."""
        if self._last is None or len(self._samples) == 0 or self._last[0] <= self._samples[0][0]:
            return None
        if now - self._last[0] > WINDOW_SECONDS:
            return 0.0
        seconds = self._last[0] - self._samples[0][0]
        return (self._last[1] - self._samples[0][1]) / seconds
