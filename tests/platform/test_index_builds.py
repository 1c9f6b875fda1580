"""Builds that run: their steps and the time left; and the first line of the index page."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.database.indexes.catalog import SetIndex
from core.database.indexes.shipped import IndexSet
from core.database.indexes.state import IndexState, State
from core.platform.index_builds import IndexBuild, load_builds
from core.platform.index_verdict import judge_indexes
from core.platform.panel import Panel
from tests.database.indexes.conftest import NAME, connect, old_snapshot, until_waiting

__all__ = ["connect", "old_snapshot"]

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SORTING = IndexBuild(
    index=NAME, table="leads", pid=1, application="psql", user="bob", started_at=START,
    phase="building index: sorting live tuples", done=150, until=540,
)  # fmt: skip


def test_time_left_is_a_range_where_a_phase_counts_nothing() -> None:
    """After 54 s of a sort that ends at 54 %, 46 s are left at least; at its begin it could be much more."""
    assert SORTING.seconds_left(START + timedelta(seconds=54)) == pytest.approx((46.0, 306.0))
    counting = replace(SORTING, phase="building index: loading tuples in tree", done=600, until=600)
    assert counting.seconds_left(START + timedelta(seconds=60)) == pytest.approx((40.0, 40.0))


def test_no_time_is_promised_to_who_waits() -> None:
    """Nor at the very start, nor for a build whose start is not known."""
    later = START + timedelta(seconds=10)
    assert replace(SORTING, waits_for=("pid 7",)).seconds_left(later) is None
    assert replace(SORTING, phase="waiting for old snapshots", done=990, until=990).seconds_left(later) is None
    assert replace(SORTING, done=5, until=5).seconds_left(later) is None
    assert replace(SORTING, started_at=None).seconds_left(later) is None


def test_steps() -> None:
    """Done, now and next, in order; a kind of index that tells no steps of its own has three at once."""
    assert [state for _, state in SORTING.steps] == ["done", "done", "now", "next", "next", "next", "next"]
    gin = replace(SORTING, phase="building index")
    assert [state for _, state in gin.steps] == ["done", "now", "now", "now", "next", "next", "next"]


async def test_a_build_names_whom_it_waits_for(services, connect, old_snapshot, platform_connection) -> None:
    """By process id and application name, as PostgreSQL has them."""
    await services.setup.finished.wait()
    alone = await connect()
    task = asyncio.ensure_future(alone.execute(IndexSet()[NAME].create_statement))
    pid = await until_waiting(platform_connection)

    (build,) = await load_builds(services.database)
    assert (build.index, build.table, build.pid) == (NAME, "leads", pid)
    assert "nightly report" in build.waits_for[0]
    assert dict(build.steps)["Wait for old snapshots"] == "now"
    await old_snapshot.execute("ROLLBACK")
    await task
    assert await load_builds(services.database) == ()


@pytest.mark.parametrize(
    ("states", "tone", "words"),
    [
        (("absent", "absent"), "missing", "None of the 2 indexes"),
        (("valid", "absent"), "missing", "1 of the 2 indexes"),
        (("valid", "invalid"), "broken", "is broken: it serves no query"),
        (("invalid", "invalid"), "broken", "2 indexes are broken"),
        (("valid", "different"), "broken", "is not the index that is meant"),
        (("valid", "valid"), "fine", "All 2 indexes of the set are built and valid"),
    ],
)
def test_the_worst_finding_is_the_first_line(states: tuple[State, ...], tone: str, words: str) -> None:
    """A broken index counts more than one that is missing."""
    verdict = judge_indexes(Panel(_set(states)), ())
    assert verdict.tone == tone
    assert words in verdict.sentence


def test_what_runs_and_what_is_unknown_comes_first() -> None:
    """A build that runs, then a record that disagrees; and a state that is only remembered is no state."""
    assert judge_indexes(Panel(_set(("invalid",))), (SORTING,)).sentence == f"Being built now: {NAME}"
    unrecorded = tuple(replace(one, stamped=False) for one in _set(("valid", "valid")))
    assert "2 not on record" in judge_indexes(Panel(unrecorded), ()).sentence
    stale = judge_indexes(Panel(_set(("valid",)), 9.0, "PostgreSQL does not answer.", "Wait."), (SORTING,))
    assert (stale.tone, stale.next_step) == ("unknown", "Wait.")


def _set(states: tuple[State, ...]) -> tuple[SetIndex, ...]:
    return tuple(
        SetIndex(
            notes=notes, state=IndexState(state=state), stamped=state == "valid", size_bytes=None, scans=None,
            last_scan_at=None, same_as=(),
        )
        for notes, state in zip(IndexSet(), states, strict=False)
    )  # fmt: skip
