"""The panels of operations: one that runs, with its cancel; the history; everything about one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.database.indexes.progress import share_of
from core.operations import Operation
from core.platform.activity import History, Running
from core.platform.panel import Panel
from core.ui.session import attempt, guard, operator, run, services
from core.ui.text import plain
from core.ui.verdict import clock, local, span

Colour = Literal["blue", "green", "red", "gray", "orange"]
STATES: dict[str, tuple[Colour, str]] = {
    "running": ("blue", "sync"),
    "done": ("green", "check_circle"),
    "failed": ("red", "error"),
    "cancelled": ("gray", "cancel"),
    "interrupted": ("orange", "warning"),
}
SILENT_AFTER_SECONDS = 5.0
MESSAGE = "operation_message"
_WATCHED = "operations_watched"


def draw_activity(panel: Panel[Running], now: datetime) -> None:
    """The first line: what runs now, or what the last one came to."""
    colour, icon, words = _activity(panel, now)
    st.title(f":{colour}[:material/{icon}:] {words}", anchor=False)
    if panel.error:
        stale = f" What is shown is {panel.age_seconds:.0f} s old." if panel.value else ""
        st.markdown(f"**Next:** {panel.next_step}{stale}")


def _activity(panel: Panel[Running], now: datetime) -> tuple[Colour, str, str]:
    if panel.error or panel.value is None:
        return "orange", "help", f"Cannot tell: {plain(panel.error.rstrip('.'))}"
    running, newest = panel.value.operations, panel.value.newest
    if running:
        what = plain(running[0].title) if len(running) == 1 else f"{len(running)} operations"
        return "blue", "sync", f"Running now: {what}"
    if newest is None:
        return "green", "check_circle", "Nothing runs, and nothing was run yet"
    colour, icon = STATES[newest.state]
    ended = span(now - (newest.finished_at or newest.updated_at))
    return colour, icon, f"Nothing runs; the last one was {newest.state} {ended} ago: {plain(newest.title)}"


def running_operation(operation: Operation, now: datetime, told: str = "") -> DeltaGenerator:
    """One that runs: how far, how fast, how long still, whose it is, and its end on request; returns its box.

    `told` takes the place of how far, how fast and how long, where the caller knows it better.
    """
    box = st.container(border=True, gap="small")
    with box:
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"**{plain(operation.title)}**", width="content")
            with st.container(horizontal=True, horizontal_alignment="right", width="content"):
                _hold(operation)
                _cancel(operation, now)
        text = told or " · ".join(part for part in (_progress(operation), _pace(operation)) if part)
        if operation.total > 0:
            st.progress(min(1.0, max(0.0, operation.done / operation.total)), text=text)
        else:
            st.markdown(f":small[{text}]")
        st.caption(_origin(operation, now))
    return box


def _progress(operation: Operation) -> str:
    if operation.total > 0:
        percent = min(100, 100 * operation.done // operation.total)
        if share := share_of(operation.what):
            return f"{plain(share)}: {percent} %"
        return f"{_what(operation)}: {operation.done:,} of {operation.total:,} ({percent} %)"
    return f"{_what(operation)}: {operation.done:,}" if operation.what else "no progress was reported"


def _what(operation: Operation) -> str:
    return plain(operation.what.replace("_", " "))


def _pace(operation: Operation) -> str:
    rate = "" if operation.rate_per_second is None or share_of(operation.what) else f"{_rate(operation.rate_per_second)}/s"
    left = "" if operation.eta_seconds is None else f"{span(timedelta(seconds=operation.eta_seconds))} left"
    return " · ".join(part for part in (rate, left) if part)


def _rate(per_second: float) -> str:
    return f"{per_second:,.0f}" if per_second >= 10 or not per_second else f"{per_second:,.2g}"


def _origin(operation: Operation, now: datetime) -> str:
    silent = (now - operation.updated_at).total_seconds()
    parts = (
        f":orange[paused by {plain(operation.paused_by)}]" if operation.paused_by else "",
        f"{plain(operation.kind)} {operation.id}",
        f"started by {plain(operation.operator)} at {clock(operation.started_at, now)}",
        f"process {operation.pid} on {plain(operation.host)}",
        f":orange[its process last wrote {silent:.0f} s ago]" if operation.running and silent > SILENT_AFTER_SECONDS else "",
    )
    return " · ".join(part for part in parts if part)


def _hold(operation: Operation) -> None:
    """Pause or resume, where the work can be held."""
    if not operation.pausable or operation.cancelled_by:
        return
    verb, icon = ("resume", "play_arrow") if operation.paused_by else ("pause", "pause")
    st.button(
        verb.capitalize(),
        icon=f":material/{icon}:",
        key=f"{verb}-{operation.id}",
        on_click=hold_operation,
        args=(operation.id, not operation.paused_by),
        help=f"python -m core operations {verb} {operation.id}",
    )


def hold_operation(operation_id: int, paused: bool) -> None:
    """The callback of pause and resume: checks the role again and keeps what went wrong for `draw_message`."""
    guard("operator")
    operations = services().operations
    work = operations.pause(operation_id, operator()) if paused else operations.resume(operation_id)
    st.session_state[MESSAGE] = attempt(work)


def _cancel(operation: Operation, now: datetime) -> None:
    if operation.cancelled_by:
        st.badge(
            f"ending, asked by {plain(operation.cancelled_by)}", color="orange", icon=":material/hourglass:", width="content"
        )
        return
    with st.popover("Cancel", icon=":material/stop:", key=f"cancel-{operation.id}"):
        st.markdown(f"**{plain(operation.title)}**")
        started = f"Started by {plain(operation.operator)} {span(now - operation.started_at)} ago."
        kept = "What is done stays, and it goes on there when it is started again." if operation.resumable else ""
        st.markdown(f"{started} {kept or 'What it has not finished is lost.'}")
        st.code(f"python -m core operations cancel {operation.id}", language="bash", wrap_lines=True)
        key = f"cancel-now-{operation.id}"
        st.button("Cancel this operation", key=key, type="primary", on_click=cancel_operation, args=(operation.id,))


def cancel_operation(operation_id: int) -> None:
    """The callback of every cancel button: checks the role again and keeps what went wrong for `draw_message`."""
    guard("operator")
    st.session_state[MESSAGE] = attempt(services().operations.cancel(operation_id, operator()))


def running_of(kind: str) -> tuple[Operation, ...]:
    """The operations of one kind that run now, in any process."""
    found = run(services().activity.running()).value
    return tuple(item for item in found.operations if item.kind == kind) if found else ()


def draw_asking(kind: str, now: datetime, *, polling: bool) -> tuple[Operation, ...]:
    """The operations of a kind that asks Claude in the background, in a fragment; the page is drawn anew at begin and end."""
    operations = running_of(kind)
    if bool(operations) != polling:
        st.rerun()
    draw_message()
    for operation in operations:
        running_operation(operation, now)
    if operations and (held := services().claude_parts.scheduler.stats().hold_seconds_left):
        st.warning(
            f"Background work is held for {span(timedelta(seconds=held))} more; it goes on then.", icon=":material/pause:"
        )
    toast_ended(operations)
    return operations


def draw_ended(operation: Operation, now: datetime, title: str) -> None:
    """An operation that is over: its title, when it ended and how, and what to do where it failed."""
    colour, icon = STATES[operation.state]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(title, width="content")
        ago = span(now - (operation.finished_at or operation.updated_at))
        st.badge(f"{operation.state} {ago} ago", color=colour, icon=f":material/{icon}:", width="content")
        st.page_link(
            "pages/activity.py", label="All about it", icon=":material/history:", query_params={"id": str(operation.id)}
        )
    if operation.error:
        st.error(f"{plain(operation.error)}\n\n**Next:** {plain(operation.next_step)}", icon=":material/error:")


def draw_message() -> None:
    """What the last action came to, when it went wrong."""
    if message := st.session_state.get(MESSAGE):
        st.error(message, icon=":material/error:")


def toast_ended(running: Sequence[Operation]) -> None:
    """Say once in this session that an operation which it saw running is over."""
    seen: dict[int, str] = st.session_state.get(_WATCHED, {})
    st.session_state[_WATCHED] = {operation.id: operation.title for operation in running}
    for number in seen.keys() - st.session_state[_WATCHED].keys():
        operation = run(services().activity.operation(number)).value
        if operation is not None and not operation.running:
            colour, icon = STATES[operation.state]
            text = f"{plain(operation.title)}: :{colour}[{operation.state}] {plain(operation.error)}"
            st.toast(text, icon=f":material/{icon}:", duration="long")


def history_rows(history: History) -> list[dict[str, Any]]:
    """The rows of the table of operations."""
    return [
        {
            "No.": operation.id,
            "State": [operation.state],
            "Operation": operation.title,
            "Kind": operation.kind,
            "Operator": operation.operator,
            "Started": local(operation.started_at).replace(tzinfo=None),
            "Took, s": None if operation.running else round(operation.duration_seconds, 1),
            "Outcome": operation.error or _brief(operation),
        }
        for operation in history.operations
    ]


HISTORY_COLUMNS: dict[str, Any] = {
    "No.": st.column_config.NumberColumn(format="%d", width=55),
    "State": st.column_config.MultiselectColumn(
        options=list(STATES), color=[colour for colour, _ in STATES.values()], width=95
    ),
    "Operation": st.column_config.TextColumn(width="medium"),
    "Kind": st.column_config.TextColumn(width=80),
    "Operator": st.column_config.TextColumn(width=130),
    "Started": st.column_config.DatetimeColumn(format="D MMM HH:mm:ss", width=130),
    "Took, s": st.column_config.NumberColumn(format="%.1f", width=70),
    "Outcome": st.column_config.TextColumn(width="large"),
}


def _brief(operation: Operation) -> str:
    """The result's plain values in one line."""
    values = (operation.result or {}).items()
    shown = [f"{key} {value:,}" if isinstance(value, int) else f"{key} {value}" for key, value in values if not _nested(value)]
    return ", ".join(shown)[:200]


