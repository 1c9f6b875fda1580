"""The top-up: synthetic data continued from its newest row up to now, at every start.

Adds leads, interactions and listings at the rate that the default size has at its end, and sells the oldest synthetic
listings. Refuses to touch rows that are not synthetic.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa

from core.sample.calendars import DAY_SECONDS, Calendar, arrivals
from core.sample.copying import Connection, copy, refusals_of, reserve_lead_ids, try_lock
from core.sample.distributions import Shuffle, skewed_ranks
from core.sample.files import Integers, read_files
from core.sample.generator import Generator, Levels, levels
from core.sample.interactions import interaction_rows
from core.sample.reports import TopUpReport
from core.sample.size import SampleSize

# Below this the data counts as running up to now.
SMALLEST_GAP_SECONDS = 3600.0
# New leads are contacted this often in their first days; the other interactions go to leads that are there already.
CONTACTS_PER_NEW_LEAD = 2
# The most recent leads that can be contacted again; older ones rest.
POOL_LEADS = 20_000
# Of the listings that come, this part replaces others that are sold, so that about 60 % stay active.
SOLD_PART = 0.4
STREAM = 5
# 40 days at full rate; a longer gap is filled thinner, most of it near its end.
MOST_ROWS = SampleSize(leads=4_000, interactions=60_000, properties=2_000)

# The newest rows have the highest ids, so no index on created_at is needed; 1,000 covers those that are a little out of order.
NEWEST = """
SELECT greatest(
    (SELECT max(created_at) FROM (SELECT created_at FROM lead_interactions WHERE synthetic ORDER BY id DESC LIMIT 1000) AS i),
    (SELECT max(created_at) FROM (SELECT created_at FROM leads WHERE synthetic ORDER BY id DESC LIMIT 1000) AS l)
)
"""
POOL = """
SELECT array_agg(id) FROM (
    SELECT id FROM leads
    WHERE synthetic AND last_interaction_at IS NOT NULL AND status NOT IN ('won', 'lost', 'unsubscribed')
    ORDER BY id DESC LIMIT $1
) AS recent
"""
SET_LAST_INTERACTION = """
UPDATE leads AS l
SET last_interaction_at = greatest(l.last_interaction_at, t.at), updated_at = greatest(l.updated_at, t.at)
FROM unnest($1::bigint[], $2::timestamptz[]) AS t (id, at)
WHERE l.id = t.id AND l.synthetic
"""
SELL_OLDEST = """
UPDATE properties SET status = 'sold', updated_at = $2
WHERE id IN (SELECT id FROM properties WHERE synthetic AND status = 'active' ORDER BY id LIMIT $1)
"""


@dataclass(frozen=True, slots=True)
class TopUpRates:
    """Rows a day, and the most rows that one top-up adds however long the gap is."""

    # The density that core.sample.size.DEFAULT reaches at the end of its year, so that the series goes on without a step.
    leads_per_day: float = 100.0
    interactions_per_day: float = 1500.0
    properties_per_day: float = 50.0
    most: SampleSize = MOST_ROWS

    def size(self, gap_seconds: float) -> SampleSize:
        """Rows for a gap, at least one lead and one interaction."""
        days = gap_seconds / DAY_SECONDS
        return SampleSize(
            leads=min(max(1, round(self.leads_per_day * days)), self.most.leads),
            interactions=min(max(1, round(self.interactions_per_day * days)), self.most.interactions),
            properties=min(round(self.properties_per_day * days), self.most.properties),
        )


DEFAULT_RATES = TopUpRates()


async def top_up(connection: Connection, *, now: datetime, rates: TopUpRates = DEFAULT_RATES) -> TopUpReport:
    """Continue the synthetic data up to `now`: all of it or nothing, and nothing where the gap is below an hour.

    Of two processes that call it together one does the work and the other reports `busy`. Raises SampleDataError.
    """
    started = time.perf_counter()
    async with refusals_of("the platform"), connection.transaction():
        if not await try_lock(connection):
            return TopUpReport("busy")
        newest: datetime | None = await connection.fetchval(NEWEST)
        if newest is None:
            return TopUpReport("nothing_synthetic")
        gap_seconds = (now - newest).total_seconds()
        if gap_seconds < SMALLEST_GAP_SECONDS:
            return TopUpReport("up_to_date", gap_seconds)
        size = rates.size(gap_seconds)
        await _add(connection, size, newest.timestamp(), now)
    return TopUpReport("topped_up", gap_seconds, size.leads, size.interactions, size.properties, time.perf_counter() - started)


async def _add(connection: Connection, size: SampleSize, start: float, now: datetime) -> None:
    pool = np.array(await connection.fetchval(POOL, POOL_LEADS) or [], dtype=np.int64)
    contacts = min(size.interactions, size.leads * CONTACTS_PER_NEW_LEAD) if len(pool) else size.interactions
    first_lead_id = await reserve_lead_ids(connection, size.leads)
    level = await asyncio.to_thread(_levels)
    new = SampleSize(size.leads, contacts, size.properties)
    seed, end = int(start), now.timestamp()
    generator = Generator(level, new, seed=seed, start=start, end=end, first_lead_id=first_lead_id)
    for table in ("leads", "lead_interactions", "properties"):
        await copy(connection, table, generator.batches(table), generator.rows(table), _silent)
    again = size.interactions - contacts
    if again:
        rows = _contacts_again(np.random.default_rng([seed, STREAM]), pool, again, arrivals(start, end, level.months))
        await copy(connection, "lead_interactions", [rows], again, _silent)
        await _set_last_interaction(connection, rows)
    await connection.execute(SELL_OLDEST, round(size.properties * SOLD_PART), now)


def _contacts_again(rng: np.random.Generator, pool: Integers, count: int, calendar: Calendar) -> pa.RecordBatch:
    """Interactions with leads of the pool, a few of them busy ones, in order of time; the newest at the end of the gap."""
    rank = skewed_ranks(rng.random(count), len(pool))
    instant = np.sort(calendar.instants(rng.random(count)))
    instant[-1] = calendar.edges[-1]
    # The same order at every top-up of the same pool: a busy lead stays busy.
    return interaction_rows(rng, pool[Shuffle(len(pool), 0).index(rank)], instant, np.zeros(count, np.bool_))


async def _set_last_interaction(connection: Connection, rows: pa.RecordBatch) -> None:
    last = pa.table([rows["lead_id"], rows["created_at"]], names=["lead_id", "at"])
    last = last.group_by("lead_id").aggregate([("at", "max")]).sort_by("lead_id")
    await connection.execute(SET_LAST_INTERACTION, last["lead_id"].to_pylist(), last["at_max"].to_pylist())


def _levels() -> Levels:
    return levels(read_files())


def _silent(what: str, done: int, total: int) -> None:
    """Tell nobody: a top-up takes seconds at most."""
