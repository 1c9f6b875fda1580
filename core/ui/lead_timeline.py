"""The interactions of a lead as a chart: when, and of which kind; what it did apart from what we did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from core.platform.lead_facts import OUR_ACTS, WINDOW_DAYS, instant
from core.platform.leads import INTERACTIONS_SHOWN
from core.ui.lead_words import words
from core.ui.verdict import local

# Readable on both backgrounds.
THEIRS, OURS, SHADE = "#3f87d6", "#c8731b", "rgba(127, 140, 155, 0.13)"
ROW_PIXELS = 30
Row = Mapping[str, Any]


def draw_timeline(interactions: Sequence[Row]) -> None:
    """The chart, or that there is nothing to draw."""
    st.markdown("**Interactions**")
    events = [(moment, str(row["interaction_type"])) for row in interactions if (moment := instant(row["created_at"]))]
    if not events:
        st.info("No interaction of this lead is recorded.", icon=":material/timeline:")
        return
    figure = timeline_figure(events, datetime.now(UTC))
    st.plotly_chart(figure, width="stretch", key="lead_timeline", config={"displayModeBar": False}, alt=_alt(events))
    count = f"The newest {len(events)}" if len(events) >= INTERACTIONS_SHOWN else f"{len(events):,}"
    st.caption(
        f"{count} interactions; :blue[blue: the lead's own acts], :orange[orange: what we did]. "
        f"The shade marks the last {WINDOW_DAYS} days, which count."
    )


def timeline_figure(events: Sequence[tuple[datetime, str]], now: datetime) -> go.Figure:
    """One row for each kind, the newest on top; from the first interaction, or 30 days ago, to now."""
    kinds: dict[str, list[datetime]] = {}
    for moment, kind in sorted(events, reverse=True):
        kinds.setdefault(kind, []).append(min(moment, now))
    figure = go.Figure()
    for kind, moments in kinds.items():
        figure.add_scatter(
            x=[_clock(moment) for moment in moments], y=[words(kind)] * len(moments), mode="markers", name=words(kind),
            marker={"size": 10, "opacity": 0.75, "color": OURS if kind in OUR_ACTS else THEIRS},
            hovertemplate="%{y}, %{x|%-d %b %Y %H:%M}<extra></extra>",
        )  # fmt: skip
    window = now - timedelta(days=WINDOW_DAYS)
    first = min(window, *(moment for moment, _ in events))
    room = (now - first) / 40
    figure.add_vrect(x0=_clock(window), x1=_clock(now), fillcolor=SHADE, line_width=0, layer="below")
    figure.update_xaxes(type="date", range=[_clock(first - room), _clock(now + room)], nticks=6, showgrid=True, fixedrange=True)
    figure.update_yaxes(
        type="category", categoryorder="array", categoryarray=[words(kind) for kind in reversed(kinds)], automargin=True,
        showgrid=False, fixedrange=True, range=[-0.6, len(kinds) - 0.4],
    )  # fmt: skip
    figure.update_layout(height=60 + ROW_PIXELS * len(kinds), margin={"l": 8, "r": 8, "t": 8, "b": 8}, showlegend=False)
    return figure


def _clock(moment: datetime) -> datetime:
    """As the browser's clock shows it; plotly knows no zones."""
    return local(moment).replace(tzinfo=None)


def _alt(events: Sequence[tuple[datetime, str]]) -> str:
    newest = max(events)
    return f"Interactions over time, {len(events)} of them; the newest: {words(newest[1])}, {local(newest[0]):%-d %B %Y}."
