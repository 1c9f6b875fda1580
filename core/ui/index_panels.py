"""The upper half of the index page: its first line, the numbers, what is built or dropped now, and the last run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import streamlit as st

from core.database.indexes.catalog import SetIndex
from core.database.indexes.progress import TOTAL
from core.operations import Operation
from core.platform.index_builds import IndexBuild
from core.platform.index_overview import IndexView, IndexWork
from core.platform.units import duration, size
from core.ui.index_actions import follow
from core.ui.operation_panels import STATES, running_operation
from core.ui.text import plain
from core.ui.verdict import clock, span

Colour = Literal["green", "blue", "red", "orange", "gray"]
TONES = {
    "fine": ("green", "check_circle"),
    "busy": ("blue", "sync"),
    "missing": ("orange", "add_circle"),
    "broken": ("red", "error"),
    "unknown": ("orange", "help"),
}
STEP_LOOK: dict[str, tuple[Colour, str]] = {"done": ("green", "check"), "now": ("blue", "sync"), "next": ("gray", "schedule")}
NUMBER_HELP = {
    "Built": "Of the set of indexes that ships with the platform",
    "Broken": "Left by builds that failed, on all tables: they serve no query and cost at every write",
    "Indexes on the tables": "All indexes of the platform's tables, those of constraints included",
    "Never used": "Since the statistics were last reset, those of constraints left out; a replica counts its own",
}
CANCELLING = (
    "Cancel ends it within a second and drops the unfinished index; indexes that are done stay. Should this console end,"
    " PostgreSQL builds on, and the next console follows it."
)


def draw_headline(view: IndexView) -> None:
    """The first line, and what to do."""
    colour, icon = TONES[view.verdict.tone]
    st.title(f":{colour}[:material/{icon}:] {plain(view.verdict.sentence)}", anchor=False)
    if view.verdict.next_step:
        stale = f" What is shown is {view.set.age_seconds:.0f} s old." if view.set.error and view.set.value else ""
        st.markdown(f"**Next:** {plain(view.verdict.next_step)}{stale}")


def draw_numbers(view: IndexView) -> None:
    """How much of the set is there, what is broken, what all indexes take, and what no query has used."""
    if view.set.value is None:
        return
    found, built = view.found.value or (), [one for one in view.set.value if one.state.state == "valid"]
    broken = [one for one in found if not one.valid and not one.building and not one.partitioned]
    unused = [one for one in found if one.valid and not one.scans and not one.of_constraint]
    numbers = (
        ("Built", f"{len(built)} of {len(view.set.value)}", size(sum(one.size_bytes or 0 for one in built))),
        ("Broken", f"{len(broken)}", size(sum(one.size_bytes for one in broken)) if broken else "none left by a failed build"),
        ("Indexes on the tables", f"{len(found)}", size(sum(one.size_bytes for one in found))),
        ("Never used", f"{len(unused)}", size(sum(one.size_bytes for one in unused))),
    )
    with st.grid(4, min_column_width=160):
        for label, value, note in numbers:
            st.metric(
                label, value, note, delta_color="off", delta_arrow="off", border=True, height="stretch", help=NUMBER_HELP[label]
            )


def draw_work(view: IndexView) -> None:
    """What is built or dropped now, by whichever console, and builds that somebody else runs."""
    for item in view.work:
        with running_operation(item.operation, view.loaded_at, _told(item, view.loaded_at)):
            if item.build is not None:
                _steps(item.build)
            st.caption(CANCELLING)
    for build in view.others:
        _foreign(build, view)
    for operation in view.proofs:
        running_operation(operation, view.loaded_at)


def _told(item: IndexWork, now: datetime) -> str:
    """How far, in words of the build where there is one."""
    count = f" ({item.number} of {item.count})" if item.count > 1 else ""
    if item.build is None:
        return f"{plain(item.index)}{count}: {plain(item.says or 'starting')}"
    return f"{plain(item.index)}{count}: {_far(item.build, now)}"


def _far(build: IndexBuild, now: datetime) -> str:
    """Phase, percent and time left."""
    percent = f"{build.done // 10} %" if build.until == build.done else f"{build.done // 10} to {build.until // 10} %"
    parts = [plain(build.phase), percent]
    if (left := build.seconds_left(now)) is not None:
        parts.append(_left(*left))
    return " · ".join(parts)


def _left(least_seconds: float, most_seconds: float) -> str:
    least, most = span(timedelta(seconds=least_seconds)), span(timedelta(seconds=most_seconds))
    if most_seconds < 1:
        return "less than a second left"
    return f"about {most} left" if least == most else f"{least} to {most} left"


def _steps(build: IndexBuild) -> None:
    """The steps of a concurrent build, and who keeps it waiting."""
    with st.container(horizontal=True, gap="small"):
        for title, state in build.steps:
            colour, icon = STEP_LOOK[state]
            st.badge(title, color=colour, icon=f":material/{icon}:", width="content")
    if build.waits_for:
        who = "; ".join(plain(name) for name in build.waits_for)
        st.warning(f"It waits for {who}. Reads and writes of the table go on meanwhile.", icon=":material/hourglass:")


def _foreign(build: IndexBuild, view: IndexView) -> None:
    """A build that no operation of a console runs."""
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"**{plain(build.index)}** is built by another process", width="content")
            if any(one.notes.name == build.index for one in view.set.value or ()):
                follow(build)
        st.progress(build.done / TOTAL, text=_far(build, view.loaded_at))
        _steps(build)
        since = f" since {clock(build.started_at, view.loaded_at)}" if build.started_at else ""
        st.caption(f"pid {build.pid} · {plain(build.application)} · {plain(build.user)}{since}")


def draw_last(view: IndexView) -> None:
    """What the newest run that is over came to, while none runs."""
    operation, now = view.last.value, view.loaded_at
    if view.work:
        return
    if view.last.error:
        st.warning(
            f"The last run is not known: {plain(view.last.error)} {plain(view.last.next_step)}", icon=":material/cloud_off:"
        )
    if operation is None:
        return
    colour, icon = STATES[operation.state]
    ended = clock(operation.finished_at or operation.updated_at, now)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Last run:** {plain(operation.title)}", width="content")
        st.badge(f"{operation.state} {ended}", color=colour, icon=f":material/{icon}:", width="content")
        st.caption(f"by {plain(operation.operator)}", width="content")
        st.page_link(
            "pages/activity.py", label="All about it", icon=":material/history:", query_params={"id": str(operation.id)}
        )
    if operation.error:
        st.error(f"{plain(operation.error)}\n\n**Next:** {plain(operation.next_step)}", icon=":material/error:")
    for line in _came_to(operation, view.set.value or ()):
        st.caption(line)


def _came_to(operation: Operation, found: Sequence[SetIndex]) -> list[str]:
    """What was done to each index; of a run that did not get done, what there is of each now."""
    if operation.state == "done":
        return [_outcome(one) for one in (operation.result or {}).get("indexes", ())]
    names = operation.parameters.get("indexes", ())
    return [f"{plain(one.notes.name)} is now {one.state.state}." for one in found if one.notes.name in names]


def _outcome(one: Mapping[str, Any]) -> str:
    took = f" in {duration(one['seconds'])}" if one["action"] in ("built", "dropped") else ""
    held = f", {size(one['size_bytes'])}" if one["size_bytes"] else ""
    return plain(f"{one['index']}: {one['action']}{took}{held}. {one['record']}".strip())
