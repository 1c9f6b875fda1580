"""Fallback: a live chart that stands still, for where the component cannot be loaded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import plotly.graph_objects as go
import streamlit as st

from core.monitor import History
from core.ui.live_line import LiveLine, Unit, scale_of, shares
from core.ui.session import services


def draw_fallback(key: str, title: str, lines: Sequence[LiveLine], *, unit: Unit, window_seconds: int, empty: str) -> None:
    """The same lines as they are now; they move when the page is run again."""
    scale, figure, samples = scale_of(unit), go.Figure(), 0
    for line in lines:
        history = services().monitor.history(line.metric, window_seconds, line.labels)
        samples += sum(history.counts)
        values = _values(history, line, window_seconds)
        figure.add_scatter(
            x=[datetime.fromtimestamp(time, UTC) for time in history.times],
            y=[None if value is None else value * scale for value in values],
            name=line.name,
            mode="lines",
        )
    st.markdown(f"**{title}**")
    if not samples:
        st.info(empty, icon=":material/hourglass_empty:")
        return
    figure.update_layout(height=240, margin={"l": 8, "r": 8, "t": 8, "b": 8}, yaxis={"ticksuffix": f" {unit}"})
    st.plotly_chart(figure, width="stretch", key=f"{key}-still", config={"displaylogo": False})


def _values(history: History, line: LiveLine, window_seconds: int) -> Sequence[float | None]:
    if line.statistic == "share":
        rest = services().monitor.history(line.metric, window_seconds, line.against)
        return shares(history.counts, rest.counts, history.step_seconds)
    if line.statistic in ("rate", "count"):
        return history.rates if line.statistic == "rate" else history.counts
    return {"p50": history.p50, "p95": history.p95, "p99": history.p99}[line.statistic]
