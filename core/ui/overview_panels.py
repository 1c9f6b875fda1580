"""The panels of the overview: dependencies, set-up, row counts, market prices and first steps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import plotly.graph_objects as go
import streamlit as st

from core.cache.redis_tier import RedisStats
from core.database.pool import DatabaseStats
from core.health import DependencyStatus
from core.platform.overview import Counts, FirstStep, MarketSeries, OverviewView, TableSize
from core.platform.panel import Panel
from core.setup import SetupStep
from core.ui.text import plain
from core.ui.verdict import clock, span

STATE_BADGES: dict[str, tuple[str, Literal["green", "red", "orange"]]] = {
    "up": ("up", "green"),
    "down": ("down", "red"),
    "starting": ("starting", "orange"),
}
STEP_ICONS = {"waiting": "schedule", "running": "sync", "done": "check", "skipped": "remove", "failed": "error"}
NOUN_TITLES = {
    "leads": "Leads",
    "lead_interactions": "Interactions",
    "properties": "Properties",
    "market_data": "Market figures",
}
STALE_AFTER_SECONDS = 60.0
MIB = 1024 * 1024


def missed_warming(view: OverviewView) -> None:
    """A line for each warm plan that was not ready in time, failed or was cancelled."""
    for item in view.missed_warming:
        verb = "was" if item.missed else "will not be" if item.state == "cancelled" else "may not be"
        ready = f"{verb} {'not ' if item.missed else ''}warm at {clock(item.ready_at, view.loaded_at)}"
        now = {"running": "A run is under way.", "due": "A run starts now."}.get(item.state, "")
        again = f"It is tried again at {clock(item.try_at, view.loaded_at)}." if item.state == "failed" and item.try_at else now
        words = " ".join(part for part in (plain(item.reason), again) if part)
        line = f"**{plain(item.title)}** {ready}. {words} `python -m core warm {item.plan}`"
        st.warning(line, icon=":material/local_fire_department:")


def dependency_cards(view: OverviewView) -> None:
    """One card for each dependency: state, age, latency and, when it is down, the next step."""
    details = {"postgresql": _pool_line(view.pool), "redis": _redis_line(view.redis.value)}
    for column, status in zip(st.columns(len(view.dependencies)), view.dependencies, strict=True):
        with column.container(border=True, height="stretch", gap="small"):
            _dependency_card(status, details.get(status.name, ""), view.loaded_at)


def _dependency_card(status: DependencyStatus, detail: str, now: datetime) -> None:
    word, colour = STATE_BADGES[status.state]
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f"**{status.title}** {status.version}", width="content")
        st.badge(f"{word} {span(now - status.since)}", color=colour, width="content")
    if status.state == "down":
        st.error(f"{status.error}\n\n**Next:** {status.next_step}", icon=":material/error:")
    answered = [item * 1000 for item in status.latencies_seconds if item is not None]
    last = status.latencies_seconds[-1] if status.latencies_seconds else None
    st.metric(
        "Ping, ms",
        f"{last * 1000:.2f}" if last is not None else "no answer" if status.latencies_seconds else "—",
        chart_data=answered if len(answered) > 1 else None,
        chart_type="area",
    )
    checked = f"checked {span(now - status.checked_at)} ago" if status.checked_at else "not checked yet"
    st.caption(" · ".join(part for part in (status.where, detail if status.state == "up" else "", checked) if part))


def _pool_line(pool: DatabaseStats) -> str:
    return f"{pool.size - pool.idle} of {pool.max_size} pool connections busy"


def _redis_line(stats: RedisStats | None) -> str:
    if stats is None:
        return ""
    if stats.used_bytes is None:
        return f"{stats.keys:,} keys, memory not known: {stats.note}"
    used = f"{stats.used_bytes / MIB:,.1f}"
    memory = f"{used} of {stats.max_bytes / MIB:,.0f} MiB" if stats.max_bytes else f"{used} MiB, no limit"
    return f"{stats.keys:,} keys, {memory}"


def setup_steps(steps: Sequence[SetupStep]) -> None:
    """What is still being set up, or has failed; nothing when all is done."""
    open_steps = [step for step in steps if step.state in ("waiting", "running", "failed")]
    if not open_steps:
        return
    with st.container(border=True):
        st.markdown("**Setting up**")
        for step in steps:
            st.markdown(f":material/{STEP_ICONS[step.state]}: {step.title}: {step.state} {step.detail}")
            if step.state == "running" and step.total:
                st.progress(min(1.0, step.done / step.total), text=f"{step.done:,} of {step.total:,} rows")
            if step.state == "failed":
                st.error(f"**Next:** {step.next_step}", icon=":material/error:")


def row_counts(panel: Panel[Counts], note: str, now: datetime) -> None:
    """Rows of each table, and what the last 30 days brought."""
    st.subheader("Data", anchor=False)
    if panel.value is None:
        _empty(panel, "The tables are counted once PostgreSQL answers.")
        return
    counts = panel.value
    sizes = {table.name: table for table in counts.tables}
    recent = {"leads": counts.leads, "lead_interactions": counts.interactions, "properties": counts.properties}
    shown = [name for name in NOUN_TITLES if name in sizes]
    if not shown:
        st.info("No table of the platform was found in this database.", icon=":material/database:")
        return
    with st.grid(len(shown), min_column_width=150):
        for name in shown:
            _table_metric(name, sizes[name], recent.get(name))
    newest = f"newest interaction {clock(counts.newest_interaction_at, now)} · " if counts.newest_interaction_at else ""
    st.caption(f"{newest}{_age(panel)}" + (f" · {note}" if note else ""))


def _table_metric(name: str, table: TableSize, new: int | None) -> None:
    st.metric(
        NOUN_TITLES[name],
        f"{table.rows:,}" if table.rows is not None else "not analysed",
        f"{new:,} in 30 days" if new is not None else None,
        delta_color="off",
        delta_arrow="off",
        border=True,
        height="stretch",
        help=f"{table.size_bytes / MIB:,.1f} MiB with indexes; rows as PostgreSQL's statistics have them.",
    )


def market_prices(panel: Panel[tuple[MarketSeries, ...]]) -> None:
    """The markets' median prices over the months that there are figures of."""
    st.subheader("Median sale price by market", anchor=False)
    if not panel.value:
        _empty(panel, "There are no market figures yet; they come with the sample data or an import.")
        return
    st.plotly_chart(_price_figure(panel.value), width="stretch", key="market-prices", config={"displaylogo": False})
    with st.expander("Where these figures come from"):
        for series in panel.value:
            st.markdown(f"**{series.market_name}**: {series.source}. {series.note}")


