"""Registry: every series of the process, each a queue that is appended to and the slots that it is folded into.

Owns the limit of 200 series: label values beyond it share one series "other" per metric, are counted and logged once.
What rules judge has the last places to itself.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import repeat, starmap
from typing import Any, Literal

from core.monitor.buckets import clean
from core.monitor.slots import Slot, SlotSeries, counted, folded, merged
from core.monitor.windows import Labels

log = logging.getLogger(__name__)

MAX_SERIES = 200
OTHER: Labels = ("other",)
RESERVED = 60  # Of them for the metrics that rules judge: the first error of a busy day must be seen as what it is.
QUEUE_MAX = 1 << 21  # Samples of one series that wait for a fold: 64 MB, reached only when nothing folds.
CHUNK = 50_000  # Samples taken in one go: the interpreter runs nothing else for about 1 ms.

Kind = Literal["distribution", "counter"]
KINDS: tuple[Kind, ...] = ("distribution", "counter")
Key = tuple[str, Labels]
Append = Callable[[Any], None]


@dataclass(slots=True, eq=False)
class Series:
    """One series: what waits in `queue` belongs into `slots`; `count` and `total` are since the start."""

    metric: str
    labels: Labels
    kind: Kind
    queue: deque[Any] = field(default_factory=lambda: deque(maxlen=QUEUE_MAX))
    slots: SlotSeries = field(default_factory=SlotSeries)
    count: int = 0
    total: float = 0.0

    def fold(self, second: int) -> tuple[list[Slot], int]:
        """Move what waits into slots of this second; returns them, and how many values were no numbers."""
        waiting, dropped, slots = len(self.queue), 0, []
        while waiting:
            # No step of this line runs Python, so appends of other threads come before or after it.
            taken = list(starmap(self.queue.popleft, repeat((), min(waiting, CHUNK))))
            waiting -= len(taken)
            values, bad = clean(taken)
            dropped += bad
            if len(values):
                distribution = self.kind == "distribution"
                self.count += len(values) if distribution else int(values.sum())
                self.total += float(values.sum())
                slots.append(folded(second, values) if distribution else counted(second, int(values.sum())))
        for slot in slots:
            self.slots.add(slot)
        self.slots.forget(second)
        return slots, dropped


class Registry:
    """Makes series and finds them again; safe from any thread."""

    def __init__(self) -> None:
        self.distributions: dict[Key, Append] = {}
        self.counters: dict[Key, Append] = {}
        self.refused = 0
        self._judged = frozenset[str]()
        self._series: list[Series] = []
        self._totals: dict[tuple[Kind, str], SlotSeries] = {}
        self._gauges: dict[Key, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._series) + len(self._gauges)

    def reserve(self, metrics: Iterable[str]) -> None:
        """Keep the last places for series of these metrics."""
        self._judged = frozenset(metrics)

    def append_of(self, kind: Kind, metric: str, labels: Labels) -> Append:
        """What appends to this series; made at the first call."""
        known = self.distributions if kind == "distribution" else self.counters
        labels = _strings(labels)
        with self._lock:
            if (metric, labels) not in known and not self._room(metric):
                self._refuse(metric)
                labels = OTHER
            if (metric, labels) not in known:
                series = Series(metric, labels, kind)
                self._series.append(series)
                known[metric, labels] = series.queue.append
            return known[metric, labels]

    def set_gauge(self, metric: str, labels: Labels, value: float, at: float) -> None:
        """Keep the last value and when it was set."""
        labels = _strings(labels)
        with self._lock:
            if (metric, labels) not in self._gauges and not self._room(metric):
                self._refuse(metric)
                labels = OTHER
            self._gauges[metric, labels] = (value, at)

    def fold(self, second: int) -> int:
        """Fold every series, and each metric over all of its labels; returns how many values were no numbers."""
        dropped, new = 0, dict[tuple[Kind, str], list[Slot]]()
        for series in tuple(self._series):
            slots, bad = series.fold(second)
            dropped += bad
            new.setdefault((series.kind, series.metric), []).extend(slots)
        for key, slots in new.items():
            total = self._totals.setdefault(key, SlotSeries())
            if slots:
                total.add(slots[0] if len(slots) == 1 else merged(second, slots))
            total.forget(second)
        return dropped

    def find(self, metric: str, labels: Labels | None) -> SlotSeries:
        """The slots of one series, or of a metric over all of its labels; empty ones for what was never recorded."""
        for kind in KINDS:
            if labels is None and (kind, metric) in self._totals:
                return self._totals[kind, metric]
        known = (item.slots for item in tuple(self._series) if (item.metric, item.labels) == (metric, labels))
        return next(known, SlotSeries())

    def totals(self) -> list[tuple[str, SlotSeries]]:
        """Every distribution over all of its labels, sorted."""
        totals = [(metric, slots) for (kind, metric), slots in tuple(self._totals.items()) if kind == "distribution"]
        return sorted(totals, key=lambda total: total[0])

    def series(self) -> list[Series]:
        """Every series, sorted by metric and labels."""
        return sorted(self._series, key=lambda series: (series.metric, series.labels))

    def merged_series(self) -> list[tuple[str, SlotSeries]]:
        """Every metric over all of its labels."""
        return [(metric, slots) for (_, metric), slots in tuple(self._totals.items())]

    def labelled_series(self) -> list[tuple[str, Labels, SlotSeries]]:
        """Every series of a metric that has more than one, or labels."""
        alone = Counter(series.metric for series in tuple(self._series))
        return [
            (series.metric, series.labels, series.slots)
            for series in tuple(self._series)
            if series.labels or alone[series.metric] > 1
        ]

    def gauges(self) -> list[tuple[Key, tuple[float, float]]]:
        """Every gauge's last value and when it was set, sorted."""
        with self._lock:
            return sorted(self._gauges.items())

    def _room(self, metric: str) -> bool:
        kept = RESERVED if self._judged and metric not in self._judged else 0
        return len(self) < MAX_SERIES - kept

    def _refuse(self, metric: str) -> None:
        if not self.refused:
            log.warning("recorder_full max_series=%s metric=%s: further label values count as %r", MAX_SERIES, metric, *OTHER)
        self.refused += 1


def _strings(labels: Labels) -> Labels:
    return tuple(str(label) for label in labels)
