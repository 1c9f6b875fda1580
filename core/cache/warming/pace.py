"""Pace: how many loads of a warm run may be under way at once.

Owns the rule: begin with two; one more while the loads' P95 stays near what it was at the beginning, half as many when it rises
(AIMD, as in TCP: Chiu and Jain, 1989). Each family is compared with itself, since a lead and a market do not take the same.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

START = 2
WINDOW = 20  # Loads between two decisions: the fewest whose P95 is not simply the slowest.
NEAR, RISEN = 1.3, 2.0  # Times the baseline: up to the first one more, from the second half as many.
FOLLOWED = 0.1  # The share of a window's difference that the baseline takes on.
FLOOR_SECONDS = 0.005  # Below this a load is quick, and a difference is noise.


@dataclass(frozen=True, slots=True)
class PaceStats:
    """How many loads may be under way, the most and the fewest there were, and how often the loader slowed down."""

    concurrency: int
    highest: int
    lowest: int
    slowdowns: int


class Pace:
    """Bounded by `most`; decides each time that a window of loads is over."""

    def __init__(self, most: int, start: int = START) -> None:
        self._most = max(1, most)
        self.concurrency = min(start, self._most)
        self._highest = self._lowest = self.concurrency
        self._slowdowns = 0
        self._baselines: dict[str, float] = {}
        self._ceilings: dict[str, float] = {}  # However slowly the loader gets worse, the baseline goes no further.
        self._firsts: dict[str, list[float]] = {}
        self._ratios: deque[float] = deque(maxlen=WINDOW)

    def stats(self) -> PaceStats:
        """What it came to."""
        return PaceStats(self.concurrency, self._highest, self._lowest, self._slowdowns)

    def loaded(self, family: str, seconds: float) -> None:
        """Take the time of one load."""
        seconds = max(seconds, FLOOR_SECONDS)
        baseline = self._baselines.get(family)
        if baseline is None:
            firsts = self._firsts.setdefault(family, [])
            firsts.append(seconds)
            if len(firsts) >= WINDOW:
                self._baselines[family] = p95(self._firsts.pop(family))
                self._ceilings[family] = NEAR * self._baselines[family]
            return
        self._ratios.append(seconds / baseline)
        if len(self._ratios) == WINDOW:
            self._decide(p95(list(self._ratios)))
            self._ratios.clear()

    def failed(self) -> None:
        """A load failed or ran out of time: slow down, as for one that took too long."""
        self._set(self.concurrency // 2)
        self._ratios.clear()

    def _decide(self, ratio: float) -> None:
        if ratio >= RISEN:
            self._set(self.concurrency // 2)
            return
        if ratio <= NEAR:
            self._set(self.concurrency + 1)
        # The P95 of a few loads varies, so the baseline follows it slowly: the first loads may have met a cold database.
        change = 1.0 + FOLLOWED * (ratio - 1.0)
        for family, seconds in self._baselines.items():
            self._baselines[family] = max(FLOOR_SECONDS, min(seconds * change, self._ceilings[family]))

    def _set(self, concurrency: int) -> None:
        before, self.concurrency = self.concurrency, max(1, min(concurrency, self._most))
        self._slowdowns += self.concurrency < before
        self._highest = max(self._highest, self.concurrency)
        self._lowest = min(self._lowest, self.concurrency)


def p95(values: list[float]) -> float:
    """The least value that 95 % of these do not exceed; 0.0 of none."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1] if values else 0.0
