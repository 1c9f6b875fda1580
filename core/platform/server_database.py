"""DatabaseWindow: what all programs asked of PostgreSQL in the last five minutes, and how many are connected."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from core.database.server_counts import NONE, Count, ServerCounter, ServerCounts
from core.database.server_statements import Key
from core.errors import CoreError
from core.platform.server_figure import NEARLY_SECONDS, Differences, ServerFigure, none
from core.platform.units import duration

STATEMENTS, CONNECTIONS = "database_p95", "database_pool"  # The rules that they stand beside.
MEAN = ServerFigure(statistic="mean", unit="seconds")
CONNECTED = ServerFigure(statistic="now", unit="share", note="Not looked at yet.")
TEXT_CHARACTERS = 120
TEXT_SECONDS = 0.5  # All texts lie in one file of the server, which may be large; the figure needs none of them.
REASONS = {
    "not_installed": "pg_stat_statements is not installed in this database.",
    "not_loaded": "pg_stat_statements is not loaded.",
    "no_right": "This role may not see what others ask.",
}


class DatabaseWindow:
    """Keeps the last look and the differences before it."""

    def __init__(self, counter: ServerCounter) -> None:
        self._counter = counter
        self._last: tuple[float, ServerCounts] | None = None
        self._differences: Differences[Mapping[Key, Count]] = Differences()
        self._forgotten: Differences[int] = Differences()
        self._anew = ""

    def nothing(self) -> Mapping[str, ServerFigure]:
        """Before the first look."""
        return {STATEMENTS: MEAN, CONNECTIONS: CONNECTED}

    async def look(self, clock: Callable[[], float]) -> Mapping[str, ServerFigure]:
        """Raises DependencyError, SchemaError or QueryError."""
        counts = await self._counter.look()
        self._take(clock(), counts)
        return {STATEMENTS: await self._mean(counts), CONNECTIONS: _connected(counts)}

    def _take(self, now: float, counts: ServerCounts) -> None:
        last, self._last = self._last, (now, counts)
        if last is None:
            return
        then, before = last
        if counts.since == before.since and counts.availability == before.availability:
            self._differences.add(then, now, counts.moved(before))
            self._forgotten.add(then, now, max(0, counts.forgotten - before.forgotten))
            return
        self._differences.clear()
        self._forgotten.clear()
        if counts.availability == "available" == before.availability:
            self._anew = f"Counted anew since {datetime.now(UTC):%H:%M:%S} UTC: {_why(counts, before)}."

    async def _mean(self, counts: ServerCounts) -> ServerFigure:
        if counts.availability != "available":
            return none(MEAN, f"{REASONS[counts.availability]} {counts.next_step}")
        seconds = self._differences.covered_seconds()
        if not seconds:
            return none(MEAN, f"{self._anew} {MEAN.note}".strip())
        sums = _summed(self._differences.moved())
        calls, spent = sum(count[0] for count in sums.values()), sum(count[1] for count in sums.values())
        if not calls:
            return none(MEAN, f"No program asked anything in the last {duration(seconds)}. {self._remarks(seconds)}".strip())
        (_, query_id, _), (_, most) = max(sums.items(), key=lambda item: item[1][1])
        text = await self._text(query_id)
        largest = f"Most of the time, {most / spent:.0%}: {text}" if spent and text else ""
        return ServerFigure(
            text=f"mean {duration(spent / calls)} of {calls:,} statements",
            statistic="mean",
            value=spent / calls,
            unit="seconds",
            samples=calls,
            window_seconds=seconds,
            note=" ".join(part for part in (f"{calls / seconds:,.1f} a second.", largest, self._remarks(seconds)) if part),
        )

    async def _text(self, query_id: int) -> str:
        try:
            async with asyncio.timeout(TEXT_SECONDS):
                return (await self._counter.text(query_id))[:TEXT_CHARACTERS]
        except (CoreError, TimeoutError):  # The figure stands without it.
            return ""

    def _remarks(self, seconds: float) -> str:
        forgotten = sum(self._forgotten.moved())
        lost = "Some are missing: pg_stat_statements.max is too low, so statements were forgotten." if forgotten else ""
        return " ".join(part for part in (self._anew if seconds < NEARLY_SECONDS else "", lost) if part)


def _summed(moved: tuple[Mapping[Key, Count], ...]) -> dict[Key, Count]:
    sums: dict[Key, Count] = {}
    for difference in moved:
        for key, (calls, seconds) in difference.items():
            before = sums.get(key, NONE)
            sums[key] = before[0] + calls, before[1] + seconds
    return sums


def _connected(counts: ServerCounts) -> ServerFigure:
    return ServerFigure(
        text=f"{counts.connections} of {counts.max_connections} connections",
        statistic="now",
        value=counts.connections / counts.max_connections,
        unit="share",
        samples=counts.connections,
        note="Of all programs and databases.",
    )


def _why(counts: ServerCounts, before: ServerCounts) -> str:
    if counts.standby != before.standby:
        return "another server answers"
    if counts.started_at != before.started_at:
        return "PostgreSQL was restarted, or another one answers"
    return "the statistics were reset"
