"""How much sample data is drawn."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import SampleDataError

NEXT_STEP = "Ask for 0 or more rows of each table, and for at least one lead where there are interactions."


@dataclass(frozen=True, slots=True)
class SampleSize:
    """Rows to draw of each synthetic table; raises SampleDataError where they cannot be drawn."""

    leads: int
    interactions: int
    properties: int

    def __post_init__(self) -> None:
        if min(self.leads, self.interactions, self.properties) < 0:
            raise SampleDataError("A number of rows is negative.", NEXT_STEP)
        if self.interactions and not self.leads:
            raise SampleDataError("There are interactions to draw, but no leads to have them.", NEXT_STEP)


# A regional brokerage's year: enough for every plan to prefer an index, loaded in seconds on two cores.
DEFAULT = SampleSize(leads=20_000, interactions=150_000, properties=10_000)
