"""Partitions: the history's tables, one for each grain and some days; made ahead and dropped when they are old.

Owns their names and bounds. A drop frees the disk at once, where deleting the rows would leave it to VACUUM.
"""

from __future__ import annotations

from collections.abc import Iterable

from core.monitor.history.grains import DAY_SECONDS, GRAINS, Grain, StoredSlot
from core.ports import Rows

MAKING_LOCK = 0x6D657472  # Any fixed number: processes that start together take turns.

Partition = tuple[int, int]  # A grain's seconds, and the second in which the partition begins.


class Partitions:
    """Of one store; remembers which are there."""

    def __init__(self, store: Rows) -> None:
        self._store = store
        self._known: set[Partition] = set()

    async def ensure(self, rows: Iterable[StoredSlot]) -> None:
        """Make those that these rows need, and the ones after; raises DependencyError, SchemaError or QueryError."""
        grains = {grain.seconds: grain for grain in GRAINS}
        needed = {_partition(grains[row.grain_seconds], row.second) for row in rows}
        needed |= {(seconds, begin + grains[seconds].partition_seconds) for seconds, begin in needed}
        missing = sorted(needed - self._known)
        if missing:
            statements = "".join(_make(seconds, begin, begin + grains[seconds].partition_seconds) for seconds, begin in missing)
            await self._store.execute(f"SELECT pg_advisory_xact_lock({MAKING_LOCK}); {statements}")
            self._known.update(missing)

    def forget(self) -> None:
        """Look again which are there."""
        self._known.clear()

    async def drop_old(self, now: float) -> int:
        """Drop those that hold nothing that is to be kept; returns how many."""
        ends = {grain.seconds: grain.partition_seconds + grain.kept_days * DAY_SECONDS for grain in GRAINS}
        found = await self._store.fetch_all("history_partitions")
        old = [(row["grain_seconds"], row["second"]) for row in found if row["second"] + ends[row["grain_seconds"]] <= now]
        for partition in old:
            await self._store.execute(f"DROP TABLE IF EXISTS {_name(*partition)}")
            self._known.discard(partition)
        return len(old)


def _partition(grain: Grain, second: int) -> Partition:
    return grain.seconds, second - second % grain.partition_seconds


def _name(grain_seconds: int, begin: int) -> str:
    return f"console.metric_slots_{grain_seconds:d}_{begin:d}"


def _make(grain_seconds: int, begin: int, end: int) -> str:
    return (
        f"CREATE TABLE IF NOT EXISTS {_name(grain_seconds, begin)}"
        f" PARTITION OF console.metric_slots_{grain_seconds:d} FOR VALUES FROM ({begin:d}) TO ({end:d});"
    )
