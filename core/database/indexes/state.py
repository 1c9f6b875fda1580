"""IndexState: what there is of one index, read from `pg_index` and never from a record of what was once done.

Owns the words absent, valid, invalid, building, different, and for each what it means and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from core.database.indexes.notes import IndexNotes
from core.database.indexes.statement import tail

State = Literal["absent", "valid", "invalid", "building", "different"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexState:
    """The state with one sentence and the next step; `comparable`: only the text of the definition differs."""

    state: State
    detail: str = ""
    next_step: str = ""
    droppable: bool = False
    comparable: bool = False
    builder_pid: int | None = None


def state_of(notes: IndexNotes, rows: Sequence[Any], builds: Sequence[Any], meant: str = "") -> IndexState:
    """The state, from rows of `index_list` and `index_builds`; `meant` is how the server itself would write the definition."""
    row = next((row for row in rows if row["index_name"] == notes.name), None)
    build = next((build for build in builds if build["index_name"] == notes.name), None)
    if row is None:
        step = f"Build it: python -m core migrate up {notes.name}"
        return IndexState(state="absent", detail="It is not there.", next_step=step)
    if other := _another(notes, row, meant):
        return other
    if build is not None:
        name = build["application_name"] or "no name"
        return IndexState(
            state="building",
            detail=f"pid {build['pid']} ({name}) builds it since {build['started_at']:%H:%M:%S} UTC.",
            next_step="Wait until that build is over.",
            builder_pid=build["pid"],
        )
    if not row["valid"]:
        return IndexState(
            state="invalid",
            detail="A build ended before it was done and left it: it costs at every write and serves no query.",
            next_step=f"Build it again, which first drops what is left: python -m core migrate up {notes.name}",
            droppable=True,
        )
    return IndexState(state="valid", detail="It is there and valid.", droppable=True)


def _another(notes: IndexNotes, row: Any, meant: str) -> IndexState | None:
    """What is there under the name and is not what is meant; None when it is."""
    found = tail(row["definition"])
    if row["partitioned"]:
        detail = "it is on a partitioned table, where an index that is not valid waits for its partitions."
        return IndexState(state="different", detail=detail, next_step="Build and attach it partition by partition, by hand.")
    if row["of_constraint"]:
        detail = f"a constraint of {row['table_name']} stands on it."
        return IndexState(state="different", detail=detail, next_step="Leave it: its constraint needs it.")
    if row["table_name"] == notes.table and found in (notes.definition, meant):
        return None
    return IndexState(
        state="different",
        detail=f"on {row['table_name']} {found}, where {notes.table} {notes.definition} is meant.",
        next_step=f"Rename yours (ALTER INDEX {notes.name} RENAME TO ...) or drop it, then run this again.",
        comparable=row["table_name"] == notes.table,
    )
