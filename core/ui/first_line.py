"""FirstLine: the largest words of the overview and of the alerts page: one line that says whether the promises are kept."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from core.monitor.alerts.words import lasting
from core.platform.first_line import short_step
from core.platform.verdict import Verdict, headline
from core.ui.text import plain, plain_step
from core.ui.verdict import local

_LOOK = {"fine": ("green", "check_circle"), "not_fine": ("red", "error"), "cannot_tell": ("orange", "help")}
_WARNING = ("orange", "warning")


def draw_first_line(verdict: Verdict) -> None:
    """Draw it; a warning is no less broken, but orange."""
    now = datetime.now(UTC)
    colour, icon = _WARNING if verdict.warning else _LOOK[verdict.state]
    line = headline(verdict, lambda moment: minute(moment, now), lambda since: lasting((now - since).total_seconds()))
    step = f" :gray[next: {plain_step(short_step(verdict.next_step))}]" if verdict.next_step else ""
    st.title(f":{colour}[:material/{icon}:] {plain(line)}{';' if step else ''}{step}", anchor=False)


def minute(moment: datetime, now: datetime) -> str:
    """A time of day to the minute in the browser's zone, with the date when it is not today."""
    shown = local(moment)
    return f"{shown:%H:%M}" if shown.date() == local(now).date() else f"{shown:%-d %b %H:%M}"
