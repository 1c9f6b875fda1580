"""LiveLine: one line of a live chart: a statistic of a metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.api.live import LABEL_SEPARATOR

Statistic = Literal["p50", "p95", "p99", "rate", "count"]
Unit = Literal["ms", "s", "/s", ""]


@dataclass(frozen=True, slots=True)
class LiveLine:
    """A statistic of a metric, over all of its labels when `labels` is None."""

    metric: str
    statistic: Statistic
    name: str
    labels: tuple[str, ...] | None = None

    @property
    def series(self) -> str:
        """As `GET /api/live` names it."""
        return LABEL_SEPARATOR.join((self.metric, *(self.labels or ())))


def scale_of(unit: Unit) -> float:
    """What the metric's own unit is multiplied by; durations are recorded in seconds."""
    return 1_000.0 if unit == "ms" else 1.0
