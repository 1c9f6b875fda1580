"""FigureReader: the figures of one rule out of the console's store.

Owns which slots they are made of: ten seconds for a day of what is kept so finely, else minutes, since only those have
all series by their labels.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.monitor.alerts.figures import Figures, looked_figures, recorded_figures
from core.monitor.alerts.looks import KINDS, look_metric
from core.monitor.alerts.rules import Rule
from core.monitor.history.codec import Choice, StoredKey
from core.monitor.history.columns import Columns, Stretch, read_columns
from core.monitor.history.grains import DAY_SECONDS, MINUTES, TENS
from core.monitor.history.reader import LATE_SECONDS
from core.ports import Rows


def by_labels(rule: Rule) -> bool:
    """Whether its figure is made of series by their labels."""
    return bool(rule.labels or rule.any_of or rule.prefix or rule.whole)


class FigureReader:
    """Of one store."""

    def __init__(self, store: Rows) -> None:
        self._store = store

    async def read(self, rule: Rule, span_seconds: int, now: float) -> Figures:
        """What it would have read in the last `span_seconds` that are over, and in its longest window before them.

        Raises DependencyError, SchemaError or QueryError.
        """
        fine = span_seconds <= DAY_SECONDS and not by_labels(rule)
        grain = TENS if fine else MINUTES
        end = (int(now) - LATE_SECONDS) // grain.seconds * grain.seconds
        lead = 0 if rule.kind in KINDS else max(rule.windows)
        stretch = Stretch(grain, end - span_seconds - lead, end)
        starts = [row["second"] for row in await self._store.fetch_all("history_starts", stretch.first)]
        found = await read_columns(
            self._store, stretch, _choices(rule), labelled=by_labels(rule), buckets=rule.kind in ("p95", "mean")
        )
        return await asyncio.to_thread(_figures, rule, stretch, found, starts)


def _choices(rule: Rule) -> list[Choice]:
    if rule.kind in KINDS:
        looked = (look_metric(rule), None)
        return [lambda key: key == looked]

    def part(key: StoredKey) -> bool:
        return key[0] == rule.metric and (key[1] is None or rule.takes(key[1]))

    def whole(key: StoredKey) -> bool:
        return key[0] == rule.whole and key[1] is not None and rule.takes_whole(key[1])

    return [part, whole] if rule.kind == "share" else [part]


def _figures(rule: Rule, stretch: Stretch, found: Sequence[Columns], starts: Sequence[float]) -> Figures:
    step = stretch.grain.seconds
    grid = np.arange(stretch.first + step, stretch.end + 1, step)
    if rule.kind in KINDS:
        return looked_figures(rule, found[0], grid)
    whole = found[1] if len(found) > 1 else None
    return recorded_figures(rule, found[0], whole, grid, _running_seconds(grid, starts))


def _running_seconds(grid: NDArray[np.int64], starts: Sequence[float]) -> NDArray[np.float64]:
    """How long the console had run at each time; without end before the first start that is known."""
    if not starts:
        return np.full(len(grid), np.inf)
    places = np.searchsorted(starts, grid, side="right")
    return np.where(places > 0, grid - np.array(starts)[np.maximum(0, places - 1)], np.inf)
