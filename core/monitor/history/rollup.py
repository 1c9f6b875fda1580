"""RollUp: slots of a coarser grain, made by adding those of the finer one; nothing is rounded or averaged.

Owns what is merged when: each slot as soon as it is over, and again when parts of it came later. So a chart of weeks reads
hours, and the finer slots can be dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.monitor.history.codec import SlotsDecoder, StoredKey, encode
from core.monitor.history.grains import DAY_SECONDS, HOURS, MINUTES, TENS, Grain, StoredSlot
from core.monitor.history.partitions import Partitions
from core.monitor.history.writer import add_slots
from core.monitor.slots import Slot, merged
from core.ports import Rows

log = logging.getLogger(__name__)

LATE_SECONDS = 120  # A process writes its own minutes; those that it did not are looked after then.


@dataclass(frozen=True, slots=True)
class Step:
    """From which grain to which, and how far back rows may still come in: what a process keeps for a store that is away."""

    fine: Grain
    coarse: Grain
    back_seconds: int


STEPS = (Step(TENS, MINUTES, DAY_SECONDS), Step(MINUTES, HOURS, 3 * DAY_SECONDS))


class RollUp:
    """One process at a time does it: that of the console."""

    def __init__(self, store: Rows, partitions: Partitions) -> None:
        self._store = store
        self._partitions = partitions
        self._looked = False

    async def run(self, now: float) -> int:
        """Merge what is over and not merged; returns how many slots were made. The first look is at all there is."""
        made = 0
        for step in STEPS:
            back = step.back_seconds if self._looked else step.fine.kept_days * DAY_SECONDS + step.fine.partition_seconds
            end = int(now) - LATE_SECONDS
            before = end - end % step.coarse.seconds
            made += await self._merge_all(step, before - back, before)
        self._looked = True
        return made

    async def _merge_all(self, step: Step, since: int, before: int) -> int:
        made, seen = 0, set[tuple[int, ...]]()
        fine, coarse = step.fine.seconds, step.coarse.seconds
        while True:
            found = await self._store.fetch_all("history_unmerged", fine, coarse, since, before)
            new = [row for row in found if (row["second"], row["process"], row["shift_seconds"]) not in seen]
            for row in new:
                await self._merge(step, row)
                seen.add((row["second"], row["process"], row["shift_seconds"]))
            made += len(new)
            if not new:
                return made

    async def _merge(self, step: Step, of: Any) -> None:
        second, process, shift = of["second"], of["process"], of["shift_seconds"]
        parts = await self._store.fetch_all(
            "history_parts", step.fine.seconds, process, shift, second, second + step.coarse.seconds
        )
        try:
            totals, labelled = await asyncio.to_thread(_added, parts)
        except ValueError as error:
            log.warning("history_unreadable second=%s process=%s error=%r", second, process, str(error))
            return
        row = StoredSlot(step.coarse.seconds, second, process, shift, len(parts), totals, labelled)
        await self._partitions.ensure([row])
        await add_slots(self._store, [row])


def _added(parts: Sequence[Any]) -> tuple[bytes, bytes | None]:
    """Both blobs of one slot, out of the rows of its parts."""
    labelled = [row["labelled"] for row in parts if row["labelled"] is not None]
    return add_blobs([row["totals"] for row in parts]), add_blobs(labelled) if labelled else None


def add_blobs(blobs: Sequence[bytes]) -> bytes:
    """The blob of all samples of these blobs."""
    decoder, found = SlotsDecoder(), dict[StoredKey, list[Slot]]()
    for blob in blobs:
        for key, slot in decoder.decode(0, blob).items():
            found.setdefault(key, []).append(slot)
    return encode({key: merged(0, slots) for key, slots in found.items()})
