"""The buckets: every quantile within 1 % of the true one, whatever the values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from core.monitor.buckets import ABSURD, HIGHEST_SECONDS, bucket_numbers, clean, quantile, rank
from core.monitor.slots import folded, histogram, merged

rng = np.random.default_rng(7)
SHAPES = {
    "lognormal": rng.lognormal(math.log(0.04), 0.8, 20_000),
    "bimodal": np.concatenate([rng.normal(0.002, 0.0002, 15_000), rng.normal(0.9, 0.05, 1_500)]).clip(1e-5),
    "constant": np.full(5_000, 0.0123),
    "tiny and huge": np.array([2e-7] * 500 + [119.0] * 500),
    "few": rng.exponential(0.01, 100),
}


@pytest.mark.parametrize("percent", [50, 95, 99])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_quantile_is_within_one_percent_of_the_nearest_rank(shape: str, percent: int) -> None:
    """Compared with the sorted values themselves."""
    values = SHAPES[shape]
    slot = folded(0, values)

    found = quantile(histogram([slot]), percent, slot.maximum)

    true = float(np.sort(values)[math.ceil(len(values) * percent / 100) - 1])
    assert found == pytest.approx(true, rel=0.01 + 1e-9)


def test_merged_slots_are_exactly_the_slot_of_all_values() -> None:
    """However the values are cut up, the merged histogram is the same."""
    values = SHAPES["lognormal"]
    parts = [folded(number, part) for number, part in enumerate(np.array_split(values, 37))]

    one, whole = merged(0, parts), folded(0, values)

    assert (one.samples, one.maximum, one.numbers, one.counts) == (
        whole.samples,
        whole.maximum,
        whole.numbers,
        whole.counts,
    )
    assert one.total == pytest.approx(whole.total)


def test_values_out_of_range_count_at_its_ends() -> None:
    """Zero and ten minutes are kept, the quantile never exceeds the true maximum."""
    slot = folded(0, np.array([0.0] * 50 + [600.0] * 50))

    assert quantile(histogram([slot]), 50, slot.maximum) == pytest.approx(1e-7, rel=0.03)
    assert quantile(histogram([slot]), 99, slot.maximum) == pytest.approx(HIGHEST_SECONDS, rel=0.02)
    assert quantile(histogram([folded(0, np.zeros(100))]), 99, 0.0) == 0.0


@pytest.mark.parametrize(
    ("count", "percent", "expected"), [(20, 95, 19), (21, 95, 20), (100, 99, 99), (1, 50, 1), (140, 95, 133)]
)
def test_the_rank_is_counted_in_whole_numbers(count: int, percent: int, expected: int) -> None:
    """0.95 x 20 is 19, not 19.000000000000004."""
    assert rank(count, percent) == expected


@pytest.mark.parametrize(
    ("count", "known"), [(0, []), (1, [50]), (19, [50]), (20, [50, 95]), (99, [50, 95]), (100, [50, 95, 99])]
)
def test_too_few_samples_are_no_quantile(count: int, known: list[int]) -> None:
    """P95 of fewer than 20 and P99 of fewer than 100 samples would be the maximum under another name."""
    sums: NDArray[np.int64] = np.bincount(bucket_numbers(np.full(count, 0.01)), minlength=1_100).astype(np.int64)

    assert [percent for percent in (50, 95, 99) if quantile(sums, percent, 0.01) is not None] == known


def test_rubbish_is_dropped_and_counted() -> None:
    """One bad value costs itself only, whatever its type."""
    values, dropped = clean([0.5, math.nan, -1.0, math.inf, -math.inf, 10**400, "word", None, [1], 2 * ABSURD, 0, True])

    assert values.tolist() == [0.5, 0.0, 1.0]
    assert dropped == 9
