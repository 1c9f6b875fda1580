"""The chart of a proof: what each parameter set took before and after, with P50 and P95 of both sides."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go
import streamlit as st

from core.database.proof_summary import MeasuredSide
from core.platform.units import duration

# Readable on both backgrounds.
COLOURS = {"before": "#8a94a3", "after": "#3f87d6"}
STEPS = (1.0, 2.0, 5.0)
LEAST_MS = 0.001
DECADES_WITH_2_AND_5 = 2  # With more of them their numbers would touch on a narrow screen.
LABEL_PIXELS = 22  # Above and below the strokes.


def proof_chart(before: MeasuredSide, after: MeasuredSide | None, *, key: str) -> None:
    """Draw one side, or both under each other on the same axis."""
    figure = proof_figure(before, after)
    st.plotly_chart(figure, width="stretch", key=key, config={"displayModeBar": False})
    st.caption("Each stroke is one parameter set, the median of its rounds; the axis is logarithmic.")


def proof_figure(before: MeasuredSide, after: MeasuredSide | None) -> go.Figure:
    """Two rows, before above after: a stroke for each set, a circle for P50, a diamond for P95."""
    sides = {"before": before} if after is None else {"before": before, "after": after}
    figure = go.Figure()
    for name, side in sides.items():
        _add_side(figure, name, side)
    times = [max(LEAST_MS, seconds * 1000) for side in sides.values() for seconds in side.seconds]
    low, high = _range(times)
    figure.update_xaxes(
        type="log", title="ms", dtick="D2" if high - low <= DECADES_WITH_2_AND_5 else 1, tickformat="~g", range=[low, high],
        showgrid=True, fixedrange=True,
    )  # fmt: skip
    figure.update_yaxes(
        type="category", categoryorder="array", categoryarray=list(reversed(sides)), range=[-0.6, len(sides) - 0.4],
        showgrid=False, fixedrange=True,
    )  # fmt: skip
    figure.update_layout(height=90 + 85 * len(sides), margin={"l": 8, "r": 8, "t": 8, "b": 8}, showlegend=False)
    return figure


def _add_side(figure: go.Figure, name: str, side: MeasuredSide) -> None:
    colour = COLOURS[name]
    strokes = [max(LEAST_MS, seconds * 1000) for seconds in side.seconds]
    figure.add_scatter(
        x=strokes, y=[name] * len(strokes), mode="markers", name=name, hovertemplate=f"%{{x:.3~g}} ms {name}<extra></extra>",
        marker={"symbol": "line-ns", "size": 18, "opacity": 0.5, "line": {"width": 1.5, "color": colour}},
    )  # fmt: skip
    for word, seconds, symbol, shift in (
        ("P50", side.figures.p50, "circle", LABEL_PIXELS), ("P95", side.figures.p95, "diamond", -LABEL_PIXELS),
    ):  # fmt: skip
        if seconds is not None:
            milliseconds = max(LEAST_MS, seconds * 1000)
            figure.add_scatter(
                x=[milliseconds], y=[name], mode="markers", name=f"{word} {name}", hoverinfo="skip", cliponaxis=False,
                marker={"symbol": symbol, "size": 12, "color": colour},
            )  # fmt: skip
            figure.add_annotation(  # One takes the logarithm where the axis has one.
                x=math.log10(milliseconds), y=name, yshift=shift, text=f"{word} {duration(seconds)}", showarrow=False,
            )  # fmt: skip


def _range(times: Sequence[float]) -> list[float]:
    """From one of 1, 2, 5 times a power of ten to another, with all times and their labels between."""
    steps = [step * 10.0**power for power in range(-4, 7) for step in STEPS]
    low = max((place for place, step in enumerate(steps) if step <= min(times)), default=1)
    high = min((place for place, step in enumerate(steps) if step >= max(times)), default=len(steps) - 2)
    return [math.log10(steps[max(0, low - 1)]), math.log10(steps[min(len(steps) - 1, high + 1)])]
