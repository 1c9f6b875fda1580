"""The panels of what goes through the platform: requests per second and latencies against their targets, and their charts."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from core.monitor import Recorder, SeriesSnapshot
from core.settings import Settings
from core.ui.live_chart import LiveView, live_chart, live_controls
from core.ui.live_line import LiveLine

API, DATABASE = "api_request_seconds", "database_query_seconds"
NO_TRAFFIC = "No request yet: make traffic below, or call the HTTP API."
NO_QUERY = "No query yet: every request to the HTTP API brings some."
WINDOW_WORDS = {300: "last 5 minutes", 3_600: "last hour"}


def traffic_numbers(monitor: Recorder, settings: Settings) -> LiveView:
    """Requests per second, and the latencies of the API and the database in the window of the controls."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader("Traffic", anchor=False, width="content")
        view = live_controls()
    api, database = monitor.total(API, view.recent_seconds), monitor.total(DATABASE, view.recent_seconds)
    with st.grid(3, min_column_width=220):
        _rate(api, monitor, view)
        _latency("API P95", api, settings.target_api_p95_seconds)
        _latency("Database P95", database, settings.target_database_p95_seconds)
    return view


def traffic_charts(settings: Settings, view: LiveView) -> None:
    """The latencies of the API and of the database over the window."""
    api, database = st.columns(2, gap="small")
    with api.container(border=True):
        live_chart(
            "live-api",
            "API latency",
            _latency_lines(API),
            unit="ms",
            view=view,
            target=settings.target_api_p95_seconds,
            target_name="P95",
            empty=NO_TRAFFIC,
            alt="Line chart of P50, P95 and P99 of the time that API requests took, in milliseconds.",
        )
    with database.container(border=True):
        live_chart(
            "live-database",
            "Database latency",
            _latency_lines(DATABASE),
            unit="ms",
            view=view,
            target=settings.target_database_p95_seconds,
            target_name="P95",
            empty=NO_QUERY,
            alt="Line chart of P50, P95 and P99 of the time that database queries took, in milliseconds.",
        )


def _latency_lines(metric: str) -> tuple[LiveLine, ...]:
    return (LiveLine(metric, "p50", "P50"), LiveLine(metric, "p95", "P95"), LiveLine(metric, "p99", "P99"))


def _rate(api: SeriesSnapshot, monitor: Recorder, view: LiveView) -> None:
    age_seconds = monitor.stats().age_seconds
    st.metric(
        "Requests per second",
        f"{api.rate_per_second:,.1f}",
        f"{api.count:,} in the {WINDOW_WORDS[view.recent_seconds]}, {age_seconds:.0f} s old",
        delta_color="off",
        delta_arrow="off",
        border=True,
        height="stretch",
    )


def _latency(label: str, series: SeriesSnapshot, target: float) -> None:
    value, note, colour = _judged(series, target)
    st.metric(
        label,
        value,
        note,
        delta_color=colour,
        delta_arrow="off",
        border=True,
        height="stretch",
        help=f"Target: below {_ms(target)}. P95 needs 20 samples, P99 needs 100.",
    )


def _judged(series: SeriesSnapshot, target: float) -> tuple[str, str, Literal["green", "red", "off"]]:
    """The value, what stands under it, and its colour."""
    if not series.count:
        return "—", f"no samples; target {_ms(target)}", "off"
    others = f"P50 {_ms(series.p50)} · P99 {_ms(series.p99)} · n={series.count:,}"
    if series.p95 is None:
        return "—", f"not enough samples for P95 · {others}", "off"
    kept = series.p95 < target
    return _ms(series.p95), f"{'below' if kept else 'above'} {_ms(target)} · {others}", "green" if kept else "red"


def _ms(seconds: float | None) -> str:
    if seconds is None:
        return "—"
    milliseconds = seconds * 1000
    return f"{milliseconds:,.0f} ms" if milliseconds >= 100 else f"{milliseconds:.3g} ms"
