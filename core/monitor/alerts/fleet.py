"""Fleet: what the other processes measured, out of their rows in the console's store, so that the rules are judged by all.

Owns the looks at the store, one every five seconds, and what they brought, in memory: ten seconds for as long as a short window
reaches, then minutes. Refuses to judge by old rows as if they were new: while the store is away there is less and less, and
that is said.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from core.errors import CoreError
from core.monitor.history.codec import SlotsDecoder
from core.monitor.history.grains import TENS
from core.monitor.recorder import Recorder
from core.monitor.slots import MINUTE, Slot, merged
from core.monitor.windows import Labels, Window
from core.ports import Rows
from core.tasks import end_tasks

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
TIMEOUT_SECONDS = 2.0
TENS_KEPT, MINUTES_KEPT = 330, 3_660
LATE_SECONDS = 60  # A row that ended longer ago, or so far ahead, is not of now: it waited for the store, or a clock is wrong.
LAG_MOST = 15  # A ten, a look and a second: longer ago was the newest row of none that lives.
ALIVE_SECONDS = 40.0  # Three rows that did not come.

Series = dict[tuple[str, Labels], list[Slot]]


class FleetSlot(NamedTuple):
    """A slot of others in this process's steady seconds, by its last second; `arrival` is the look that brought it."""

    arrival: int
    slot: Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetStats:
    """How many processes are judged, this one included; `late` others wrote rows that are not of now.

    `age_seconds` is how long ago the store answered (None: it has not yet), `error` why it does not.
    """

    processes: int = 1
    late: int = 0
    age_seconds: float | None = None
    error: str = ""


class _Batch(NamedTuple):
    arrival: int
    second: int
    slots: Mapping[str, Mapping[Labels, Slot]]
    late: bool


class _Seen(NamedTuple):
    second: int  # Of its newest row, on its wall clock.
    at: float
    late: bool


