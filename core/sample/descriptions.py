"""Descriptions of listings: sentences put together from the listing's own facts.

Refuses what fair-housing rules refuse: nothing about who lives there or should, about faith, schools, safety or descent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from core.sample.distributions import GARAGES, STORIES, WALLS
from core.sample.files import Floats, Integers
from core.sample.places import MARKETS, neighborhoods
from core.sample.texts import choose, counted, join, numbers, pick, take, thousands

# By property type, in the order of core.sample.listings.TYPES.
NOUNS = ("house", "condominium", "townhouse", "two-unit building", "apartment", "parcel of land")
STORY_WORDS = dict(
    zip(
        STORIES,
        ("single-story", "story-and-a-half", "two-story", "two-and-a-half-story", "three-story", "bi-level", "multi-level"),
        strict=True,
    )
)
WALL_WORDS = dict(
    zip(
        WALLS,
        ("wood siding", "brick and siding", "metal or vinyl siding", "brick", "stucco", "block and tile", "stone"),
        strict=True,
    )
)
GARAGE_SENTENCES = dict(
    zip(
        GARAGES,
        (
            " Parking is on the street.", " The garage is attached.", " A detached garage stands behind.",
            " A carport covers the drive.", " The garage is in the basement.",
        ),
        strict=True,
    )
)  # fmt: skip
QUALITIES = (
    "Bright",
    "Well-kept",
    "Updated",
    "Comfortable",
    "Handsome",
    "Practical",
    "Roomy",
    "Freshly painted",
    "Tidy",
    "Airy",
)
INSIDE = (
    "Oak floors run through the main level.", "The kitchen was renewed with quartz counters.", "A gas fireplace warms the den.",
    "Large windows face south.", "The kitchen opens to the dining room.", "New carpet lies in every bedroom.",
    "The main bath was retiled.", "Built-in shelves line the study.", "A pantry adjoins the kitchen.",
    "Ceiling fans cool each room.", "The laundry is on the first floor.", "Double-pane windows were put in throughout.",
    "A loft serves as an office.", "Vaulted ceilings lift the living room.", "The primary bedroom has a walk-in closet.",
    "Stainless appliances stay.", "Pocket doors and trim are original.", "A skylight brightens the stairs.",
)  # fmt: skip
OUTSIDE = (
    "The roof is three years old.", "A covered porch looks onto the garden.", "Mature oaks shade the lot.",
    "The furnace and air conditioning are new.", "A cedar deck spans the back.", "The yard is fenced.",
    "Solar panels cut the electric bill.", "A storage shed stays.", "The patio was laid with stone.", "Gutters were replaced.",
    "A sprinkler system waters the beds.", "The driveway was repaved.", "A rain barrel feeds the vegetable beds.",
    "Outdoor lights mark the path.", "The water heater was replaced last year.", "Conduit for a car charger is in place.",
)  # fmt: skip
LAND_USES = (
    "Utilities are at the road.",
    "The survey is on file.",
    "A gravel drive is cut.",
    "Partly wooded.",
    "Level and cleared.",
)


@dataclass(frozen=True, slots=True, eq=False)
class ListingFacts:
    """What a description may say of listings, one entry each; areas in square feet, price in dollars."""

    kind: Integers
    market: Integers
    neighborhood: Integers
    price: Integers
    bedrooms: Integers
    bathrooms: Floats
    living_area: Integers
    lot_area: Integers
    year_built: Integers
    stories: Integers
    wall: Integers
    garage: Integers
    is_land: npt.NDArray[np.bool_]
    has_lot: npt.NDArray[np.bool_]


def descriptions(rng: np.random.Generator, facts: ListingFacts) -> pa.Array:
    """A paragraph for each listing, four to six sentences; two for land."""
    rows = len(facts.kind)
    lot = _lot(rng, facts)
    home = join(_opening(rng, facts), _shell(rng, facts), " ", pick(rng, INSIDE, rows), " ", pick(rng, OUTSIDE, rows))
    home = join(home, pc.if_else(pa.array(facts.has_lot), lot, ""))
    place = take(neighborhoods(), facts.neighborhood)
    land = join("Parcel of land in ", place, ".", lot, " ", pick(rng, LAND_USES, rows))
    return join(pc.if_else(pa.array(facts.is_land), land, home), _price(rng, facts))


def _opening(rng: np.random.Generator, facts: ListingFacts) -> pa.Array:
    rows = len(facts.kind)
    noun, place = take(NOUNS, facts.kind), take(neighborhoods(), facts.neighborhood)
    city = take([market.name for market in MARKETS], facts.market)
    bedrooms, baths = counted(facts.bedrooms.astype(np.float64), "bedroom"), counted(facts.bathrooms, "bath")
    area, year = thousands(facts.living_area), numbers(facts.year_built)
    story = take([STORY_WORDS[name] for name in STORIES], facts.stories)
    quality = pick(rng, QUALITIES, rows)
    variants = [
        join(quality, " ", noun, " in ", place, ", ", city, ": ", bedrooms, ", ", baths, " and ", area, " square feet."),
        join("Built in ", year, ", this ", story, " ", noun, " in ", place, " offers ", bedrooms, " and ", baths, "."),
        join(area, " square feet in ", place, ": ", bedrooms, " and ", baths, " in a ", story, " ", noun, " of ", year, "."),
        join("In ", place, ", ", city, ", with ", bedrooms, " and ", baths, ": a ", story, " ", noun, " built in ", year, "."),
        join(quality, " ", story, " ", noun, " with ", bedrooms, ", ", baths, " and ", area, " square feet of living area."),
        join(
            "This ", story, " ", noun, " has ", area, " square feet, ", bedrooms, " and ", baths, ". It stands in ", place, "."
        ),
    ]
    return choose(rng, variants, rows)


def _shell(rng: np.random.Generator, facts: ListingFacts) -> pa.Array:
    rows = len(facts.kind)
    wall = take([WALL_WORDS[name] for name in WALLS], facts.wall)
    walls = choose(
        rng, [join(" The exterior is ", wall, "."), join(" Outside: ", wall, "."), join(" Walls of ", wall, ".")], rows
    )
    return join(walls, take([GARAGE_SENTENCES[name] for name in GARAGES], facts.garage))


def _lot(rng: np.random.Generator, facts: ListingFacts) -> pa.Array:
    lot = thousands(facts.lot_area)
    acres = pa.array([f"{area / 43_560:.2f}" for area in facts.lot_area.tolist()])
    variants = [join(" The lot measures ", lot, " square feet."), join(" It comes with ", acres, " acres.")]
    return choose(rng, variants, len(facts.kind))


def _price(rng: np.random.Generator, facts: ListingFacts) -> pa.Array:
    price = thousands(facts.price)
    per_area = numbers(np.maximum(facts.price // np.maximum(facts.living_area, 1), 1))
    plain = join(" Offered at $", price, ".")
    variants = [
        plain,
        join(" Listed at $", price, ", which is $", per_area, " per square foot."),
        join(" Price: $", price, "."),
    ]
    return pc.if_else(pa.array(facts.is_land), plain, choose(rng, variants, len(facts.kind)))
