"""Distribution: how the times of one series are spread in one window, in steps that a person can read.

Owns the steps: the recorder's buckets of 2 % are summed into a few for each factor of ten, so the counts are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.monitor.buckets import MIDDLES
from core.monitor.slots import Slot, histogram

STEPS_PER_TEN = 8
_FIRST, _LAST = -6, 2  # 1 µs to 100 s


@dataclass(frozen=True, slots=True)
class Distribution:
    """How many samples were longer than the step before and at most this many seconds; empty steps at both ends left out."""

    uppers: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()


def distribution(slots: Sequence[Slot]) -> Distribution:
    """The steps of these slots together."""
    buckets = histogram(slots)
    uppers = 10.0 ** np.arange(_FIRST, _LAST + 1 / STEPS_PER_TEN, 1 / STEPS_PER_TEN)
    places = np.minimum(np.searchsorted(uppers, MIDDLES), len(uppers) - 1)
    counts = np.bincount(places, weights=buckets, minlength=len(uppers)).astype(np.int64)
    filled = np.flatnonzero(counts)
    if not len(filled):
        return Distribution()
    shown = slice(int(filled[0]), int(filled[-1]) + 1)
    return Distribution(tuple(map(float, uppers[shown])), tuple(map(int, counts[shown])))
