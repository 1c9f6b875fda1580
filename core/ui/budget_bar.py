"""Budget bar: how much of a day's budget is gone, with the mark from which on there is a warning."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from core.claude.budget import WARNING_SHARE, BudgetStats
from core.platform.units import dollars, duration
from core.ui.text import plain
from core.ui.verdict import clock, span

# Of Streamlit's palette; both stand out on a light and on a dark page, and the words beside the bar say the same.
COLOURS = {"fine": "#21a05a", "warning": "#d98600", "used_up": "#d33131"}


def budget_bar(budget: BudgetStats) -> None:
    """The bar and its number."""
    share = min(1.0, budget.spent_usd / budget.limit_usd) if budget.limit_usd else 1.0
    text = f"{dollars(budget.spent_usd)} of {dollars(budget.limit_usd)}"
    kind = " of rehearsed money" if budget.scope == "rehearsal" else ""
    st.html(
        f'<div style="font-size:.95rem">{text}<span style="opacity:.7">{kind}</span></div>'
        f'<div role="meter" aria-label="budget of today" aria-valuemin="0" aria-valuemax="100"'
        f' aria-valuenow="{share * 100:.0f}" aria-valuetext="{text}; warning from {WARNING_SHARE:.0%}"'
        ' style="position:relative;height:.6rem;border-radius:.3rem;margin:.35rem 0 1.1rem;'
        'background:color-mix(in srgb, currentColor 16%, transparent)">'
        f'<div style="width:{share * 100:.2f}%;height:100%;border-radius:.3rem;background:{COLOURS[budget.state]}"></div>'
        f'<div style="position:absolute;left:{WARNING_SHARE * 100:.0f}%;top:-.15rem;bottom:-.15rem;width:2px;'
        'background:currentColor"></div>'
        f'<div style="position:absolute;left:{WARNING_SHARE * 100:.0f}%;top:.75rem;font-size:.7rem;transform:translateX(-50%)">'
        f"{WARNING_SHARE:.0%}</div></div>"
    )


def budget_words(budget: BudgetStats, now: datetime) -> str:
    """When it starts anew, and what of it is not simply spent."""
    age = budget.age_seconds
    parts = (
        f"starts anew at {clock(budget.resets_at, now)} (00:00 UTC), in {span(budget.resets_at - now)}",
        f"{budget.in_flight:,} asks in flight hold their most" if budget.in_flight else "",
        f"{dollars(budget.free_usd)} more is leased to this process and unspent" if budget.free_usd > 0 else "",
        f"{dollars(budget.unknown_usd)} kept for exchanges whose cost nobody can tell" if budget.unknown_usd else "",
        f"the store told {duration(round(age, 1))} ago" if age is not None else "the store has not told yet",
    )
    words = " · ".join(plain(part) for part in parts if part)
    return f"{words} · :red[{plain(budget.store_error)}]" if budget.store_error else words
