"""WindowQuantile: the P95 of a window that slides over the slots of hours or weeks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.monitor.buckets import ENOUGH_SAMPLES, MIDDLES
from core.monitor.history.columns import Columns

PERCENT = 95
CHUNK = 512  # Steps at once: with every bucket filled four megabytes.


def window_p95(own: Columns, widths: NDArray[np.int64]) -> NDArray[np.float64]:
    """The nearest-rank P95 of each step and those before it in its window; NaN for too few samples."""
    found = np.full(len(widths), np.nan)
    if not len(own.numbers):
        return found
    lowest = int(own.numbers.min())
    size = int(own.numbers.max()) - lowest + 1
    lead = int(widths.max())
    for first in range(0, len(widths), CHUNK):
        end = min(first + CHUNK, len(widths))
        begin = max(0, first - lead)
        inside = slice(*np.searchsorted(own.rows, (begin, end)))
        places = (own.rows[inside].astype(np.int64) - begin) * size + own.numbers[inside] - lowest
        table = np.bincount(places, weights=own.counts[inside], minlength=(end - begin) * size).reshape(-1, size)
        sums = np.concatenate((np.zeros((1, size)), np.cumsum(table, axis=0)))
        ends = np.arange(first, end) + 1 - begin
        counts = np.cumsum(sums[ends] - sums[np.maximum(0, ends - widths[first:end])], axis=1)
        totals = counts[:, -1]
        ranks = -(-totals * PERCENT // 100)
        values = MIDDLES[lowest + (counts >= ranks[:, None]).argmax(axis=1)]
        found[first:end] = np.where(totals >= ENOUGH_SAMPLES[PERCENT], values, np.nan)
    lowered: NDArray[np.float64] = np.minimum(found, _window_maxima(own.maxima, widths))
    return lowered


def _window_maxima(maxima: NDArray[np.float64], widths: NDArray[np.int64]) -> NDArray[np.float64]:
    """The largest value of each window: a P95 is never above it."""
    found = maxima.copy()
    for width in np.unique(widths).tolist():
        padded = np.concatenate((np.zeros(width - 1), maxima))
        largest = np.lib.stride_tricks.sliding_window_view(padded, width).max(axis=1)
        found = np.where(widths == width, largest, found)
    return found
