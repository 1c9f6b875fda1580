"""Columns: chosen series over a stretch of history, slot by slot, as arrays for what looks at every slot of it.

Owns the reading of them, some hours at a time and off the loop. All processes are added; a slot in which none wrote is not
known.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.monitor.history.codec import Choice, SlotsDecoder
from core.monitor.history.grains import Grain
from core.monitor.slots import Slot
from core.ports import Rows
from core.tasks import end_tasks

log = logging.getLogger(__name__)

ROWS_AT_ONCE = 720  # Of one process: two hours by ten seconds, twelve by minutes.


@dataclass(frozen=True, slots=True)
class Stretch:
    """The slots of a grain that begin in [first, end), seconds since 1970, both whole slots."""

    grain: Grain
    first: int
    end: int

    @property
    def size(self) -> int:
        """How many slots."""
        return (self.end - self.first) // self.grain.seconds


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """One choice of series: a value for each slot; `rows`, `numbers` and `counts` are the filled buckets, slot by slot."""

    known: NDArray[np.bool_]
    samples: NDArray[np.int64]
    totals: NDArray[np.float64]
    maxima: NDArray[np.float64]
    rows: NDArray[np.int32]
    numbers: NDArray[np.uint16]
    counts: NDArray[np.uint32]


async def read_columns(
    store: Rows, stretch: Stretch, choices: Sequence[Choice], *, labelled: bool, buckets: bool
) -> tuple[Columns, ...]:
    """The columns of each choice, among the labelled series or those over all labels.

    Raises DependencyError, SchemaError or QueryError.
    """
    known = np.zeros(stretch.size, np.bool_)
    found: list[list[Slot]] = [[] for _ in choices]
    async for rows in _in_parts(store, stretch, labelled):
        for mine, new in zip(found, await asyncio.to_thread(_slots, stretch, rows, choices, known, buckets), strict=True):
            mine.extend(new)
    return await asyncio.to_thread(lambda: tuple(_columns(stretch.size, known, slots) for slots in found))


async def _in_parts(store: Rows, stretch: Stretch, labelled: bool) -> AsyncIterator[Sequence[Any]]:
    """The rows, some hours at a time; while one part is made of use the next one is on its way."""
    step = ROWS_AT_ONCE * stretch.grain.seconds

    def fetch(first: int) -> asyncio.Task[Sequence[Any]]:
        end = min(first + step, stretch.end)
        return asyncio.ensure_future(store.fetch_all("history_blobs", stretch.grain.seconds, first, end, labelled))

    waiting = fetch(stretch.first)
    try:
        for following in range(stretch.first + step, stretch.end, step):
            rows = await waiting
            waiting = fetch(following)
            yield rows
        yield await waiting
    finally:
        await end_tasks([waiting])


def _slots(
    stretch: Stretch, rows: Sequence[Any], choices: Sequence[Choice], known: NDArray[np.bool_], buckets: bool
) -> list[list[Slot]]:
    """The slots of each choice, numbered by their place in the stretch; what is known is marked."""
    found: list[list[Slot]] = [[] for _ in choices]
    decoder, reason = SlotsDecoder(), ""
    for row in rows:
        place = (row["second"] - stretch.first) // stretch.grain.seconds
        known[place] = True
        if row["blob"] is None:
            continue
        try:
            summed = decoder.summed(place, row["blob"], choices, buckets=buckets)
        except ValueError as problem:
            reason = str(problem)
            continue
        for slots, slot in zip(found, summed, strict=True):
            if slot is not None:
                slots.append(slot)
    if reason:
        log.warning("history_unreadable rows=%s error=%r", len(rows), reason)
    return found


def _columns(size: int, known: NDArray[np.bool_], slots: Sequence[Slot]) -> Columns:
    places = np.array([slot.second for slot in slots], np.int64)
    samples, totals, maxima = np.zeros(size, np.int64), np.zeros(size), np.zeros(size)
    np.add.at(samples, places, np.array([slot.samples for slot in slots], np.int64))
    np.add.at(totals, places, np.array([slot.total for slot in slots]))
    np.maximum.at(maxima, places, np.array([slot.maximum for slot in slots]))
    return Columns(
        known,
        samples,
        totals,
        maxima,
        np.repeat(places, [len(slot.numbers) // 2 for slot in slots]).astype(np.int32),
        np.frombuffer(b"".join(slot.numbers for slot in slots), np.uint16),
        np.frombuffer(b"".join(slot.counts for slot in slots), np.uint32),
    )
