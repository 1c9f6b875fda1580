"""The panels of the overview: missed warm runs, set-up, row counts, market prices and first steps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import plotly.graph_objects as go
import streamlit as st

from core.platform.overview import Counts, FirstStep, MarketSeries, OverviewView, TableSize
from core.platform.panel import Panel
from core.setup import SetupStep
from core.ui.text import plain
from core.ui.verdict import clock

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
    """The checklist of a new console, ticked by what really happened; folded once all is done that has to be."""
    title = f"First steps: {sum(step.done for step in steps)} of {len(steps)}"
    with st.expander(title, expanded=not all(step.done or step.optional for step in steps), key="first-steps"):
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
