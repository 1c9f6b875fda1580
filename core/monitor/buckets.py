"""Buckets: values counted in logarithmic buckets, so that every quantile is known to 1 % and histograms merge exactly.

Owns the mathematics of DDSketch (Masson, Rim and Lee, "DDSketch: a fast and fully-mergeable quantile sketch with
relative-error guarantees", VLDB 2019, section 2). Refuses nothing: a value outside of the range counts in the first or last
bucket.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RELATIVE_ERROR = 0.01
LOWEST_SECONDS = 1e-7  # A dictionary lookup; nothing that is measured is shorter.
HIGHEST_SECONDS = 120.0  # Longer than any timeout.
ABSURD = 1e15  # Thirty million years; sums of such values would overflow.

_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA = math.log(_GAMMA)
_FIRST = math.ceil(math.log(LOWEST_SECONDS) / _LOG_GAMMA)
BUCKETS = math.ceil(math.log(HIGHEST_SECONDS) / _LOG_GAMMA) - _FIRST + 1
# Bucket i holds (gamma^(i-1), gamma^i]; this value is within 1 % of both ends.
MIDDLES: NDArray[np.float64] = 2 * _GAMMA ** np.arange(_FIRST, _FIRST + BUCKETS, dtype=np.float64) / (_GAMMA + 1)

# A quantile of fewer samples than 1 / (1 - q) is their maximum under another name.
ENOUGH_SAMPLES = {50: 1, 95: 20, 99: 100}


def bucket_numbers(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The bucket of each value; the values are finite and not negative."""
    numbers = np.ceil(np.log(np.maximum(values, LOWEST_SECONDS)) / _LOG_GAMMA).astype(np.int64) - _FIRST
    clipped: NDArray[np.int64] = np.clip(numbers, 0, BUCKETS - 1)
    return clipped


def clean(values: Sequence[object]) -> tuple[NDArray[np.float64], int]:
    """The values that can be counted, and how many cannot: NaN, infinite, negative, absurd or no number."""
    try:
        numbers = np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        numbers = np.array([_number(value) for value in values], dtype=np.float64)
    good = np.isfinite(numbers) & (numbers >= 0) & (numbers <= ABSURD)
    kept = numbers[good]
    return kept, len(numbers) - len(kept)


def quantile(histogram: NDArray[np.int64], percent: int, maximum: float) -> float | None:
    """The nearest-rank percentile to within 1 %, never above the true maximum; None for too few samples."""
    cumulated = np.cumsum(histogram)
    count = int(cumulated[-1])
    if count < ENOUGH_SAMPLES[percent]:
        return None
    bucket = int(np.searchsorted(cumulated, rank(count, percent)))
    return min(float(MIDDLES[bucket]), maximum)


def rank(count: int, percent: int) -> int:
    """The nearest rank, counted from 1; in whole numbers, because 0.95 is none in binary."""
    return -(-count * percent // 100)


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return math.nan
