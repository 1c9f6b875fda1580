"""Fallback: a live chart that stands still, for where the component cannot be loaded."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import plotly.graph_objects as go
import streamlit as st

from core.api.live import stored_key
from core.monitor import History
from core.monitor.marks.mark import grouped
from core.monitor.windows import WINDOWS_SECONDS
from core.ui.live_line import LiveLine, Unit, scale_of, shares
from core.ui.session import run, services

MARKS_MOST = 40


def draw_fallback(
    key: str, title: str, lines: Sequence[LiveLine], *, unit: Unit, window_seconds: int, process: int | None, empty: str
) -> None:
    """The same lines as they are now; they move when the page is run again."""
    scale, figure, samples = scale_of(unit), go.Figure(), 0
    names = tuple(dict.fromkeys(name for line in lines for name in (line.series, line.rest) if name))
    histories, since = _histories(names, window_seconds, process)
    for line in lines:
        history = histories[line.series]
        samples += sum(history.counts)
        figure.add_scatter(
            x=[datetime.fromtimestamp(moment, UTC) for moment in history.times],
            y=[None if value is None else value * scale for value in _values(histories, line)],
            name=line.name,
            mode="lines",
        )
    st.markdown(f"**{title}**")
    if not samples:
        st.info(since or empty, icon=":material/hourglass_empty:")
        return
    _mark(figure, window_seconds)
    figure.update_layout(height=240, margin={"l": 8, "r": 8, "t": 8, "b": 8}, yaxis={"ticksuffix": f" {unit}"})
    st.plotly_chart(figure, width="stretch", key=f"{key}-still", config={"displaylogo": False})


def _mark(figure: go.Figure, window_seconds: int) -> None:
    """The marks of the window as lines, and incidents as bands; what they say stands in the form of the marks."""
    now = time.time()
    found = services().marks.look().between(now - window_seconds, now)
    for mark in grouped(found, now - window_seconds, now, MARKS_MOST):
        begun = datetime.fromtimestamp(mark.at, UTC)
        figure.add_shape(type="line", x0=begun, x1=begun, y0=0, y1=1, yref="paper", layer="below", line={"width": 1})
        if mark.kind == "alert":
            end = datetime.fromtimestamp(min(mark.last, now), UTC)
            shape = {"yref": "paper", "layer": "below", "line": {"width": 0}, "fillcolor": "red", "opacity": 0.14}
            figure.add_shape(type="rect", x0=begun, x1=end, y0=0, y1=1, **shape)


def _histories(names: Sequence[str], window_seconds: int, process: int | None) -> tuple[Mapping[str, History], str]:
    """Each series, and of the console's store since when there is any."""
    keys = [stored_key(name) for name in names]
    if window_seconds in WINDOWS_SECONDS:
        monitor = services().monitor
        found = [monitor.history(metric, window_seconds, labels) for metric, labels in keys]
        return dict(zip(names, found, strict=True)), ""
    view = run(services().history.charts(keys, window_seconds, process)).view
    since = "begins now" if view.since is None else f"goes back to {datetime.fromtimestamp(view.since, UTC):%d %b %H:%M} UTC"
    return dict(zip(names, view.histories, strict=True)), f"Nothing in this window yet: the history {since}."


def _values(histories: Mapping[str, History], line: LiveLine) -> Sequence[float | None]:
    history = histories[line.series]
    if line.statistic == "share":
        return shares(history.counts, histories[line.rest].counts, history.step_seconds)
    if line.statistic in ("rate", "count"):
        return history.rates if line.statistic == "rate" else history.counts
    return {"p50": history.p50, "p95": history.p95, "p99": history.p99}[line.statistic]
