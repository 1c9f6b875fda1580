"""Queries on the database page: those that took most time, and one of them: how its times are spread, its SQL and its plan."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from core.database.samples import ParameterSet
from core.errors import QueryError
from core.monitor import Distribution, SeriesSnapshot
from core.platform.database_view import QueryView
from core.platform.query_figures import QueryFigures
from core.platform.units import duration
from core.ui.database_actions import draw_plan, explain_into, what_it_runs
from core.ui.database_proof import proof_panel
from core.ui.session import services
from core.ui.verdict import clock

TARGET_COLOUR = "#c0392b"  # Readable on both backgrounds.
EMPTY = "No query was asked in this window: make traffic on the Overview, or call the HTTP API."


def _number(**options: Any) -> Any:
    return st.column_config.NumberColumn(**options)


COLUMNS: dict[str, Any] = {
    "Query": st.column_config.TextColumn(width=190),
    "Share of time": st.column_config.ProgressColumn(format="%.0f %%", min_value=0, max_value=100, width=110),
    "In all, s": _number(format="%.2f", width=75),
    "Calls": _number(format="localized", width=75),
    "P50, ms": _number(format="%.2f", width=75),
    "P95, ms": _number(format="%.2f", width=75),
    "Longest, ms": _number(format="%.1f", width=90),
    "Too slow, %": _number(format="%.1f", width=90, help="Share of calls above the target for P95."),
    "Rows": _number(format="%.1f", width=65, help="Rows of one answer, on average since the start of this process."),
    "Errors": _number(format="localized", width=65),
    "What it answers": st.column_config.TextColumn(width="large"),
}


def queries_table(queries: Sequence[QueryFigures], chosen: str) -> None:
    """The queries of this process by the time that they took in all; a row opens its details."""
    if not queries:
        st.info(EMPTY, icon=":material/hourglass_empty:")
        return
    names = [query.name for query in queries]
    key = f"queries-{len(names)}-{chosen}"
    st.dataframe(
        [_row(query) for query in queries],
        key=key,
        hide_index=True,
        column_config=COLUMNS,
        placeholder="—",
        selection_mode="single-row",
        selection_default={"selection": {"rows": [names.index(chosen)] if chosen in names else []}},
        on_select=lambda: _select(names, key),
    )
    st.caption("Of this process, by the time that all calls took together. Choose one for its times, its SQL and its plan.")


def query_details(name: str, window_seconds: int) -> None:
    """One named query: how its times are spread, its SQL, its plan, and what a change bought."""
    overview = services().database_overview
    try:
        view = overview.query(name, window_seconds)
    except QueryError:
        st.info(f"There is no named query {name}: its figures are of statements without one.", icon=":material/info:")
        return
    with st.container(border=True):
        st.subheader(view.name, anchor=False)
        st.caption(view.description)
        spread, sql = st.columns(2, gap="medium")
        with spread:
            _spread(view, services().settings.target_database_p95_seconds)
        with sql:
            _sql(view)
        _plan(view)
        proof_panel(view)


def _row(query: QueryFigures) -> dict[str, Any]:
    times = query.times
    return {
        "Query": query.name,
        "Share of time": 100 * query.share,
        "In all, s": query.total_seconds,
        "Calls": times.count,
        "P50, ms": _ms(times.p50),
        "P95, ms": _ms(times.p95),
        "Longest, ms": _ms(times.max),
        "Too slow, %": 100 * query.slow_share,
        "Rows": query.rows_per_call,
        "Errors": query.errors,
        "What it answers": query.description,
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _select(names: Sequence[str], key: str) -> None:
    rows = st.session_state[key].selection.rows
    if rows:
        st.query_params["query"] = names[rows[0]]
    else:
        st.query_params.pop("query", None)


def _spread(view: QueryView, target: float) -> None:
    times = view.figures.times if view.figures else None
    if times is None or not view.times.counts:
        st.markdown("**How long it takes**")
        st.caption("It was not asked in this window.")
        return
    st.markdown(f"**How long it takes** · {_quantiles(times)}")
    st.plotly_chart(spread_figure(view.times, target), key=f"spread-{view.name}", config={"displayModeBar": False})
    _since_start(view)


def _since_start(view: QueryView) -> None:
    """What the window does not tell: rows, and which errors."""
    stats = view.figures.since_start if view.figures else None
    if stats is None:
        return
    rows = f"{stats.rows:,} rows in {stats.calls:,} answers"
    errors = ", ".join(f"{count:,} {kind}" for kind, count in stats.errors) or "no error"
    st.caption(f"Since the start: {rows} · {errors}")


def _quantiles(times: SeriesSnapshot) -> str:
    parts = [
        f"{word} {duration(value)}" for word, value in (("P50", times.p50), ("P95", times.p95), ("P99", times.p99)) if value
    ]
    return f"{' · '.join(parts)} · n={times.count:,}"


def spread_figure(times: Distribution, target: float) -> go.Figure:
    """A bar for each step of time; the line is the promised P95."""
    lowers = [0.0, *times.uppers[:-1]] if len(times.uppers) > 1 else [0.0]
    labels = [f"{duration(low)} to {duration(high)}" for low, high in zip(lowers, times.uppers, strict=True)]
    middles = [upper * 1000 / 10 ** (1 / 16) for upper in times.uppers]
    figure = go.Figure(
        go.Bar(
            x=middles,
            y=times.counts,
            width=[middle * 0.25 for middle in middles],
            customdata=labels,
            hovertemplate="%{y:,} calls took %{customdata}<extra></extra>",
        )
    )
    figure.add_vline(x=target * 1000, line={"dash": "dot", "width": 1.5, "color": TARGET_COLOUR})
    figure.add_annotation(
        x=math.log10(target * 1000),
        y=1.1,
        yref="paper",
        text=f"target P95 {duration(target)}",
        showarrow=False,
        font={"color": TARGET_COLOUR, "size": 11},
    )  # An annotation takes the logarithm where the axis has one; the line does not.
    figure.update_xaxes(type="log", title="ms", dtick="D2", tickformat="~g", range=_range(middles, target))
    figure.update_yaxes(title="calls", rangemode="tozero")
    figure.update_layout(height=230, margin={"l": 10, "r": 10, "t": 28, "b": 10}, bargap=0, showlegend=False)
    return figure


def _range(middles: Sequence[float], target: float) -> list[float]:
    """From a power of ten to another, with the target among them."""
    low, high = min(middles[0], target * 1000), max(middles[-1], target * 1000)
    return [math.floor(math.log10(low) - 0.05), math.ceil(math.log10(high) + 0.05)]


def _sql(view: QueryView) -> None:
    sampling = view.sampling
    st.markdown("**Its SQL**")
    st.code(view.sql, language="sql", height=190)
    if sampling.newest is not None and sampling.newest_at is not None:
        at = clock(sampling.newest_at, datetime.now(UTC))
        st.caption(
            f"Newest parameters kept, of {at}: {shown_parameters(sampling.newest)} · {len(sampling.sets):,} sets of"
            f" {sampling.calls:,} calls are kept, in memory only"
        )
    elif view.may_sample:
        st.caption("No parameters of it were seen yet since the start.")
    else:
        st.caption("Its parameters are never kept: they may name a person, or it changes data.")


def shown_parameters(asked: ParameterSet) -> str:
    """The values in the order of $1, $2, ..., those of filters with their name."""
    parts = [f"`${number} = {value!r}`" for number, value in enumerate(asked.args, start=1)]
    parts += [f"`{name} = {value!r}`" for name, value in asked.filters]
    return ", ".join(parts)


def _plan(view: QueryView) -> None:
    operations, key = services().database_operations, f"plan-{view.name}"
    if not view.may_sample:
        return
    st.markdown("**Its plan**")
    st.button(
        "Explain with the newest parameters",
        icon=":material/account_tree:",
        key=f"explain-{view.name}",
        disabled=view.sampling.newest is None,
        on_click=explain_into,
        args=(key, lambda: operations.explain_query(view.name)),
        help="Runs it once in a transaction that is read-only, ends after 5 s, and is rolled back.",
    )
    if (shown := st.session_state.get(key)) is not None:
        draw_plan(shown)
    what_it_runs(operations.explain.commands(view.sql))
