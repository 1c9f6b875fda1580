"""Index progress: how far a build is, out of one row of `pg_stat_progress_create_index`.

The view counts blocks in the scans, tuples in the loading and nothing while it sorts, each from zero; so each phase has a share
of the whole, as measured with a b-tree of 5 million rows on PostgreSQL 18 (docs/decisions/0013-indexes.md).
"""

from __future__ import annotations

from typing import Any

TOTAL = 1_000  # Progress is told in thousandths of the build.
SHARE = "thousandths of "
# phase -> first and last thousandth, what it counts
PHASES: dict[str, tuple[int, int, str]] = {
    "initializing": (0, 0, ""),
    "waiting for writers before build": (0, 5, "lockers"),
    "building index": (5, 750, "blocks"),
    "building index: initializing": (5, 5, ""),
    "building index: scanning table": (5, 150, "blocks"),
    "building index: sorting live tuples": (150, 150, ""),
    "building index: sorting dead tuples": (540, 540, ""),
    "building index: loading tuples in tree": (550, 750, "tuples"),
    "waiting for writers before validation": (750, 755, "lockers"),
    "index validation: scanning index": (755, 820, "blocks"),
    "index validation: sorting tuples": (820, 820, ""),
    "index validation: scanning table": (930, 990, "blocks"),
    "waiting for old snapshots": (990, 999, "lockers"),
}


def share_of(what: str) -> str:
    """What a progress tells a share of, to be shown in percent; empty where it counts things."""
    return what.removeprefix(SHARE) if what.startswith(SHARE) else ""


def thousandths(row: Any) -> int:
    """How much of the build is done, 0 to 999."""
    first, last, counted = PHASES.get(row["phase"], (0, 0, ""))
    if not counted:
        return first
    total, done = row[f"{counted}_total"] or 0, row[f"{counted}_done"] or 0
    return first + int((last - first) * min(1.0, done / total)) if total else first