def _price_figure(markets: Sequence[MarketSeries]) -> go.Figure:
    figure = go.Figure()
    for series in markets:
        figure.add_scatter(x=series.months, y=series.median_prices, name=series.market_name, mode="lines", line={"width": 2})
    figure.update_layout(
        height=380,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "y": -0.16, "x": 0},
        hovermode="x unified",
        xaxis={"title": {"text": "month"}},
        yaxis={"title": {"text": "US dollars"}, "tickprefix": "$", "tickformat": "~s", "rangemode": "tozero"},
    )
    return figure


def first_steps(steps: Sequence[FirstStep]) -> None:
    """The checklist of a new console, ticked by what really happened."""
    st.subheader(f"First steps: {sum(step.done for step in steps)} of {len(steps)}", anchor=False)
    with st.container(border=True):
        for step in steps:
            icon = ":green[:material/check_circle:]" if step.done else ":gray[:material/radio_button_unchecked:]"
            optional = " (optional)" if step.optional else ""
            how = "" if step.done else f"  \n:small[{step.how}]"
            st.markdown(f"{icon} {step.title}{optional}{how}")


def _empty(panel: Panel[object], otherwise: str) -> None:
    if panel.error:
        st.warning(f"{panel.error} {panel.next_step}", icon=":material/cloud_off:")
    else:
        st.info(otherwise, icon=":material/hourglass_empty:")


def _age(panel: Panel[Counts]) -> str:
    stale = panel.error or panel.age_seconds > STALE_AFTER_SECONDS
    age = f"{panel.age_seconds:.0f} s old"
    return f":orange[stale, {age}: {panel.error}]" if stale else age
