"""QueryFigures: what each named query of this process cost in one window, the one that took most time in all first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.database.measures import QueryStats
from core.database.pool import TRANSACTION
from core.database.queries import Queries
from core.monitor import Recorder, SeriesSnapshot

QUERY, WAIT, SLOW, ERRORS = (
    "database_query_seconds", "database_wait_seconds", "database_slow_queries", "database_errors",
)  # fmt: skip
NOT_NAMED = {
    "ad hoc": "Statements without a name, such as those of imports.",
    TRANSACTION: "Whole transactions, from their begin to their end.",
    "other": "What came after the recorder had 200 series.",
}


@dataclass(frozen=True, slots=True)
class QueryFigures:
    """One query: its times, its seconds in all, their share of all queries' seconds, and how many were slow or failed.

    `since_start` has what the window has not: rows, and errors by kind.
    """

    name: str
    description: str
    times: SeriesSnapshot
    total_seconds: float
    share: float
    slow: int
    errors: int
    since_start: QueryStats | None = None

    @property
    def slow_share(self) -> float:
        """The share of calls that took longer than the promised P95."""
        return self.slow / self.times.count if self.times.count else 0.0

    @property
    def rows_per_call(self) -> float | None:
        """Rows of an answer, on average since the start; None where rows are not counted, as of whole transactions."""
        stats = self.since_start
        return stats.rows / stats.calls if stats and stats.calls and stats.name != TRANSACTION else None


def query_figures(
    monitor: Recorder, queries: Queries, window_seconds: int, stats: Iterable[QueryStats] = ()
) -> tuple[QueryFigures, ...]:
    """Every query that was asked in the window; `stats` is what the pool counted since the start."""
    counted = {item.name: item for item in stats}
    snapshot = monitor.snapshot(window_seconds)
    asked = [item for item in snapshot.series if item.metric == QUERY and item.count and item.labels]
    everything = sum(_total(item) for item in asked) or 1.0
    descriptions = {**{query.name: query.description for query in queries}, **NOT_NAMED}
    found = [
        QueryFigures(
            name=(name := item.labels[0]),
            description=descriptions.get(name, ""),
            times=item,
            total_seconds=_total(item),
            share=_total(item) / everything,
            slow=snapshot.counted(SLOW, name),
            errors=snapshot.counted(ERRORS, name),
            since_start=counted.get(name),
        )
        for item in asked
    ]
    return tuple(sorted(found, key=lambda item: -item.total_seconds))


def _total(series: SeriesSnapshot) -> float:
    return (series.mean or 0.0) * series.count
