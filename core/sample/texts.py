"""Columns of text put together from phrases, without a loop over rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.sample.files import Floats, Integers


def take(phrases: Sequence[str | None], index: Integers) -> pa.Array:
    """The phrase at each index."""
    return pa.array(phrases, pa.string()).take(pa.array(index))


def pick(rng: np.random.Generator, phrases: Sequence[str | None], rows: int) -> pa.Array:
    """A phrase for each row, all equally often."""
    return take(phrases, rng.integers(0, len(phrases), rows))


def pick_weighted(rng: np.random.Generator, phrases: Sequence[str | None], weights: Floats, rows: int) -> pa.Array:
    """A phrase for each row, as often as its weight says."""
    return take(phrases, weighted(rng, weights, rows))


def weighted(rng: np.random.Generator, weights: Floats, rows: int) -> Integers:
    """An index for each row, as often as its weight says."""
    bounds = np.cumsum(weights) / np.sum(weights)
    return np.minimum(np.searchsorted(bounds, rng.random(rows), side="right"), len(weights) - 1).astype(np.int64)


def join(*parts: pa.Array | str) -> pa.Array:
    """The parts one after the other, row by row; null where one of them is null."""
    return pc.binary_join_element_wise(*parts, "")


def choose(rng: np.random.Generator, variants: Sequence[pa.Array], rows: int) -> pa.Array:
    """For each row one of the variants of a sentence."""
    return pc.choose(pa.array(rng.integers(0, len(variants), rows)), *variants)


def numbers(values: Integers) -> pa.Array:
    """Whole numbers as digits."""
    return pa.array(values).cast(pa.string())


def thousands(values: Integers) -> pa.Array:
    """Whole numbers with commas, such as 1,462."""
    return pa.array([f"{value:,}" for value in values.tolist()], pa.string())


def counted(values: Floats, noun: str) -> pa.Array:
    """Numbers with their noun, such as '1 bedroom' and '2.5 baths'."""
    return pa.array([f"{value:g} {noun}{'' if value == 1 else 's'}" for value in values.tolist()], pa.string())