class Fleet:
    """`look` runs on the loop of the store; `cut` and `stats` are safe from any thread."""

    def __init__(
        self,
        store: Rows,
        recorder: Recorder,
        process: int,
        metrics: Iterable[str],
        *,
        ready: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`process` is this one, whose rows do not count; `ready` says whether the store has its tables."""
        self._store, self._recorder, self._process = store, recorder, process
        self._metrics = frozenset(metrics)
        self._ready, self._clock = ready, clock
        self._seen: Mapping[tuple[int, int], _Seen] = {}
        self._batches: tuple[_Batch, ...] = ()
        self._arrival = 0
        self._answered_at: float | None = None
        self._error = ""
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start looking."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="alerts-fleet")

    async def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            await end_tasks([self._task])
            self._task = None

    async def look(self) -> None:
        """Take the rows that came since the last look; what stands in the way is kept as the error."""
        try:
            await self._look()
            self._say("")
        except (CoreError, TimeoutError) as error:
            self._say(str(error) or f"no answer within {TIMEOUT_SECONDS:g} s")
        except Exception as error:
            log.exception("fleet_crashed")
            self._say(type(error).__name__)

    def cut(self, metric: str, window: Window) -> list[tuple[Labels, list[FleetSlot]]]:
        """What others did in a window, by labels; the newest rows count as of now, for they cannot come sooner."""
        batches = self._batches
        newest = max((batch.second for batch in batches if not batch.late), default=window.end)
        lag = min(max(0, window.end - 2 - newest), LAG_MOST)
        found: dict[Labels, list[FleetSlot]] = defaultdict(list)
        for batch in batches:
            second = batch.second + (0 if batch.late else lag)
            if window.first <= second < window.end:
                for labels, slot in batch.slots.get(metric, {}).items():
                    found[labels].append(FleetSlot(batch.arrival, slot._replace(second=second)))
        return list(found.items())

    @property
    def arrival(self) -> int:
        """The number of the newest look that brought something."""
        return self._arrival

    def stats(self) -> FleetStats:
        """Whom the judging knows of."""
        now = self._clock()
        alive = {process: item.late for (process, _), item in self._seen.items() if now - item.at < ALIVE_SECONDS}
        late = sum(alive.values())
        return FleetStats(
            processes=1 + len(alive) - late,
            late=late,
            age_seconds=None if self._answered_at is None else now - self._answered_at,
            error=self._error,
        )

    async def _look(self) -> None:
        wall = self._recorder.closed_until() + self._recorder.shift_seconds()
        seen = self._seen
        async with asyncio.timeout(TIMEOUT_SECONDS):
            rows = await self._store.fetch_all(
                "history_arrived",
                wall - TENS_KEPT - LATE_SECONDS,
                self._process,
                [process for process, _ in seen],
                [shift for _, shift in seen],
                [item.second for item in seen.values()],
            )
        await asyncio.to_thread(self._take, rows, wall)
        self._answered_at = self._clock()

    def _take(self, rows: Sequence[Any], wall: int) -> None:
        by_process: dict[tuple[int, int], list[Any]] = defaultdict(list)
        for row in rows:
            by_process[row["process"], row["shift_seconds"]].append(row)
        now, decoder = self._clock(), SlotsDecoder()
        reached = wall - TENS_KEPT - LATE_SECONDS  # Whose rows the next look still finds is known, or they would count twice.
        seen = {key: item for key, item in self._seen.items() if now - item.at < TENS_KEPT or item.second >= reached}
        new: dict[tuple[int, bool], Series] = defaultdict(lambda: defaultdict(list))
        unreadable = 0
        for key, found in by_process.items():
            newest = max(row["second"] for row in found)
            ahead = wall - (newest + TENS.seconds)
            late = abs(ahead) > LATE_SECONDS
            seen[key] = _Seen(newest, now, late)
            # By when the newest came, not by another host's clock; what is old stays where it was.
            move = TENS.seconds - 1 - self._recorder.shift_seconds() + (0 if late else ahead)
            for row in found:
                try:
                    self._add(new[row["second"] + move, late], row, decoder)
                except ValueError:
                    unreadable += 1
        if unreadable:
            log.warning("fleet_unreadable rows=%s of=%s", unreadable, len(rows))
        arrival = self._arrival + bool(rows)
        batches = [_Batch(arrival, second, _sums(second, series), late) for (second, late), series in new.items()]
        self._batches = _kept((*self._batches, *batches), wall - self._recorder.shift_seconds())
        self._arrival, self._seen = arrival, seen

    def _add(self, series: Series, row: Any, decoder: SlotsDecoder) -> None:
        """The labelled series of the metrics that are judged; where there are none, the metric over all labels."""
        labelled = {} if row["labelled"] is None else decoder.decode(0, row["labelled"])
        by_labels = {metric for metric, _ in labelled}
        for (metric, labels), slot in labelled.items():
            if metric in self._metrics and labels is not None:
                series[metric, labels].append(slot)
        totals = [(metric, None) for metric in self._metrics - by_labels]
        for (metric, _), slot in decoder.decode(0, row["totals"], totals).items():
            series[metric, ()].append(slot)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._ready():
                await self.look()

    def _say(self, error: str) -> None:
        """Log once for each change of state."""
        if bool(error) != bool(self._error):
            log.warning("fleet_%s error=%r", "unknown" if error else "known", error)
        self._error = error


def _sums(second: int, series: Series) -> dict[str, dict[Labels, Slot]]:
    """One slot for each series, whatever the number of processes."""
    sums: dict[str, dict[Labels, Slot]] = defaultdict(dict)
    for (metric, labels), slots in series.items():
        sums[metric][labels] = slots[0] if len(slots) == 1 else merged(second, slots)
    return sums


def _kept(batches: Sequence[_Batch], now: int) -> tuple[_Batch, ...]:
    """Tens of the last minutes, and the minutes of the last hour before them."""
    fine = [batch for batch in batches if batch.second >= now - TENS_KEPT]
    minutes: dict[int, list[_Batch]] = defaultdict(list)
    for batch in batches:
        if now - MINUTES_KEPT <= batch.second < now - TENS_KEPT:
            minutes[batch.second // MINUTE].append(batch)
    coarse = [of[0] if len(of) == 1 else _minute(of) for of in minutes.values()]
    return (*coarse, *fine)


def _minute(batches: Sequence[_Batch]) -> _Batch:
    newest = max(batches, key=lambda batch: batch.second)
    series: Series = defaultdict(list)
    for batch in batches:
        for metric, by_labels in batch.slots.items():
            for labels, slot in by_labels.items():
                series[metric, labels].append(slot)
    return _Batch(newest.arrival, newest.second, _sums(newest.second, series), newest.late)
