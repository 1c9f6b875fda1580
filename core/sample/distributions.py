"""The distributions that rows are drawn from: skewed choice, scattering, and homes with their relative price.

Owns the numbers that shape the skew. Everything here is a function of its arguments, so equal seeds give equal rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np

from core.sample.files import Floats, Houses, Integers

# Ranks are drawn as ((START + (1 - START) * u) ** POWER): a power law with exponent 1 - 1 / POWER = 0.75 whose first rank is
# cut at about 40 times the mean, so that the busiest 1 % of leads hold 15 to 20 % of the interactions and none holds 2 %.
SKEW_POWER = 4
SKEW_START = 0.2
GOLDEN_RATIO = 0.6180339887498949

# Sales below or above these quantiles of the relative price are transfers and mansions rather than listings of a portal.
PRICE_QUANTILES = (0.02, 0.995)


def skewed_ranks(uniform: Floats, count: int) -> Integers:
    """Ranks in [0, count), the lower the more often, by a power law."""
    low = SKEW_START**SKEW_POWER
    position = ((SKEW_START + (1 - SKEW_START) * uniform) ** SKEW_POWER - low) / (1 - low)
    return np.minimum((position * count).astype(np.int64), count - 1)


def scattered(index: Integers, seed: int) -> Floats:
    """A uniform number in [0, 1) for each index, the same whenever it is asked for: the mixing function of SplitMix64.

    Source: Steele, Lea, Flood, Fast Splittable Pseudorandom Number Generators (2014).
    """
    # The key itself is mixed from the seed, else neighbouring seeds would give shifted copies of one sequence.
    key = np.random.SeedSequence([seed, 0x5A]).generate_state(1, np.uint64)
    bits = (index.astype(np.uint64) + key) * np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    uniform: Floats = ((bits ^ (bits >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return uniform


class Shuffle:
    """A fixed permutation of [0, count) that takes no memory: rank -> (step * rank + offset) mod count."""

    def __init__(self, count: int, offset: int) -> None:
        step = max(1, round(count * GOLDEN_RATIO))
        while gcd(step, count) > 1:
            step += 1
        self._count, self._step, self._offset = count, step, offset
        self._inverse = pow(step, -1, count) if count > 1 else 0

    def index(self, rank: Integers) -> Integers:
        """The index at this rank."""
        return (rank * self._step + self._offset) % self._count

    def rank(self, index: Integers) -> Integers:
        """The rank of this index."""
        return ((index - self._offset) % self._count * self._inverse) % self._count


@dataclass(frozen=True, slots=True, eq=False)
class Homes:
    """Real houses of Lucas County to draw whole rows from, so that size, rooms, age and price go together as they do there."""

    relative_price: Floats
    """Price over the median of its year: the spread without the rise of prices."""
    age_years: Integers
    bedrooms: Integers
    bathrooms: Floats
    living_area: Integers
    lot_area: Integers
    stories: Integers
    """Index into STORIES."""
    wall: Integers
    garage: Integers

    def __len__(self) -> int:
        return len(self.relative_price)


STORIES = ("one", "one+half", "two", "two+half", "three", "bilevel", "multilvl")
WALLS = ("wood", "partbrk", "metlvnyl", "brick", "stucdrvt", "ccbtile", "stone")
GARAGES = ("no garage", "attached", "detached", "carport", "basement")


def homes(houses: Houses) -> Homes:
    """The houses that can stand for a listing: with rooms, and neither the cheapest nor the dearest."""
    year = houses.sale_date.astype("datetime64[Y]").astype(np.int64) + 1970
    relative = np.ones(len(houses))
    for one in np.unique(year):
        relative[year == one] = houses.price[year == one] / np.median(houses.price[year == one])
    low, high = np.quantile(relative, PRICE_QUANTILES)
    kept = (houses.bedrooms > 0) & (houses.bathrooms > 0) & (relative >= low) & (relative <= high)
    return Homes(
        relative_price=relative[kept],
        age_years=np.maximum(year - houses.year_built, 0)[kept],
        bedrooms=houses.bedrooms[kept],
        bathrooms=houses.bathrooms[kept],
        living_area=houses.living_area[kept],
        lot_area=houses.lot_area[kept],
        stories=_codes(houses.stories[kept], STORIES),
        wall=_codes(houses.wall[kept], WALLS),
        garage=_codes(houses.garage[kept], GARAGES),
    )


def _codes(words: np.ndarray[tuple[int], np.dtype[np.str_]], known: tuple[str, ...]) -> Integers:
    order = np.argsort(known)
    return order[np.searchsorted(np.array(known)[order], words)].astype(np.int64)
