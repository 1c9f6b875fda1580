"""Fallback: a live chart that stands still, for where the component cannot be loaded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import plotly.graph_objects as go
import streamlit as st

from core.ui.live_line import LiveLine, Unit, scale_of
from core.ui.session import services


def draw_fallback(key: str, title: str, lines: Sequence[LiveLine], *, unit: Unit, window_seconds: int, empty: str) -> None:
    """The same lines as they are now; they move when the page is run again."""
    scale, figure, samples = scale_of(unit), go.Figure(), 0
    for line in lines:
        history = services().monitor.history(line.metric, window_seconds, line.labels)
        samples += sum(history.counts)
        values = {"rate": history.rates, "count": history.counts}.get(line.statistic) or getattr(history, line.statistic)
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
