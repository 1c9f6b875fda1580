"""Index builds: those that run now, whoever runs them, with their steps, who keeps each waiting, and the time left.

Owns the words for PostgreSQL's phases. Everything is read from `pg_stat_progress_create_index`, so that a page which was loaded
again, or a console that was started again, sees the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from core.database.indexes.progress import PHASES, TOTAL, thousandths
from core.database.indexes.waits import way_out, who
from core.database.pool import Database

StepState = Literal["done", "now", "next"]
STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Wait for writers", ("initializing", "waiting for writers before build")),
    ("Read the table", ("building index", "building index: initializing", "building index: scanning table")),
    ("Sort", ("building index", "building index: sorting live tuples", "building index: sorting dead tuples")),
    ("Write the index", ("building index", "building index: loading tuples in tree")),
    ("Wait for writers again", ("waiting for writers before validation",)),
    ("Validate", tuple(phase for phase in PHASES if phase.startswith("index validation"))),
    ("Wait for old snapshots", ("waiting for old snapshots",)),
)
ETA_FROM = 20  # Thousandths: before, the time taken says too little.


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexBuild:
    """One build: `done` in thousandths, `until` where its phase ends; `waits_for`: who keeps it waiting, and what ends that."""

    index: str
    table: str
    pid: int
    application: str
    user: str
    started_at: datetime | None
    phase: str
    done: int
    until: int
    waits_for: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[tuple[str, StepState], ...]:
        """Each step of a concurrent build and how it stands; kinds other than b-trees tell reading, sorting, writing as one."""
        current = [number for number, (_, phases) in enumerate(STEPS) if self.phase in phases] or [0]
        states: list[StepState] = ["done" if n < current[0] else "now" if n in current else "next" for n in range(len(STEPS))]
        return tuple((title, state) for (title, _), state in zip(STEPS, states, strict=True))

    def seconds_left(self, now: datetime) -> tuple[float, float] | None:
        """The least and the most seconds left, going by the time taken so far; None too early, and while it waits.

        A phase that counts nothing, such as sorting, is somewhere between its begin and its end: hence two numbers.
        """
        if self.started_at is None or self.waits_for or self.phase.startswith("waiting") or self.done < ETA_FROM:
            return None
        taken = max(0.0, (now - self.started_at).total_seconds())
        return taken * (TOTAL - self.until) / self.until, taken * (TOTAL - self.done) / self.done


async def load_builds(database: Database) -> tuple[IndexBuild, ...]:
    """The builds of this database now; raises DependencyError, QueryError."""
    rows = await database.fetch_all("index_builds")
    pids = sorted({pid for row in rows for pid in row["blocked_by"] or ()})
    waits = await database.fetch_all("index_waits", pids) if pids else []
    names = {row["pid"]: f"{who(row)}. {way_out(row)}" for row in waits}
    return tuple(_build(row, names) for row in rows if row["index_name"])


def _build(row: Any, names: Mapping[int, str]) -> IndexBuild:
    done = thousandths(row)
    return IndexBuild(
        index=row["index_name"],
        table=row["table_name"] or "",
        pid=row["pid"],
        application=row["application_name"] or "no name",
        user=row["user_name"] or "",
        started_at=row["started_at"],
        phase=row["phase"],
        done=done,
        until=_until(row["phase"], done),
        waits_for=tuple(names[pid] for pid in row["blocked_by"] or () if pid in names),
    )


def _until(phase: str, done: int) -> int:
    """Where a phase that counts nothing ends; `done` for one that counts."""
    _, _, counted = PHASES.get(phase, (0, 0, ""))
    later = [first for first, _, _ in PHASES.values() if first > done]
    return done if counted or not later else min(later)


def build_of(index: str, builds: Sequence[IndexBuild]) -> IndexBuild | None:
    """The build of this index, if one runs."""
    return next((build for build in builds if build.index == index), None)
