"""Timeline: every mark of the last two weeks in memory: those of the store as last read, those that wait, and incidents.

Owns what is read anew and what is let go. Refuses to do I/O; bound to one loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from core.monitor.alerts.incident import Incident
from core.monitor.alerts.judge import CRITICAL
from core.monitor.marks.mark import PAST_MOST_SECONDS, Mark
from core.monitor.marks.records import MARKS_MOST, MarkRecords, Operations


class Timeline:
    """What is known, and since which id of each table."""

    def __init__(self) -> None:
        self._kept: dict[int, Mark] = {}
        self._operations: dict[int, Mark] = {}
        self._running: frozenset[int] = frozenset()
        self._last_mark = self._last_operation = 0

    async def read(self, records: MarkRecords, now: float) -> None:
        """What the store has had since the last time; raises what the records raise, and has then changed nothing."""
        since = now - PAST_MOST_SECONDS
        kept = await records.kept(since, self._last_mark)
        operations = await records.operations(since, self._last_operation, self._running)
        self._take(kept, operations)
        self._forget(since)

    def marks(self, waiting: Iterable[Mark], incidents: Iterable[Incident]) -> tuple[Mark, ...]:
        """All of them, oldest first."""
        alerts = (_alert(incident) for incident in incidents)
        found = [*self._kept.values(), *self._operations.values(), *waiting, *alerts]
        return tuple(sorted(found, key=lambda mark: (mark.at, mark.key)))

    def put(self, mark: Mark) -> None:
        """A mark that this process has just stored."""
        self._kept[int(mark.key.rpartition(":")[2])] = mark

    def _take(self, kept: Mapping[int, Mark], operations: Operations) -> None:
        self._kept |= kept
        for gone in self._running - operations.marks.keys():  # Asked for by name, and no row is there any more.
            self._operations.pop(gone, None)
        self._operations |= operations.marks
        self._running = operations.running
        self._last_mark = max(self._last_mark, max(kept, default=0))
        self._last_operation = max(self._last_operation, max(operations.marks, default=0))

    def _forget(self, since: float) -> None:
        for known in (self._kept, self._operations):
            for number in [number for number, mark in known.items() if mark.last < since]:
                del known[number]
        for number in sorted(self._kept)[: max(0, len(self._kept) - MARKS_MOST)]:
            del self._kept[number]
        self._running &= self._operations.keys()


def _alert(incident: Incident) -> Mark:
    """A span in seconds of the wall clock, as the incident is given."""
    return Mark(
        key=f"incident:{incident.key}",
        kind="alert",
        text=incident.title,
        at=incident.opened_at,
        end=incident.resolved_at,
        running=incident.open,
        level="critical" if incident.level >= CRITICAL else "warning",
        link=f"/alerts?incident={incident.key}",
    )
