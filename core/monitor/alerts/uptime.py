"""Uptime: in which slots of ten seconds the platform was ready, over the last 24 hours, also those before this process.

Owns what counts: a slot is down when it was down at any look. While nothing could be told, or no console ran, it is not known,
which is neither up nor down.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from core.monitor.alerts.judge import Reading
from core.monitor.alerts.words import lasting
from core.monitor.clock import SteadyClock
from core.monitor.history.columns import Stretch, read_columns
from core.monitor.history.grains import DAY_SECONDS, TENS
from core.ports import Record, Rows

READY_METRIC = "platform_ready"  # 1 for each look that found it ready, else 0.
SLOT_SECONDS = TENS.seconds
ALL_KNOWN = 0.99  # Of the day: a restart takes some seconds.


class Uptime:
    """Safe from any thread; times are steady seconds."""

    def __init__(self, record: Record | None = None) -> None:
        self._record = record
        self._slots: dict[int, bool] = {}
        self._changing = threading.Lock()

    def see(self, ready: bool | None, now: float) -> None:
        """What is so at a moment; None: it cannot be told."""
        if ready is None:
            return
        if self._record is not None:
            self._record.record(READY_METRIC, float(ready))
        self.take_up([(int(now), ready)])

    def take_up(self, seen: Iterable[tuple[int, bool]]) -> None:
        """What was so at these seconds, as the history has it."""
        with self._changing:
            for second, ready in seen:
                slot = second // SLOT_SECONDS
                self._slots[slot] = ready and self._slots.get(slot, True)

    def reading(self, now: float) -> Reading | None:
        """The share of the known slots that were up."""
        with self._changing:
            oldest = (int(now) - DAY_SECONDS) // SLOT_SECONDS
            for slot in [slot for slot in self._slots if slot <= oldest]:
                del self._slots[slot]
            slots = self._slots.copy()
        if not slots:
            return None
        down = sum(not ready for ready in slots.values())
        running = now - min(slots) * SLOT_SECONDS
        return Reading(1 - down / len(slots), len(slots), felt=down, running_seconds=running, worst=_known(len(slots), down))


def _known(slots: int, down: int) -> str:
    """How long it was down, and how much of the day is known where that is not all of it."""
    parts = [
        f"down for {lasting(down * SLOT_SECONDS)}" if down else "",
        f"{lasting(slots * SLOT_SECONDS)} of 24 h are known" if slots * SLOT_SECONDS < ALL_KNOWN * DAY_SECONDS else "",
    ]
    return ", ".join(part for part in parts if part)


async def take_up_uptime(uptime: Uptime, store: Rows, clock: SteadyClock, *, began: float) -> None:
    """Let it know what the consoles before this one saw, which began at a steady second.

    Raises DependencyError, SchemaError or QueryError.
    """
    shift = clock.shift_seconds()
    looks = [(second - shift, ready) for second, ready in await stored_looks(store, clock.now() + shift)]
    uptime.take_up([(second, ready) for second, ready in looks if second + SLOT_SECONDS <= began])


async def stored_looks(store: Rows, wall: float) -> list[tuple[int, bool]]:
    """The second of each known slot of the last 24 hours, and whether it was ready at every look.

    Raises DependencyError, SchemaError or QueryError.
    """
    end = -(-int(wall) // SLOT_SECONDS) * SLOT_SECONDS
    stretch = Stretch(TENS, end - DAY_SECONDS, end)
    (looks,) = await read_columns(store, stretch, [lambda key: key == (READY_METRIC, None)], labelled=False, buckets=False)
    found = zip(range(stretch.first, end, SLOT_SECONDS), looks.samples.tolist(), looks.totals.tolist(), strict=True)
    return [(second, total == samples) for second, samples, total in found if samples]
