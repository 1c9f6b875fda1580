"""The generator: synthetic leads, interactions and listings of one period, as record batches of the tables' columns.

Equal seed, size and period give equal rows, whatever the size of the batches: every block of rows has a seed of its own.
Memory holds one block and 12 bytes for each lead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.sample.activity import Activity
from core.sample.calendars import DAY_SECONDS, Calendar, arrivals, month_weights
from core.sample.distributions import Homes, homes, scattered
from core.sample.files import Floats, Integers, SampleFiles
from core.sample.interactions import interaction_rows
from core.sample.leads import LeadFacts, lead_rows
from core.sample.listings import ListingSeeds, listing_rows
from core.sample.observed import months_of
from core.sample.places import MARKETS
from core.sample.size import SampleSize

PERIOD_SECONDS = 365 * DAY_SECONDS
# Rows drawn at once: some 20 MB with their texts, and long enough for numpy to be quick.
BLOCK_ROWS = 8192
BATCH_ROWS = 16_384
# Toledo sold 5,600 homes a year against 204,000 of the four Texas cities; so few would leave its pages empty.
TOLEDO_SHARE = 0.10
LEAD_STREAM, INTERACTION_STREAM, LISTING_STREAM = 2, 3, 4
BATCH_TABLES = ("leads", "lead_interactions", "properties")

Draw = Callable[[int], pa.RecordBatch]


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """What the files say of each market, in the order of MARKETS, and of months and homes."""

    median_price: Floats
    share: Floats
    months: Floats
    homes: Homes


def levels(files: SampleFiles) -> Levels:
    """Price level and share of each market, the weights of months, and the homes to draw from."""
    figures = [months_of(market, files) for market in MARKETS]
    sales = np.array(
        [0.0 if market.source_city is None else one.yearly_sales() for market, one in zip(MARKETS, figures, strict=True)]
    )
    share = sales / sales.sum() * (1 - TOLEDO_SHARE)
    share[sales == 0] = TOLEDO_SHARE
    return Levels(np.array([one.median_price() for one in figures]), share, month_weights(files.texas), homes(files.houses))


class Generator:
    """Draws `size` rows of the time from `start` to `end` (seconds since 1970); lead ids count from `first_lead_id`."""

    def __init__(
        self, levels: Levels, size: SampleSize, *, seed: int, start: float, end: float, first_lead_id: int = 1
    ) -> None:
        self._levels, self._size, self._seed, self._end = levels, size, seed, end
        self._first_lead_id = first_lead_id
        self._calendar: Calendar = arrivals(start, end, levels.months)
        self._activity = Activity(size.leads, size.interactions, self._calendar, seed)

    def rows(self, table: str) -> int:
        """How many rows `batches(table)` yields in all."""
        return dict(zip(BATCH_TABLES, (self._size.leads, self._size.interactions, self._size.properties), strict=True))[table]

    def batches(self, table: str, batch_rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """Record batches of `leads`, `lead_interactions` or `properties`, each of `batch_rows` rows but the last."""
        blocks = {"leads": self._leads, "lead_interactions": self._interactions, "properties": self._listings}[table]()
        return rebatched(blocks, batch_rows)

    def _leads(self) -> Iterator[pa.RecordBatch]:
        last, count = self._summary
        for number, (first, stop) in enumerate(_blocks(self._size.leads)):
            rng = np.random.default_rng([self._seed, LEAD_STREAM, number])
            market = self._markets(first, stop)
            facts = LeadFacts(
                id=self._first_lead_id + np.arange(first, stop, dtype=np.int64),
                market=market,
                median_price=self._levels.median_price[market],
                arrived=self._activity.arrived(first, stop),
                last=last[first:stop],
                count=count[first:stop],
            )
            yield lead_rows(rng, facts, self._end)

    def _interactions(self) -> Iterator[pa.RecordBatch]:
        for number, (lead, instant, first) in enumerate(self._activity.slices()):
            rng = np.random.default_rng([self._seed, INTERACTION_STREAM, number])
            yield interaction_rows(rng, self._first_lead_id + lead, instant, first)

    def _listings(self) -> Iterator[pa.RecordBatch]:
        for number, (first, stop) in enumerate(_blocks(self._size.properties)):
            rng = np.random.default_rng([self._seed, LISTING_STREAM, number])
            index = np.arange(first, stop, dtype=np.int64)
            market = np.searchsorted(np.cumsum(self._levels.share)[:-1], rng.random(len(index)), side="right").astype(np.int64)
            arrived = self._calendar.instants((index + rng.random(len(index))) / self._size.properties)
            seeds = ListingSeeds(index + 1, market, self._levels.median_price[market], arrived)
            yield listing_rows(rng, self._levels.homes, seeds, self._end)

    @cached_property
    def _summary(self) -> tuple[Floats, npt.NDArray[np.int32]]:
        return self._activity.summary()

    def _markets(self, first: int, stop: int) -> Integers:
        uniform = scattered(np.arange(first, stop, dtype=np.int64), self._seed + 1)
        return np.searchsorted(np.cumsum(self._levels.share)[:-1], uniform, side="right").astype(np.int64)


def rebatched(blocks: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of `rows`, the last one shorter."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    for block in blocks:
        waiting.append(block)
        count += block.num_rows
        while count >= rows:
            table = pa.Table.from_batches(waiting)
            yield _one_batch(table.slice(0, rows))
            waiting, count = table.slice(rows).to_batches(), count - rows
    if count:
        yield _one_batch(pa.Table.from_batches(waiting))


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    return table.combine_chunks().to_batches()[0]


def _blocks(rows: int) -> Iterator[tuple[int, int]]:
    for first in range(0, rows, BLOCK_ROWS):
        yield first, min(first + BLOCK_ROWS, rows)
