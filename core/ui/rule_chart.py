"""The chart of a rule's figure over stored history, with its limits and the times in which it would have fired."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import plotly.graph_objects as go
import streamlit as st

from core.monitor.alerts.judge import CRITICAL
from core.monitor.alerts.replay import ReplaySpan
from core.monitor.alerts.workbench import Comparison
from core.ui.rule_fields import unit_of
from core.ui.verdict import local

# Readable on both backgrounds.
LINE, WARNING_COLOUR, CRITICAL_COLOUR, IN_USE_COLOUR = "#3f87d6", "#d98a00", "#d64545", "#8a94a3"
SPANS_MOST = 200
LEAST_WIDTH = 0.006  # Of the chart: a firing of a minute is seen in two weeks.


def rule_chart(found: Comparison, *, key: str) -> None:
    """Draw it."""
    st.plotly_chart(rule_figure(found, _moment), width="stretch", key=key, config={"displayModeBar": False})
    left_out = len(found.edited.spans) - SPANS_MOST
    if left_out > 0:
        st.caption(f"The last {SPANS_MOST} times are shaded, {left_out:,} earlier ones are not.")


def rule_figure(found: Comparison, moment: Callable[[float], datetime]) -> go.Figure:
    """The figure's worst of each point, the limits as lines, and what would have fired shaded."""
    rule = found.edited.rule
    unit, factor = unit_of(found.shipped.rule)
    figure = go.Figure()
    figure.add_scatter(
        x=[moment(at) for at in found.curve.times],
        y=[None if value is None else value * factor for value in found.curve.values],
        mode="lines", line={"color": LINE, "width": 1.5, "shape": "hv" if rule.unit == "down" else "linear"}, connectgaps=False,
        hovertemplate=f"%{{y:.4~g}} {unit}<extra></extra>", showlegend=False,
    )  # fmt: skip
    for span in found.edited.spans[-SPANS_MOST:]:
        _shade(figure, span, found, moment)
    if rule.unit != "down":
        _limit(figure, rule.warning * factor, "warning", WARNING_COLOUR, "dash")
        if rule.critical is not None and rule.critical != rule.warning:
            _limit(figure, rule.critical * factor, "critical", CRITICAL_COLOUR, "dash")
        if found.in_use.rule.warning != rule.warning:
            _limit(figure, found.in_use.rule.warning * factor, "in use", IN_USE_COLOUR, "dot", "top right")
    end = float(found.coverage.end)
    figure.update_xaxes(range=[moment(end - found.coverage.shown_seconds), moment(end)], fixedrange=True)
    figure.update_yaxes(title=unit or None, rangemode="tozero" if rule.direction == "above" else "normal", fixedrange=True)
    if rule.unit == "down":
        figure.update_yaxes(tickvals=[0, 1], ticktext=["up", "down"], range=[-0.1, 1.1])
    figure.update_layout(height=300, margin={"l": 8, "r": 8, "t": 8, "b": 8}, hovermode="x")
    return figure


def _shade(figure: go.Figure, span: ReplaySpan, found: Comparison, moment: Callable[[float], datetime]) -> None:
    end = found.coverage.end if span.over_at is None else span.over_at
    least = span.fired_at + LEAST_WIDTH * found.coverage.shown_seconds
    colour = CRITICAL_COLOUR if span.level == CRITICAL else WARNING_COLOUR
    figure.add_vrect(
        x0=moment(span.fired_at), x1=moment(max(end, least)), fillcolor=colour, opacity=0.3, line_width=0, layer="below"
    )


def _limit(figure: go.Figure, value: float, word: str, colour: str, dash: str, place: str = "top left") -> None:
    figure.add_hline(
        y=value, line={"color": colour, "width": 1.5, "dash": dash}, annotation_text=word, annotation_font_color=colour,
        annotation_position=place,
    )  # fmt: skip


def _moment(at: float) -> datetime:
    """As the browser's zone has it, without the zone: the axis shows it as it is."""
    return local(datetime.fromtimestamp(at, UTC)).replace(tzinfo=None)
