"""What a lead looks for: budget, preferences, past searches and an agent's note, as columns of text and JSON."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.sample.files import Floats, Integers
from core.sample.places import neighborhoods
from core.sample.texts import choose, join, numbers, pick, take

# Of what leads ask for; the schema's 'other' is for imports.
WANTED_TYPES = ("single_family", "condo", "townhouse", "multi_family", "apartment", "land")
WANTED_TYPE_WEIGHTS = np.array([0.60, 0.15, 0.13, 0.05, 0.05, 0.02])
TYPE_WORDS = ("house", "condo", "townhouse", "duplex", "apartment", "land")
MUST_HAVES = (
    "garage", "fenced yard", "home office", "single level", "updated kitchen", "covered porch", "large lot", "new roof",
    "central air", "fireplace", "workshop", "solar panels", "first-floor bath", "storage",
)  # fmt: skip
# The least number of rooms asked for; a number that stands twice is asked for twice as often.
BEDROOMS, BATHROOMS = np.array([1, 2, 2, 3, 3, 3, 4, 5]), np.array([1, 1, 2, 2, 3])
# Budgets lie around the market's median price with this standard deviation of the logarithm: narrower than the 0.68 between
# homes on sale, since few look for the cheapest or the dearest.
BUDGET_SPREAD = 0.45
MILLION = 1_000_000


def budgets(rng: np.random.Generator, median_price: Floats) -> Floats:
    """The most that each lead would pay, in dollars."""
    upper: Floats = median_price * np.exp(rng.normal(0.05, BUDGET_SPREAD, len(median_price)))
    return upper


def budget_ranges(budget: Floats) -> pa.Array:
    """Bands such as '150k-200k', '300k-400k', '900k-1m' and '1m+': 50k wide below 200k, 100k above."""
    step = np.where(budget < 200_000, 50, 100)
    lower = (budget / 1000 // step * step).astype(np.int64)
    upper = lower + step
    upper_text = pc.if_else(pa.array(upper < 1000), join(numbers(upper), "k"), "1m")
    lower_text = pc.if_else(pa.array(lower > 0), join(numbers(lower), "k"), "0k")
    return pc.if_else(pa.array(budget >= MILLION), "1m+", join(lower_text, "-", upper_text))


def preferences(rng: np.random.Generator, kind: Integers, hood: Integers, other_hood: Integers, budget: Floats) -> pa.Array:
    """JSON objects: type, least bedrooms and bathrooms, highest price, neighborhoods, must-haves."""
    rows = len(kind)
    places = neighborhoods()
    built = kind != WANTED_TYPES.index("land")
    return join(
        '{"property_type": "', take(WANTED_TYPES, kind),
        '", "min_bedrooms": ', numbers(np.where(built, BEDROOMS[rng.integers(0, len(BEDROOMS), rows)], 0)),
        ', "min_bathrooms": ', numbers(np.where(built, BATHROOMS[rng.integers(0, len(BATHROOMS), rows)], 0)),
        ', "max_price": ', numbers(_rounded(budget)),
        ', "neighborhoods": ["', take(places, hood), '", "', take(places, other_hood),
        '"], "must_have": ["', pick(rng, MUST_HAVES[:7], rows), '", "', pick(rng, MUST_HAVES[7:], rows), '"]}',
    )  # fmt: skip


def searches(
    rng: np.random.Generator, kind: Integers, hood: Integers, budget: Floats, period: tuple[Floats, float]
) -> pa.Array:
    """JSON arrays of none to three past searches, oldest first, each with its day between the arrival and the end."""
    rows = len(kind)
    arrived, end = period
    moments = np.sort(rng.random((3, rows)), axis=0)
    entries = [_search(rng, kind, hood, budget, arrived + (end - arrived) * moments[number]) for number in range(3)]
    none = pa.array(["[]"]).take(pa.array(np.zeros(rows, np.int64)))
    lists = [none, *(join("[", _listed(entries[3 - length :]), "]") for length in (1, 2, 3))]
    return choose(rng, lists, rows)


def notes(rng: np.random.Generator, hood: Integers) -> pa.Array:
    """A sentence or two of an agent about three leads in ten; null for the others."""
    rows = len(hood)
    asked = choose(
        rng,
        [
            join("Asked about ", take(neighborhoods(), hood), "."),
            join("Wants to see more of ", take(neighborhoods(), hood), " before deciding."),
            join("Compared three listings in ", take(neighborhoods(), hood), "."),
            pick(rng, ("Has a home to sell first.", "Loan is approved.", "Is renting until spring.", "Pays cash."), rows),
        ],
        rows,
    )
    ways = (
        " Prefers a call after six.", " Prefers mail.", " Text before calling.", " Call back next week.",
        " Asked for the inspection report.", " Wants a video tour.", " Comparing mortgage offers.", "",
    )  # fmt: skip
    written = pa.array(rng.random(rows) < 0.3)
    return pc.if_else(written, join(asked, pick(rng, ways, rows)), pa.scalar(None, pa.string()))


def _search(rng: np.random.Generator, kind: Integers, hood: Integers, budget: Floats, at: Floats) -> pa.Array:
    rows = len(kind)
    day = pa.array(at.astype("datetime64[s]").astype("datetime64[D]"), pa.date32()).cast(pa.string())
    word, place = take(TYPE_WORDS, kind), take(neighborhoods(), hood)
    most = join(numbers(_rounded(budget) // 1000), "k")
    text = choose(
        rng,
        [
            join(word, " in ", place),
            join(word, " under ", most),
            join(place, " ", word, " with ", pick(rng, MUST_HAVES, rows)),
            join(pick(rng, ("2", "3", "4"), rows), " bedrooms up to ", most, " near ", place),
        ],
        rows,
    )
    return join('{"text": "', text, '", "on": "', day, '"}')


def _listed(entries: list[pa.Array]) -> pa.Array:
    listed = entries[0]
    for entry in entries[1:]:
        listed = join(listed, ", ", entry)
    return listed


def _rounded(budget: Floats) -> Integers:
    """To whole 5,000 dollars, at least 5,000."""
    return np.maximum(np.round(budget / 5000), 1).astype(np.int64) * 5000
