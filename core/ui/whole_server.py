"""The second source of a promise, in small beside the first: what the whole server says of all who use it."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from core.platform.server_figure import MORE_SECONDS, NEARLY_SECONDS, ServerFigure
from core.platform.units import duration
from core.ui.text import plain

LATE_SECONDS = 30.0
STATISTICS = {"mean": "means, never P95", "share": "all users", "now": "now"}


def draw_whole_server(figures: Mapping[str, ServerFigure], rules: Mapping[str, str]) -> None:
    """One line for each of these rules that has such a figure, under the name given here."""
    lines = [_line(title, figures[rule]) for rule, title in rules.items() if rule in figures]
    if lines:
        st.caption("  \n".join(lines))


def _line(title: str, figure: ServerFigure) -> str:
    what = f"**Whole server**, {title} ({STATISTICS[figure.statistic]}): "
    if figure.value is None:
        return f"{what}not known. {plain(figure.note)}"
    covered = figure.window_seconds
    window = "" if not covered else " in 5 min" if NEARLY_SECONDS <= covered < MORE_SECONDS else f" in {duration(covered)}"
    age = f"{figure.age_seconds:.0f} s old"
    late = f":orange[{age}]" if figure.age_seconds > LATE_SECONDS else age
    return f"{what}{plain(figure.text)}{window}. {plain(figure.note)} {late}"
