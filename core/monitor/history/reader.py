"""HistoryReader: charts of hours and days out of the console's store, merged exactly over processes and slots.

Owns which grain answers: the coarsest that the steps are made of, so a chart of two weeks reads hours and not seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.monitor.history.codec import SlotsDecoder, StoredKey
from core.monitor.history.grains import DAY_SECONDS, GRAINS, HOURS, MINUTES, Grain
from core.monitor.slots import Slot
from core.monitor.timeline import LONG_LEAD_SECONDS, History, Point, Steps, points
from core.ports import Rows

log = logging.getLogger(__name__)

STEPS_MAX = 1_500
LATE_SECONDS = 5  # A minute's row is in the store two seconds after its end.
TAIL_SECONDS = 2 * DAY_SECONDS  # Hours that are not merged yet are read as minutes; more of them only after a long absence.


@dataclass(frozen=True, slots=True)
class Question:
    """Which series over which time, in steps that end at `end`; `process` None: of all processes together."""

    keys: tuple[StoredKey, ...]
    window_seconds: int
    step_seconds: int
    end: int
    process: int | None = None

    @property
    def first(self) -> int:
        """Where its first step begins."""
        return self.end - self.window_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryView:
    """What history answers; `since` is when the oldest slot of all began, in seconds since 1970 (None: there is none)."""

    histories: tuple[History, ...]
    since: int | None
    processes: int


def question(
    keys: Sequence[StoredKey], window_seconds: int, step_seconds: int, now: float, process: int | None = None
) -> Question:
    """The question whose last step has just ended; raises ValueError for steps that no grain is made for."""
    if step_seconds < GRAINS[0].seconds or step_seconds % GRAINS[0].seconds or window_seconds % step_seconds:
        raise ValueError(f"step_seconds is a multiple of {GRAINS[0].seconds} and divides window_seconds, not {step_seconds}")
    if not 0 < window_seconds // step_seconds <= STEPS_MAX:
        raise ValueError(f"A history has 1 to {STEPS_MAX} steps, not {window_seconds // step_seconds}")
    end = int(now) - LATE_SECONDS
    return Question(tuple(keys), window_seconds, step_seconds, end - end % step_seconds, process)


class HistoryReader:
    """Reads one store."""

    def __init__(self, store: Rows) -> None:
        self._store = store

    async def read(self, asked: Question) -> HistoryView:
        """The answer; raises DependencyError, SchemaError or QueryError."""
        since: int | None = await self._store.fetch_value("history_since")
        rows = await self._rows(asked) if since is not None else []
        return await asyncio.to_thread(_view, asked, rows, since)

    async def _rows(self, asked: Question) -> Sequence[Any]:
        grain = next(grain for grain in reversed(GRAINS) if asked.step_seconds % grain.seconds == 0)
        lead = _lead_seconds(asked)
        rows = list(await self._fetch(asked, grain, asked.first - lead))
        if grain is HOURS:
            merged_until = rows[-1]["second"] + HOURS.seconds if rows else asked.first
            tail = max(merged_until, asked.end - TAIL_SECONDS)
            rows += await self._fetch(asked, MINUTES, tail)
        return rows

    async def _fetch(self, asked: Question, grain: Grain, first: int) -> Sequence[Any]:
        filters = {} if asked.process is None else {"process": asked.process}
        labelled = any(labels is not None for _, labels in asked.keys)
        return await self._store.fetch_all("history_slots", grain.seconds, first, asked.end, labelled, filters=filters)


def _view(asked: Question, rows: Sequence[Any], since: int | None) -> HistoryView:
    slots = _slots(asked, rows)
    begun = since if since is not None else asked.end
    known = {row["second"] - row["second"] % asked.step_seconds for row in rows}
    return HistoryView(
        histories=tuple(_history(asked, key, slots[key], known, begun) for key in asked.keys),
        since=since,
        processes=len({row["process"] for row in rows}),
    )


def _slots(asked: Question, rows: Sequence[Any]) -> dict[StoredKey, list[Slot]]:
    """The slots of each series, in the order of the rows."""
    found: dict[StoredKey, list[Slot]] = {key: [] for key in asked.keys}
    decoder = SlotsDecoder()
    totals = [key for key in asked.keys if key[1] is None]
    labelled = [key for key in asked.keys if key[1] is not None]
    unreadable, reason = 0, ""
    for row in rows:
        try:
            for wanted, blob in ((totals, row["totals"]), (labelled, row["labelled"])):
                if wanted and blob is not None:
                    for key, slot in decoder.decode(row["second"], blob, wanted).items():
                        found[key].append(slot)
        except ValueError as error:
            unreadable += 1
            reason = str(error)
    if unreadable:
        log.warning("history_unreadable rows=%s of=%s error=%r", unreadable, len(rows), reason)
    return found


def _history(asked: Question, key: StoredKey, slots: Sequence[Slot], known: set[int], since: int) -> History:
    """One chart's worth; a step in which no process wrote anything has no rate, which is not the same as none."""
    step, (metric, labels) = asked.step_seconds, key
    steps = Steps(step, asked.first + step, asked.end, _lead_seconds(asked) // step)
    found = [_honest(point, point.end - step in known) for point in points(slots, steps, since)]
    return History(
        metric=metric,
        labels=labels,
        window_seconds=asked.window_seconds,
        step_seconds=step,
        times=tuple(point.end for point in found),
        counts=tuple(point.samples for point in found),
        rates=tuple(point.rate for point in found),
        p50=tuple(point.quantiles[0] for point in found),
        p95=tuple(point.quantiles[1] for point in found),
        p99=tuple(point.quantiles[2] for point in found),
    )


def _honest(point: Point, known: bool) -> Point:
    return point if known else point._replace(rate=None)


def _lead_seconds(asked: Question) -> int:
    """How far back a point may look for enough samples: five minutes, but at least its own step."""
    return max(LONG_LEAD_SECONDS // asked.step_seconds, 1) * asked.step_seconds
