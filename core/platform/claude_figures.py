"""ClaudeFigures: what the recorder knows of one window of asks: how long people waited, what came of them, how many hit.

Owns the arithmetic of the two promises: the mean is of what people waited for answers made, joined or kept; the hit rate is of
the reads of Claude's families.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from core.claude.messages import Lane, Scope
from core.monitor import MetricsSnapshot, Recorder, SeriesSnapshot

HOWS = ("made", "joined", "hit", "stale")  # How an answer came about; anything else is the kind of an error.
WAITED = HOWS[:3]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many asks ended in one way: how the answer came about, or the kind of its error."""

    kind: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaudeFigures:
    """One window of this process; `waited` is what people waited, by how; `queue` the wait before the first send, by lane."""

    window_seconds: int
    covered_seconds: int
    waited: tuple[SeriesSnapshot, ...]
    first_token: SeriesSnapshot
    queue: tuple[SeriesSnapshot, ...]
    answered: tuple[Outcome, ...]
    failures: tuple[Outcome, ...]
    hits: int
    misses: int

    @property
    def samples(self) -> int:
        """Answers that people waited for."""
        return sum(series.count for series in self.waited)

    @property
    def mean_seconds(self) -> float | None:
        """What people waited on average; None when nobody did."""
        total = sum((series.mean or 0.0) * series.count for series in self.waited)
        return total / self.samples if self.samples else None

    @property
    def answers(self) -> int:
        """Asks of both lanes that got an answer."""
        return sum(item.count for item in self.answered)

    @property
    def failed(self) -> int:
        """Asks of both lanes that got none."""
        return sum(item.count for item in self.failures)

    @property
    def hit_rate(self) -> float | None:
        """Hits of hits and misses, from 0 to 1; None when there was neither."""
        reads = self.hits + self.misses
        return self.hits / reads if reads else None


def claude_figures(monitor: Recorder, scope: Scope, window_seconds: int) -> ClaudeFigures:
    """The figures of a window of 60, 300, 900 or 3600 seconds."""
    snapshot = monitor.snapshot(window_seconds)
    counts = [
        Outcome(item.labels[1], item.delta)
        for item in snapshot.counters
        if item.metric == "claude_answers" and item.labels[:1] == (scope,) and item.delta
    ]
    return ClaudeFigures(
        window_seconds=snapshot.window_seconds,
        covered_seconds=snapshot.covered_seconds,
        waited=tuple(_found(snapshot, "claude_answer_seconds", scope, "interactive", how) for how in WAITED),
        first_token=_found(snapshot, "claude_first_token_seconds", scope),
        queue=tuple(_found(snapshot, "claude_queue_seconds", lane) for lane in get_args(Lane)),
        answered=tuple(item for item in counts if item.kind in HOWS),
        failures=tuple(sorted((item for item in counts if item.kind not in HOWS), key=lambda item: (-item.count, item.kind))),
        hits=snapshot.counted("cache_answers", "paid", "hit"),
        misses=snapshot.counted("cache_answers", "paid", "miss"),
    )


def _found(snapshot: MetricsSnapshot, metric: str, *labels: str) -> SeriesSnapshot:
    found = (item for item in snapshot.series if (item.metric, item.labels) == (metric, labels))
    return next(found, SeriesSnapshot(metric, labels, 0, 0.0))
