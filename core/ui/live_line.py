"""LiveLine: one line of a live chart: a statistic of a metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.api.live import LABEL_SEPARATOR

SHARE_SAMPLES = 100  # One more or less then moves the share by a point.
SHARE_SECONDS, SHARE_LONG_SECONDS, LONG_STEP_SECONDS = 60, 300, 10

Statistic = Literal["p50", "p95", "p99", "rate", "count", "share"]
Unit = Literal["ms", "s", "/s", "%", ""]


@dataclass(frozen=True, slots=True)
class LiveLine:
    """A statistic of a metric, over all of its labels when `labels` is None.

    A share is what `labels` counted of what they and the labels `against` counted together.
    """

    metric: str
    statistic: Statistic
    name: str
    labels: tuple[str, ...] | None = None
    against: tuple[str, ...] = ()

    @property
    def series(self) -> str:
        """As `GET /api/live` names it."""
        return LABEL_SEPARATOR.join((self.metric, *(self.labels or ())))

    @property
    def rest(self) -> str:
        """The series that a share is measured against; empty for any other statistic."""
        return LABEL_SEPARATOR.join((self.metric, *self.against)) if self.against else ""


def scale_of(unit: Unit) -> float:
    """What the metric's own unit is multiplied by; durations are recorded in seconds."""
    return {"ms": 1_000.0, "%": 100.0}.get(unit, 1.0)


def shares(hits: Sequence[int], misses: Sequence[int], step_seconds: int) -> list[float | None]:
    """The share at each step: of the shortest time up to its end that holds enough, at most a minute, or five in long steps.

    The same as `shares` of assets/live_chart.js. None: nothing was counted in the step.
    """
    most = (SHARE_LONG_SECONDS if step_seconds >= LONG_STEP_SECONDS else SHARE_SECONDS) // step_seconds
    found: list[float | None] = []
    for place, (hit, missed) in enumerate(zip(hits, misses, strict=True)):
        sums, back = [hit, missed], 1
        while sum(sums) < SHARE_SAMPLES and back < most and back <= place:
            sums[0] += hits[place - back]
            sums[1] += misses[place - back]
            back += 1
        found.append(sums[0] / sum(sums) if hit + missed else None)
    return found