def _nested(value: object) -> bool:
    return isinstance(value, dict | list)


def operation_details(panel: Panel[Operation], now: datetime) -> None:
    """Everything about one: whose, when, what it came to, its parameters, and what it ran, to copy."""
    operation = panel.value
    if operation is None:
        st.warning(f"{panel.error} {panel.next_step}", icon=":material/search_off:")
        return
    colour, icon = STATES[operation.state]
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(operation.title)}**", width="content")
            st.badge(operation.state, color=colour, icon=f":material/{icon}:", width="content")
        st.caption(f"{_origin(operation, now)} · {_ending(operation, now)}")
        if operation.error:
            advice = f"\n\n**Next:** {plain(operation.next_step)}" if operation.next_step else ""
            st.error(f"{plain(operation.error)}{advice}", icon=f":material/{icon}:")
        elif operation.next_step:
            st.info(f"**Next:** {plain(operation.next_step)}", icon=":material/arrow_forward:")
        _given_and_got(operation)
        st.markdown("What it runs" if operation.running else "What it ran")
        lines = "\n".join(operation.commands) or "Nothing was noted."
        st.code(lines, language=None, wrap_lines=True)


def _ending(operation: Operation, now: datetime) -> str:
    took = f"{operation.duration_seconds:,.1f} s"
    if operation.running:
        return f"runs for {span(now - operation.started_at)}"
    by = f" by {plain(operation.cancelled_by)}" if operation.state == "cancelled" and operation.cancelled_by else ""
    ended = operation.finished_at or operation.updated_at
    return f"{operation.state}{by} at {clock(ended, now)} after {took}; last: {_progress(operation)}"


def _given_and_got(operation: Operation) -> None:
    given, got = st.columns(2)
    for column, title, values in ((given, "Parameters", operation.parameters), (got, "Result", operation.result)):
        with column:
            st.markdown(title)
            if values:
                st.json(dict(values), expanded=1)
            else:
                st.caption("None.")
