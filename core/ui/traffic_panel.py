"""Make traffic: load on the platform's API from the page, with the line that does the same in a terminal."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from core.errors import CoreError
from core.load import LoadPlan, LoadProgress, LoadReport
from core.load.plan import DURATION_SECONDS, THINK_SECONDS, USERS_MOST
from core.load.report import ERROR_SHARE_MOST
from core.operations import Operation
from core.platform.panel import Panel
from core.platform.traffic import TrafficRun
from core.ui.operation_panels import MESSAGE, STATES, draw_message, running_operation
from core.ui.session import attempt, guard, operator, run, services
from core.ui.text import plain
from core.ui.verdict import clock

# Few enough for the console that is asked to answer its pages meanwhile.
DEFAULT_USERS, DEFAULT_THINK_SECONDS, DEFAULT_DURATION_SECONDS = 200, 5.0, 60
MILLISECONDS = {f"{name}, ms": st.column_config.NumberColumn(format="%.1f") for name in ("P50", "P95", "P99", "max")}


def make_traffic() -> None:
    """Draw the panel; it polls only while a load runs."""
    running = services().traffic.running() is not None
    message = st.session_state.get(MESSAGE, "")
    with st.expander("Make traffic", expanded=running or bool(message), key="traffic"):
        st.fragment(_panel, run_every="1s" if running else None)(running)


def _panel(polling: bool) -> None:
    view = run(services().traffic.load())
    if (view.running is not None) != polling:
        st.rerun()
    draw_message()
    if view.running is not None:
        _running(view.running, view.progress, datetime.now(UTC))
    else:
        _form()
        _last(view.last, datetime.now(UTC))


def _form() -> None:
    st.caption("Users who ask the platform's read routes over HTTP, each waiting a random time between two requests.")
    users, think, duration = st.columns(3)
    count = users.number_input("Users", 1, USERS_MOST, DEFAULT_USERS, key="traffic_users", persist_state="session")
    seconds = think.number_input(
        "Think time, s", *THINK_SECONDS, DEFAULT_THINK_SECONDS, step=1.0, key="traffic_think", persist_state="session"
    )
    least, most = DURATION_SECONDS
    lasting = duration.number_input(
        "Duration, s", int(least), int(most), DEFAULT_DURATION_SECONDS, key="traffic_duration", persist_state="session"
    )
    events, typed = _writes(), _target()
    try:
        plan = services().traffic.plan(count, seconds, lasting, events=events)
    except CoreError as error:
        st.warning(f"{error} {error.next_step}", icon=":material/warning:")
        return
    st.code(services().traffic.command(plan, typed), language="bash", wrap_lines=True)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Start", key="traffic_start", type="primary", icon=":material/play_arrow:", on_click=_start, args=(plan, typed)
        )
        st.caption(f"{plan.target_rate:,.1f} requests/s wanted, about {plan.target_rate * plan.duration_seconds:,.0f} in all")


def _writes() -> bool:
    if services().settings.effective_mode != "operate":
        return False
    label = "Also write analytics events, one request in twenty"
    return st.checkbox(label, key="traffic_events")


def _target() -> str | None:
    settings = services().settings
    if settings.database_embedded:
        return None
    return st.text_input(
        f"This platform is not the embedded one: type {settings.target_name} to allow it", key="traffic_target"
    )


def _start(plan: LoadPlan, typed: str | None) -> None:
    guard("operator")
    st.session_state[MESSAGE] = attempt(services().traffic.start(plan, typed, operator()))


def _running(operation: Operation, progress: LoadProgress | None, now: datetime) -> None:
    running_operation(operation, now)
    st.code("\n".join(operation.commands), language="bash", wrap_lines=True)
    if progress is None:
        st.caption("It asks the platform which markets and leads there are.")
        return
    with st.grid(4, min_column_width=130):
        st.metric("Elapsed, s", f"{progress.elapsed_seconds:.0f} of {progress.duration_seconds:g}")
        st.metric("Answers/s", f"{progress.rate:,.1f}")
        st.metric("P95, ms", ms(progress.p95_seconds))
        st.metric("Errors", f"{progress.errors:,}")


def _last(panel: Panel[TrafficRun | None], now: datetime) -> None:
    if panel.error:
        st.warning(f"{panel.error} {panel.next_step}", icon=":material/cloud_off:")
    if panel.value is None:
        return
    operation, report = panel.value.operation, panel.value.report
    ended = clock(operation.finished_at or operation.updated_at, now)
    colour, icon = STATES[operation.state]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Last load:** {plain(operation.title)}", width="content")
        st.badge(f"{operation.state} {ended}", color=colour, icon=f":material/{icon}:", width="content")
        st.caption(f"by {plain(operation.operator)}", width="content")
    if operation.error:
        st.error(plain(f"{operation.error} {operation.next_step}"), icon=":material/error:")
    if report is not None:
        _verdict(report)
        st.dataframe(_rows(report), hide_index=True, width="stretch", column_config=MILLISECONDS)
        st.caption(f"{report.littles_law}. Times count from when a request was meant to start, so a stall is not hidden.")


def _verdict(report: LoadReport) -> None:
    """One sentence: whether the figures count, and what they say of the target."""
    p95, target = report.latency.p95_seconds, services().settings.target_api_p95_seconds
    reached = f"{report.achieved_rate:,.1f} of {report.target_rate:,.1f} requests/s"
    told = f"{reached}, P95 {ms(p95)} ms against {target * 1000:g} ms, {report.errors:,} errors ({report.error_share:.2%})"
    kinds = ", ".join(f"{item.count:,} x {item.kind}" for item in report.errors_by_kind)
    told += f": {kinds}" if kinds else ""
    generator = f"generator {report.cpu_share:.0%} of a core, P99 of its lag {ms(report.lag_p99_seconds)} ms"
    if report.verdict == "refused":
        st.warning(f"{report.verdict_reason} {told}.", icon=":material/help:")
    elif p95 is None or p95 >= target or report.error_share > ERROR_SHARE_MOST:
        st.error(f"The target is missed: {told}; {generator}.", icon=":material/error:")
    else:
        st.success(f"The target holds: {told}; {generator}.", icon=":material/check_circle:")


def _rows(report: LoadReport) -> list[dict[str, object]]:
    named = [("all", report.requests, report.errors, report.latency)]
    named += [(item.route, item.requests, item.errors, item.latency) for item in report.routes]
    return [
        {
            "route": name,
            "requests": count,
            "errors": errors,
            "P50, ms": _milliseconds(latency.p50_seconds),
            "P95, ms": _milliseconds(latency.p95_seconds),
            "P99, ms": _milliseconds(latency.p99_seconds),
            "max, ms": _milliseconds(latency.max_seconds),
        }
        for name, count, errors, latency in named
    ]


def ms(seconds: float | None) -> str:
    """Milliseconds as they are read: three digits."""
    return "—" if seconds is None else f"{seconds * 1000:,.1f}" if seconds < 0.1 else f"{seconds * 1000:,.0f}"


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000
