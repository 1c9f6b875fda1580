"""IndexCost: what an index will take, out of statistics alone: bytes, write-ahead log, sort space, time, and heap-only updates.

The sizes of b-trees came out at 0.84 to 1.0 of the truth for twelve of fifteen, and above it for repeated keys, which are
stored once. The rates are those of two shared cores (docs/decisions/0013-indexes.md): another machine has others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.database.indexes.clone import Trial

ENTRY_BYTES, FILL = 12, 0.9  # A b-tree entry's header and its pointer; leaf pages are filled to 90 %.
WAL_SHARE = {"gin": 0.54}
WAL_SHARE_ELSE = 0.9
SORT_SHARE = 1.13  # Sorting on disk took 281 MB for an index of 248 MB.
READ_BYTES_PER_SECOND = 500e6
ENTRIES_PER_SECOND = {"gin": 28_000.0}
ENTRIES_PER_SECOND_ELSE = 1_500_000.0
CONCURRENT_FACTOR = 1.3  # The table is read a second time.
GIN_SHARE, BRIN_SHARE = 0.35, 0.0002  # Of the columns' bytes; of the table's.
EXPRESSION_BYTES = 32.0


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexCost:
    """The estimate; None: nothing is known of this kind of index, or of a table that was never analysed."""

    rows: int
    entries: int
    table_bytes: int
    size_bytes: int | None
    wal_bytes: int | None
    sort_bytes: int
    seconds: float | None
    hot_share: float | None
    hot_lost: tuple[str, ...]
    memory: str

    @property
    def disk_bytes(self) -> int | None:
        """All that is written: the index, its log, and the sort's files."""
        return None if self.size_bytes is None else self.size_bytes + (self.wal_bytes or 0) + self.sort_bytes


def estimate(table: Any, widths: Sequence[Any], trial: Trial, entries: float) -> IndexCost:
    """The cost of the index that was tried, from a row of `index_table`, rows of `index_widths`, and the rows it will hold."""
    size_bytes = _size(table, widths, trial, entries)
    updates, hot = table["updates"], table["hot_updates"]
    sorts_on_disk = trial.method == "btree" and (size_bytes or 0) > table["memory_bytes"]
    rate = ENTRIES_PER_SECOND.get(trial.method, ENTRIES_PER_SECOND_ELSE)
    seconds = (table["table_bytes"] / READ_BYTES_PER_SECOND + entries / rate) * CONCURRENT_FACTOR
    return IndexCost(
        rows=int(table["rows"]),
        entries=int(entries),
        table_bytes=table["table_bytes"],
        size_bytes=size_bytes,
        wal_bytes=None if size_bytes is None else int(size_bytes * WAL_SHARE.get(trial.method, WAL_SHARE_ELSE)),
        sort_bytes=int((size_bytes or 0) * SORT_SHARE) if sorts_on_disk else 0,
        seconds=None if table["never_analysed"] else seconds,
        hot_share=hot / updates if updates else None,
        hot_lost=() if trial.method == "brin" else tuple(sorted(set(trial.columns) - set(table["indexed_columns"]))),
        memory=table["memory"],
    )


def _size(table: Any, widths: Sequence[Any], trial: Trial, entries: float) -> int | None:
    if table["never_analysed"]:
        return None
    known = {row["column_name"]: row["width"] for row in widths}
    if trial.method == "gin":
        return int(entries * sum(known.values()) * GIN_SHARE)
    if trial.method == "brin":
        return max(24 * 1024, int(table["table_bytes"] * BRIN_SHARE))
    if trial.method != "btree" or trial.shape is None:
        return None
    columns = [part.split(" ", 1)[0].strip('"') for part in trial.shape.parts]
    key_bytes = sum(known.get(column, EXPRESSION_BYTES) for column in columns)
    return int(entries * (ENTRY_BYTES + 8 * -(-key_bytes // 8)) / FILL)
