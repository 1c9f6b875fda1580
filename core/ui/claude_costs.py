"""What Claude costs: the last days, then each prompt, model and operator, and what the figures do not know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from core.claude.answer_log import AnswerLogStats
from core.claude.ledger import CostFigures, CostLine
from core.claude.write_behind import WriteBehindStats
from core.platform.claude_overview import LONG_DAYS, CostsView
from core.platform.panel import Panel
from core.platform.units import dollars
from core.ui.budget_bar import budget_bar
from core.ui.text import plain

PERIODS = ("Today", f"{LONG_DAYS} days")
TABLES = ("Prompt", "Model", "Operator")
STALE_SECONDS = 60.0

_number = st.column_config.NumberColumn
COLUMNS: Mapping[str, Any] = {
    "Cost": _number(format="$%.6f", help="Of the attempts whose price is known"),
    "Asks": _number(format="localized"),
    "Attempts": _number(format="localized", help="Exchanges with the API: first tries, retries and repairs"),
    "Repairs": _number(format="localized"),
    "Input": _number(format="localized", help="Tokens of input outside the API's prompt cache"),
    "Cache read": _number(format="localized", help="Tokens of input that the API's prompt cache had"),
    "Cache write 5 min": _number(format="localized"),
    "Cache write 1 h": _number(format="localized"),
    "Output": _number(format="localized", help="Tokens of output, thinking included"),
    "Thinking": _number(format="localized", help="Tokens of output that were thinking"),
    "Unpriced": _number(format="localized", help="Attempts without a known price: they count 0 dollars here"),
}


def draw_costs(view: CostsView) -> None:
    """The days as bars, then one table at a time."""
    kind = "Rehearsed dollars" if view.stats.scope == "rehearsal" else "Dollars"
    st.subheader(f"{kind} per day (UTC)", anchor=False)
    if view.long.value is None:
        _unknown(view.long)
    else:
        st.plotly_chart(
            _days_figure(view.long.value, kind.lower()), width="stretch", key="claude-days", config={"displaylogo": False}
        )
    st.caption(" · ".join((_age(view.long), _prices_words(view))))
    with st.container(horizontal=True, vertical_alignment="center"):
        period = _choice("Period", PERIODS, "costs")
        dimension = _choice("By", TABLES, "by")
    panel = view.today if period == PERIODS[0] else view.long
    if panel.value is None:
        _unknown(panel)
    else:
        _table(panel.value, dimension)
    _operators(view)
    _behind(view.stats.ledger, view.stats.answers)


def _choice(label: str, options: Sequence[str], key: str) -> str:
    first = None if key in st.session_state else options[0]
    chosen = st.segmented_control(
        label, options, default=first, required=True, key=key, bind="query-params", label_visibility="collapsed"
    )
    return chosen or options[0]


def _days_figure(figures: CostFigures, unit: str) -> go.Figure:
    costs = {line.name: line for line in figures.days}
    first = figures.until.date() - timedelta(days=LONG_DAYS - 1)
    days: list[date] = [first + timedelta(days=number) for number in range(LONG_DAYS)]
    lines = [costs.get(day.isoformat(), CostLine(name=day.isoformat())) for day in days]
    figure = go.Figure()
    figure.add_bar(
        x=days,
        y=[line.cost_usd for line in lines],
        customdata=[(line.asks, line.attempts, line.unpriced) for line in lines],
        hovertemplate="%{x|%-d %b}: $%{y:.6f}<br>%{customdata[0]:,} asks, %{customdata[1]:,} attempts, "
        "%{customdata[2]:,} without a price<extra></extra>",
    )
    highest = max(line.cost_usd for line in lines)
    figure.update_layout(
        height=220,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        xaxis={"type": "date", "tickformat": "%-d %b", "dtick": 2 * 86_400_000},
        yaxis={
            "title": {"text": unit}, "tickprefix": "$", "rangemode": "tozero", "exponentformat": "none",
            **({} if highest else {"range": [0, 1]}),
        },
    )  # fmt: skip
    return figure


def _table(figures: CostFigures, dimension: str) -> None:
    lines = {"Prompt": figures.prompts, "Model": figures.models, "Operator": figures.operators}[dimension]
    if not lines:
        st.info("No exchange with the API in this time.", icon=":material/hourglass_empty:")
        return
    st.dataframe(
        [_row(dimension, line) for line in (*lines, figures.total)],
        key=f"costs-{dimension}-{len(lines)}",
        hide_index=True,
        column_config={dimension: st.column_config.TextColumn(pinned=True), **COLUMNS},
        alt=f"Table of asks, attempts, tokens, dollars and errors by {dimension.lower()}.",
    )


def _row(dimension: str, line: CostLine) -> Mapping[str, Any]:
    usage = line.usage
    return {
        dimension: line.name or "in total",
        "Cost": line.cost_usd,
        "Asks": line.asks,
        "Attempts": line.attempts,
        "Repairs": line.repairs,
        "Input": usage.input_tokens,
        "Cache read": usage.cache_read_tokens,
        "Cache write 5 min": usage.cache_write_5m_tokens,
        "Cache write 1 h": usage.cache_write_1h_tokens,
        "Output": usage.output_tokens,
        "Thinking": usage.thinking_tokens,
        "Unpriced": line.unpriced,
        "Errors": ", ".join(f"{error.count:,} {error.kind.replace('_', ' ')}" for error in line.errors) or "none",
    }


def _operators(view: CostsView) -> None:
    """The operators' own budgets, where there are some."""
    for budget in view.stats.operators:
        st.markdown(f"**{plain(budget.operator)}**'s own budget")
        budget_bar(budget)


def _behind(ledger: WriteBehindStats, answers: AnswerLogStats) -> None:
    """How far the books are behind; a trouble stands at the top of the page, too."""
    parts = (
        f"Ledger: {_rows_words(ledger)}",
        f"ai_responses: {_rows_words(answers.rows)}",
        f"{answers.not_kept:,} not kept" if answers.not_kept else "",
        answers.reason,
    )
    st.caption(f"Since the start of this process · {plain(' · '.join(part for part in parts if part))}")


def _rows_words(rows: WriteBehindStats) -> str:
    lost = rows.dropped + rows.refused
    return f"{rows.written:,} written, {rows.waiting:,} waiting, {f'{lost:,} lost' if lost else 'none lost'}"


def _prices_words(view: CostsView) -> str:
    dates = f"{view.prices_from}" if view.prices_from == view.prices_until else f"{view.prices_from} to {view.prices_until}"
    total = view.long.value.total if view.long.value is not None else None
    unpriced = f" · :orange[{total.unpriced:,} attempts have no known price]" if total is not None and total.unpriced else ""
    spent = f"{plain(dollars(total.cost_usd))} in {LONG_DAYS} days · " if total is not None else ""
    return f"{spent}prices as of {dates} (core/claude/prices.toml){unpriced}"


def _unknown(panel: Panel[CostFigures]) -> None:
    words = f"{panel.error.removesuffix('.')}. {panel.next_step}" if panel.error else "it was not read yet."
    st.warning(f"What was spent is not known: {plain(words)}", icon=":material/cloud_off:")


def _age(panel: Panel[CostFigures]) -> str:
    if panel.value is None:
        return ":orange[never read in this process]"
    age = f"{panel.age_seconds:.0f} s old"
    return f":orange[stale, {age}: {plain(panel.error)}]" if panel.error or panel.age_seconds > STALE_SECONDS else age
