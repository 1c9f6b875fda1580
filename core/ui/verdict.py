"""The verdict line: the largest words of a page."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from core.platform.verdict import State, Verdict, headline

_LOOK = {
    "fine": ("green", "check_circle"),
    "not_fine": ("red", "error"),
    "cannot_tell": ("orange", "help"),
}


def draw_verdict(verdict: Verdict, now: datetime) -> None:
    """Draw the first line, and under it what to do or what was before."""
    line = headline(verdict, lambda moment: clock(moment, now), lambda since: span(now - since))
    draw_line(verdict.state, line, verdict.next_step)
    if not verdict.next_step and verdict.state == "fine" and verdict.reason:
        st.caption(f"{verdict.reason}.")


def draw_line(state: State, line: str, next_step: str) -> None:
    """Draw a first line in the colour of its state, and what to do."""
    colour, icon = _LOOK[state]
    st.title(f":{colour}[:material/{icon}:] {line}", anchor=False)
    if next_step:
        st.markdown(f"**Next:** {next_step}")


def clock(moment: datetime, now: datetime) -> str:
    """A time of day in the browser's zone, with the date when it is not today."""
    zone = _zone()  # Asked once: it costs more than both conversions.
    shown, today = moment.astimezone(zone), now.astimezone(zone)
    return f"{shown:%H:%M:%S}" if shown.date() == today.date() else f"{shown:%-d %b %H:%M}"


def local(moment: datetime) -> datetime:
    """The moment in the browser's zone."""
    return moment.astimezone(_zone())


def span(length: timedelta) -> str:
    """A length of time in the unit that a person would say it in."""
    seconds = max(0, int(length.total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _zone() -> ZoneInfo:
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
